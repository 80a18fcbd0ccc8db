"""Looking for secrets where none may be: in a process's memory, and in everything written."""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pbx.config import load
from pbx.paths import Layout
from storage.keyholder import founding
from storage.keyholder.keystores.choice import choose
from storage.keyholder.protocol import Enrolment
from storage.keyholder.records import SETTINGS, KeyRow, Settings
from storage.keyholder.store import Store, read_wrapped


def spellings(secret: bytes) -> dict[str, bytes]:
    """Raw, and as it could have been written; base64 at each of its three alignments."""
    return {
        "raw": secret,
        "hex": secret.hex().encode(),
        "base32": base64.b32encode(secret)[: len(secret) * 8 // 5],
        "utf-16": secret.decode("latin-1").encode("utf-16-le"),
        **{
            f"base64+{shift}": base64.b64encode(b"\0" * shift + secret)[4 if shift else 0 : -4]
            for shift in range(3)
        },
    }


class Watched:
    """What must not be found, by name; long enough to be nobody else's bytes."""

    def __init__(self) -> None:
        self.needles: dict[str, bytes] = {}

    def add(self, name: str, secret: bytes) -> None:
        assert len(secret) >= 10
        self.needles |= {f"{name}, {how}": one for how, one in spellings(secret).items()}

    def enrolment(self, name: str, enrolment: Enrolment) -> bytes:
        padding = "=" * (-len(enrolment.totp_secret) % 8)
        secret = base64.b32decode(enrolment.totp_secret + padding)
        self.add(f"{name}: TOTP secret", secret)
        self.add(f"{name}: recovery code", enrolment.recovery_codes[0].encode())
        self.add(
            f"{name}: plain recovery code", enrolment.recovery_codes[1].replace("-", "").encode()
        )
        return secret

    def found_in(self, pieces: Iterator[bytes]) -> set[str]:
        """By grep, which looks for all of them in one go; a line break splits no needle there."""
        sought = {name: max(needle.split(b"\n"), key=len) for name, needle in self.needles.items()}
        assert all(len(part) >= 8 for part in sought.values())
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(sought.values()) + b"\n")
            patterns.flush()
            command = ["grep", "-a", "-o", "-F", "-f", patterns.name]
            environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            ) as grep:
                assert grep.stdin is not None
                assert grep.stdout is not None
                with ThreadPoolExecutor(1) as reader:
                    reading = reader.submit(grep.stdout.read)
                    for piece in pieces:
                        grep.stdin.write(piece + b"\n")
                    grep.stdin.close()
                    matched = reading.result()
        return {name for name, part in sought.items() if part in matched}


def memory_of(pid: int) -> Iterator[bytes]:
    """Every readable and writable region; code and mapped files hold nobody's secrets."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        regions = [line.split() for line in maps if line.split()[1].startswith("rw")]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for region in regions:
            start, end = (int(part, 16) for part in region[0].split("-"))
            with contextlib.suppress(OSError, ValueError):
                memory.seek(start)
                yield memory.read(end - start)


def written(root: Path) -> Iterator[bytes]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()


@contextlib.contextmanager
def half_a_request(layout: Layout, body: bytes) -> Iterator[None]:
    """The exchange holds a body whose end never comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(layout.admin_socket))
        head = (
            "POST /v1/session HTTP/1.1\r\nHost: pbx\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) + 1}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        yield


def private_keys(layout: Layout) -> list[bytes]:
    """Of the key holder, read before it starts."""
    keystore = choose(load(layout.config_file).keyholder, layout.keys, os.environ)
    copy = layout.root.parent / "copy"
    shutil.copytree(layout.keys, copy)
    store = Store(copy / founding.STORE, keystore.unwrap(read_wrapped(copy / founding.STORE)))
    settings = store.get(Settings, SETTINGS)
    assert settings is not None
    found = [bytes(settings.signing_key), bytes(settings.index_key)]
    found += [bytes(row.private[-40:]) for row in store.all(KeyRow)]
    store.close()
    shutil.rmtree(copy)
    return found
