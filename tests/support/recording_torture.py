"""Records, settles, seals anew and removes files as fast as it can, saying what is durable.

python -m tests.support.recording_torture DIRECTORY SEED [ROUNDS]: DIRECTORY is a mailroom's. Its
parent kills it; the lines it has printed are promises.
"""

import os
import random
import sys
import threading
from pathlib import Path

import msgspec

from media.client import Deposit
from media.worker.message_files import MessageFiles
from media.worker.writer import Durable, Hears, Writer
from tests.support.media_worker import vault_in


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Torture:
    def __init__(self, directory: Path, seed: int) -> None:
        self.files = MessageFiles(directory / "messages", 2, 1)
        self.vault = vault_in(directory)
        mailbox, key = msgspec.msgpack.decode((directory / "deposit").read_bytes())
        self.mailbox, self.key = mailbox, key
        self.dice = random.Random(seed)

    def record(self) -> bytes:
        content, over = self.dice.randbytes(16), threading.Event()
        name = content.hex()

        def stored(durable: Durable, quiet: int, is_low: bool) -> None:
            say("stored", name, durable.segments, durable.digest.hex())

        def ended(durable: Durable, fault: str) -> None:
            say("recorded", name, durable.segments, durable.digest.hex(), fault or "-")
            over.set()

        hears = Hears(
            started=lambda sealed: say("started", name, sealed.slot.hex()),
            stored=stored,
            ended=ended,
            refused=lambda fault: over.set(),
        )
        to = Deposit(content, self.mailbox, self.key)
        writer = Writer(self.files, self.vault, to, "pcmu", 5, hears)
        for _ in range(self.dice.randrange(4)):
            writer.put(bytearray(b"\x31" * 8000), 1000)
        writer.finish(bytearray(b"\x31" * 800), 100)
        over.wait(30)
        return content

    def run(self, rounds: int) -> None:
        kept: list[bytes] = []
        for _ in range(rounds):
            kept.append(self.record())
            if self.dice.random() < 0.5:
                say("settling", kept[-1].hex())
                self.files.settle([kept[-1]])
                say("settled", kept[-1].hex())
            if self.dice.random() < 0.4:
                gone = kept.pop(self.dice.randrange(len(kept)))
                say("removing", gone.hex())
                self.files.remove([gone])
                say("removed", gone.hex())
        say("finished")


if __name__ == "__main__":
    torture = Torture(Path(sys.argv[1]), int(sys.argv[2]))
    say("ready")
    torture.run(int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 30)
