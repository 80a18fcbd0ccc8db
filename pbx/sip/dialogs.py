"""The dialogs of a stack, by their ids, and the session timers that run in them."""

from __future__ import annotations

from collections.abc import Callable

from pbx.sip.deadlines import Deadlines
from pbx.sip.dialog import Dialog, DialogId
from pbx.sip.events import Event, RefreshDue, SessionExpired
from pbx.sip.session_clock import Due, SessionClock, SessionTimer


class Dialogs:
    """Finds the dialog of a message; whoever drops one here makes its requests 481."""

    __slots__ = ("_by_id", "_deadlines", "_report", "_sessions")

    def __init__(self, deadlines: Deadlines, report: Callable[[Event], None]) -> None:
        self._by_id: dict[DialogId, Dialog] = {}
        self._sessions: dict[DialogId, _Session] = {}
        self._deadlines = deadlines
        self._report = report

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, dialog_id: DialogId) -> Dialog | None:
        return self._by_id.get(dialog_id)

    def adopt(self, dialog: Dialog) -> None:
        self._by_id[dialog.id] = dialog

    def drop(self, dialog: Dialog) -> None:
        if self._by_id.pop(dialog.id, None) is not None:
            self._stop(dialog)

    def run_session(self, dialog: Dialog, timer: SessionTimer | None, now: float) -> None:
        """Start the session's interval anew; None: it does not expire."""
        dialog.agree(timer)
        self._stop(dialog)
        if timer is not None and dialog.id in self._by_id:
            session = _Session(dialog, SessionClock(timer, now), self._report)
            self._sessions[dialog.id] = session
            self._deadlines.changed(session)

    def _stop(self, dialog: Dialog) -> None:
        session = self._sessions.pop(dialog.id, None)
        if session is not None:
            session.clock.deadline = None
            self._deadlines.changed(session)


class _Session:
    """Rings for the clock of one dialog."""

    __slots__ = ("_report", "clock", "dialog")

    def __init__(
        self, dialog: Dialog, clock: SessionClock, report: Callable[[Event], None]
    ) -> None:
        self.dialog = dialog
        self.clock = clock
        self._report = report

    @property
    def deadline(self) -> float | None:
        return self.clock.deadline

    def ring(self, now: float) -> None:
        due = self.clock.expire(now)
        self._report((RefreshDue if due is Due.REFRESH else SessionExpired)(self.dialog))
