"""A screen of 80 columns and 24 lines under tmux: keys go in, what stands there is read."""

import asyncio
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Screen:
    """One tmux session of 80 by 24 with a server of its own."""

    socket: Path
    command: str
    variables: dict[str, str]

    def tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", os.devnull, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def __enter__(self) -> "Screen":
        settings = [f"-e{name}={value}" for name, value in self.variables.items()]
        held = f"{self.command}; echo left with $?; read -r _"
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", *settings, held)
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    async def shows(self, *words: str, without: str = "\0", seconds: float = 60) -> str:
        """The screen as soon as it has all these words, and not the other."""
        deadline = time.monotonic() + seconds
        while True:
            shown = await asyncio.to_thread(self.text)
            if all(word in shown for word in words) and without not in shown:
                return shown
            assert time.monotonic() < deadline, (words, shown)
            await asyncio.sleep(0.1)
