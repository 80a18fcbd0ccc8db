"""Attackers for a running exchange, in a process of their own: mutated SIP, noise, half handshakes.

`python -m tests.support.hostile messages|half-open PORT COUNT CA USERNAME SECRET DOMAIN`
"""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import ssl
import sys
from contextlib import suppress

from tests.support.phone import Account, Phone

TEMPLATES = (
    "REGISTER sip:{d} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
    "From: <sip:{u}@{d}>;tag=1\r\nTo: <sip:{u}@{d}>\r\nCall-ID: c{n}\r\nCSeq: 1 REGISTER\r\n"
    'Authorization: Digest username="{u}", realm="{d}", nonce="x", uri="sip:{d}", response="00"\r\n'
    "Contact: <sip:{u}@192.0.2.1;transport=tls>;expires=60\r\nContent-Length: 0\r\n\r\n",
    "INVITE sip:1002@{d} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
    "From: <sip:{u}@{d}>;tag=1\r\nTo: <sip:1002@{d}>\r\nCall-ID: c{n}\r\nCSeq: 1 INVITE\r\n"
    "Contact: <sip:{u}@192.0.2.1>\r\nContent-Type: application/sdp\r\n"
    "Content-Length: 4\r\n\r\nv=0\r",
    "BYE sip:1002@{d} SIP/2.0\r\nv: SIP/2.0/TLS h;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
    "f: <sip:{u}@{d}>;tag=1\r\nt: <sip:1002@{d}>;tag=2\r\ni: c{n}\r\nCSeq: 2 BYE\r\nl: 0\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{n}\r\nFrom: <sip:{u}@{d}>;tag=1\r\n"
    "To: <sip:1002@{d}>;tag=2\r\nCall-ID: c{n}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
)


def mutated(dice: random.Random, number: int, username: str, domain: str) -> bytes:
    """A message with a few octets changed, cut, doubled or swapped; now and then only noise."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.randrange(1, 400)) + b"\r\n\r\n"
    text = dice.choice(TEMPLATES).format(n=number, u=username, d=domain)
    data = bytearray(text.encode())
    for _ in range(dice.randrange(0, 6)):
        at = dice.randrange(len(data))
        match dice.randrange(5):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                del data[at : at + dice.randrange(1, 20)]
            case 2:
                data[at:at] = data[at : at + dice.randrange(1, 200)] * dice.randrange(1, 20)
            case 3:
                data[at:at] = dice.choice((b"\r\n", b"\0", b"%00", b"'", b'"', b"<", b",", b";"))
            case _:
                data[at:at] = b"9" * dice.randrange(1, 40)
    return bytes(data)


async def messages(port: int, count: int, context: ssl.SSLContext, account: Account) -> None:
    """Every second connection logs in first; the exchange closes many of them."""
    # What comes back to a mutated request is as broken; our phone says so, and nobody listens.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    seed = random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    dice = random.Random(seed)
    sent = 0
    while sent < count:
        phone = Phone(account)
        with suppress(OSError, TimeoutError):
            await phone.connect(("127.0.0.1", port), context, source="127.0.0.9")
            if dice.random() < 0.5:
                await phone.register(60)
            for _ in range(dice.randrange(1, 60)):
                if phone.closed.is_set():
                    break
                phone.send_bytes(mutated(dice, sent, account.username, account.domain))
                sent += 1
                if dice.random() < 0.2:
                    await asyncio.sleep(0)
        phone.close()


def half_open(port: int, count: int) -> None:
    """Handshakes that begin and never go on, from many addresses; held until stdin ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = []
    for number in range(count):
        plain = socket.socket()
        plain.bind((f"127.0.{1 + number % 40}.{1 + number // 40 % 250}", 0))
        plain.settimeout(5)
        with suppress(OSError):
            plain.connect(("127.0.0.1", port))
            plain.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        held.append(plain)
    print("held", flush=True)
    sys.stdin.read()


def main() -> None:
    kind, port, count, ca_file, username, secret, domain = sys.argv[1:8]
    if kind == "half-open":
        half_open(int(port), int(count))
        return
    context = ssl.create_default_context(cafile=ca_file)
    account = Account(username=username, domain=domain, password=secret)
    asyncio.run(messages(int(port), int(count), context, account))


if __name__ == "__main__":
    main()
