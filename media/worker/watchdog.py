"""Notices silence: after half a second the phone may have moved, after half a minute it is gone."""

from collections.abc import Callable

from media.config import MediaConfig
from media.values import LegId, MediaEvent, Silent
from media.worker.control_path import ControlPath
from media.worker.loop import Deadline, Loop
from media.worker.path import Path


class Watchdog:
    """Looks at one leg exactly when its silence would become notable, and otherwise seldom."""

    def __init__(
        self,
        name: LegId,
        path: Path,
        control: ControlPath,
        config: MediaConfig,
        loop: Loop,
        tell: Callable[[MediaEvent], None],
    ) -> None:
        self._name, self._path, self._control = name, path, control
        self._config, self._loop, self._tell = config, loop, tell
        self._since = loop.now()
        self._expected: bool | None = None
        self._deadline: Deadline | None = None

    def expect(self, voice: bool) -> None:
        """Whether the phone should be sending now; if not, it is on hold."""
        if voice != self._expected:
            self._expected = voice
            self._since = self._loop.now()
            if not voice:
                self._path.reopen()  # a held leg waits unconnected: its address may change
        if self._deadline is None:
            self._arm(self._loop.now() + self._config.relatch_after)

    def stop(self) -> None:
        """The leg ends."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self) -> None:
        now, config, path = self._loop.now(), self._config, self._path
        if now - path.heard_at >= config.relatch_after:
            path.reopen()
        heard = max(path.heard_at, self._control.heard_at)
        limit = config.silence_limit if self._expected else config.hold_limit
        if now - max(heard, self._since) >= limit:
            self._since = now  # told again after as long again
            self._tell(Silent(self._name, round(now - heard, 1)))
        due = path.heard_at + config.relatch_after
        self._arm(due if due > now else now + config.relatch_after)

    def _arm(self, when: float) -> None:
        self._deadline = self._loop.at(when, self._look)
