"""A terminal at a running installation: the commands as people type them, each act by a touch.

Commands run in this process, so that what is typed and shown stays in it alone; the product is
served by processes of its own.
"""

import base64
import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pbx.cli import main as cli
from pbx.cli import security_key
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.sealed.primitives import hotp
from tests.support.authenticator import Authenticator
from tests.support.needles import Watched, memory_of

PBX = (sys.executable, "-P", "-m", "pbx")
Line = str | Callable[[str], str]
"""Typed; or what to type after seeing what was shown."""


class Typing(io.StringIO):
    """Standard input of somebody who reads the screen."""

    def __init__(self, lines: list[Line], screen: io.StringIO) -> None:
        super().__init__()
        self._lines, self._screen = lines, screen

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]  # as StringIO has it
        if not self._lines:
            return ""
        line = self._lines.pop(0)
        return (line if isinstance(line, str) else line(self._screen.getvalue())) + "\n"


@dataclass
class Run:
    """An installation that is served, and one person at a terminal with a security key."""

    layout: Layout
    sessions: Path
    key: Authenticator = field(default_factory=Authenticator)
    watched: Watched = field(default_factory=Watched)
    totp: bytes = b""
    step: int = 0

    def pbx(self, *words: str, typed: list[Line] | None = None, who: str = "admin") -> str:
        """What is shown by a command that must succeed."""
        code, shown = self.tried(*words, typed=typed, who=who)
        assert code == Exit.DONE, (words, shown[-300:])
        return shown

    def tried(
        self, *words: str, typed: list[Line] | None = None, who: str = "admin"
    ) -> tuple[int, str]:
        """Exit code and screen; in this process, so that what is typed and shown stays in it."""
        screen = io.StringIO()
        told = security_key.attached.set(lambda: [self.key])
        os.environ["PBX_SECOND_FACTOR"] = "key"
        os.environ["PBX_SESSION"] = str(self.sessions / who)
        before, sys.stdin = sys.stdin, Typing(typed or [], screen)
        try:
            with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(screen):
                code = cli.run([*words, "--data", str(self.layout.root)])
        finally:
            sys.stdin = before
            security_key.attached.reset(told)
            del os.environ["PBX_SECOND_FACTOR"], os.environ["PBX_SESSION"]
        return code, screen.getvalue()

    def code(self, _: str = "") -> str:
        """Each counts once: a second one within the step is the next step's, good already."""
        self.step = max(int(time.time()) // 30, self.step + 1)
        return hotp(self.totp, self.step)

    def enrolled(self, who: str, shown: str) -> bytes:
        """Takes what is shown once, and never to be found again."""
        totp = shown.split("or type in: ")[1].split()[0]
        raw = base64.b32decode(totp + "=" * (-len(totp) % 8))
        self.watched.add(f"{who}: TOTP secret", raw)
        codes = re.findall(r"^  ([A-Z2-9-]{10,13})$", shown, re.MULTILINE)
        assert len(codes) == 10
        for number, code in enumerate(codes):
            self.watched.add(f"{who}: recovery code {number}", code.encode())
        return raw

    def children(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().decode().split("\0")
                state = path.with_name("stat").read_text().rpartition(") ")[2][0]
                if "pbx.service" in words and str(self.layout.root) in words and state != "Z":
                    found[words[words.index("pbx.service") + 1]] = int(path.parent.name)
        return found

    def in_memory(self, watched: Watched | None = None) -> set[str]:
        found: set[str] = set()
        for name in ("exchange", "worker"):
            found |= (watched or self.watched).found_in(memory_of(self.children()[name]))
        return found

    def crash(self, name: str) -> None:
        old = self.children()[name]
        os.kill(old, signal.SIGSEGV)
        until(lambda: self.children().get(name, old) != old)
        until(self.answers)

    def answers(self) -> bool:
        """Alarms are no matter here: nobody has named a phone for emergencies."""
        words = [*PBX, "status", "--data", str(self.layout.root)]
        done = subprocess.run(words, capture_output=True, check=False)
        return done.returncode in (Exit.DONE, Exit.FOUND)


def until(claim: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextlib.contextmanager
def served(run: Run, said: Path) -> Iterator[None]:
    with said.open("w") as output:
        process = subprocess.Popen(
            [*PBX, "serve", "--data", str(run.layout.root)],
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "COV_"))},
        )
        try:
            until(lambda: run.answers() or process.poll() is not None)
            assert process.poll() is None, said.read_text()[-2000:]
            yield
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
