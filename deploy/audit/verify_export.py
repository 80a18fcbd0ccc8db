"""Verify a file of `pbx audit export --signed` with the public key alone.

    python3 verify_export.py EXPORT KEY        (KEY: the file keyholder.pin)

Needs the standard library and `cryptography` alone. Each chain is hashed anew; the exchange's own
ends in the key holder's signature, and its row of the export says where all the others stood.
"""

import base64
import hashlib
import json
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIELDS = ["writer", "sequence", "chain", "journal_sequence", "journal_chain", "signed_at"]
BYTES = (4, 8, 9, 11, 14)  # operation, actor, session, subject, detail; the hash stands last


def check(is_so, sentence):
    if not is_so:
        raise ValueError(sentence)


def pack(value):  # MessagePack, in its shortest form
    if value is None:
        return b"\xc0"
    if type(value) is int:
        power = next(power for power in range(4) if value < 256**2**power)
        mark = b"" if value < 128 else bytes([0xCC + power])
        return mark + value.to_bytes(2**power, "big")
    is_text = isinstance(value, str)
    body = value.encode() if is_text else value
    if is_text and len(body) < 32:
        return bytes([0xA0 + len(body)]) + body
    power = next(power for power in range(3) if len(body) < 256**2**power)
    return bytes([(0xD9 if is_text else 0xC4) + power]) + len(body).to_bytes(2**power, "big") + body


def binary(text):
    check(bytes.fromhex(text).hex() == text, "a value is not written as it was exported")
    return bytes.fromhex(text)


def lines(file):  # each as it was exported, and in no other way to write the same
    file.seek(0)
    for line in file:
        value = json.loads(line.decode("ascii"))
        same = json.dumps(value, separators=(",", ":"), sort_keys=True) + "\n"
        check(same.encode() == line, "a line was altered")
        yield value


def follow(row, chains, done):
    check(len(row) == 16 and row[0] in chains, "a row was added")
    chain = chains[row[0]]
    expected, value = done.get(row[0], (chain["first"], binary(chain["previous"])))
    check(row[0] >= max(done, default=""), "rows were reordered")
    check(row[1] == expected, f"row {expected} of {row[0]} is missing or not in its place")
    plain = [binary(v) if i in BYTES and v is not None else v for i, v in enumerate(row[:15])]
    leaf = b"\xdc\x00\x10" + b"".join(map(pack, ["hipaa-pbx ledger row 1", *plain]))
    value = hashlib.sha256(value + hashlib.sha256(leaf).digest()).digest()
    check(value == binary(row[15]), f"row {row[1]} of {row[0]} was altered")
    done[row[0]] = (row[1] + 1, value)


def verify(file, key):
    header, made = next(lines(file)), []
    for count, end in enumerate(lines(file)):  # noqa: B007 - the number of rows, and the last line
        if [*end][5:7] == ["audit.exported", "done"] and str(UUID(end[4])) == header["operation"]:
            made.append(end)
    form = {"format": "hipaa-pbx ledger export 1", "operation": header["operation"]}
    check((header, [*end], len(made)) == (form, ["head"], 1), "the file is not whole")
    own, chains, done, head = made[0][0], json.loads(made[0][13])["chains"], {}, end["head"]
    chains[own] |= {"last": head["sequence"], "hash": head["chain"]}
    for row in islice(lines(file), 1, count):
        follow(row, chains, done)
    for name, chain in chains.items():
        check(done.get(name) == (chain["last"] + 1, binary(chain["hash"])), f"{name}: cut short")
    writer = UUID(bytes=hashlib.sha256(b"ledger writer " + own.encode()).digest()[:16])
    check(len(head) == 7 and head["writer"] == str(writer), "the head was altered")
    plain = {name: binary(v) if name.endswith("chain") else v for name, v in head.items()}
    body = b"\x87" + b"".join(pack(name) + pack(plain[name]) for name in FIELDS)
    signed = b"hipaa-pbx signature SignedHead v1\0" + body + pack("signature") + pack(b"")
    Ed25519PublicKey.from_public_bytes(key).verify(binary(head["signature"]), signed)
    when = datetime.fromtimestamp(made[0][2] // 1_000_000, UTC).isoformat()
    return f"{count - 1} rows in {len(chains)} chains, exported {when} by {UUID(made[0][8])}"


if __name__ == "__main__":
    try:
        pin = json.loads(Path(sys.argv[2]).read_bytes())
        with Path(sys.argv[1]).open("rb") as file:
            sys.stdout.write(f"Genuine: {verify(file, base64.b64decode(pin['signing_key']))}.\n")
    except Exception as error:  # noqa: BLE001 - whatever a damaged file leads to
        sys.exit(f"NOT genuine: {error or type(error).__name__}")
