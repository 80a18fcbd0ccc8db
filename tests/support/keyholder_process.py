"""The key holder as a process of its own, for tests that kill it, or come from other accounts.

python -m tests.support.keyholder_process DIRECTORY EXCHANGE_UID WORKER_UID: prints "ready".
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.edges import Place
from storage.keyholder.process import KeyHolderProcess, Places
from storage.keyholder.protocol import Edge
from tests.support.keyholder import CHEAP


def places(directory: Path, exchange: int, worker: int) -> Places:
    names = {Edge.EXCHANGE: {exchange}, Edge.WORKER: {worker}, Edge.OPERATOR: {0, os.geteuid()}}
    edges = {
        edge: Place(directory / f"{edge}.sock", frozenset(peers)) for edge, peers in names.items()
    }
    return Places(keys=directory / "keys", data=directory, edges=edges)


async def main() -> None:
    directory = Path(sys.argv[1])
    process = KeyHolderProcess(
        places(directory, int(sys.argv[2]), int(sys.argv[3])), KeyHolderConfig(), {}, cost=CHEAP
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await process.start()
    os.write(1, b"ready\n")
    await stop.wait()
    await process.stop()


if __name__ == "__main__":
    os.umask(0)  # the sockets are 0660: here any account may try, and is refused by its number
    asyncio.run(main())
