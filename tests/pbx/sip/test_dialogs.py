"""The table of dialogs and the session timers that run in them."""

from pbx.sip.deadlines import Deadlines
from pbx.sip.dialog import Dialog
from pbx.sip.dialogs import Dialogs
from pbx.sip.events import Event, RefreshDue, SessionExpired
from pbx.sip.message import response_to
from pbx.sip.session_clock import SessionTimer
from tests.support.pair import request


class Desk:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.deadlines = Deadlines()
        self.dialogs = Dialogs(self.deadlines, self.events.append)
        self.dialog = Dialog.as_uac(request(), response_to(request(), 200, to_tag="bob"))

    def at(self, now: float) -> list[Event]:
        self.deadlines.expire(now)
        events, self.events[:] = self.events[:], []
        return events


def test_a_dialog_is_found_until_it_is_dropped():
    desk = Desk()
    desk.dialogs.adopt(desk.dialog)
    assert desk.dialogs.get(desk.dialog.id) is desk.dialog and len(desk.dialogs) == 1
    desk.dialogs.drop(desk.dialog)
    desk.dialogs.drop(desk.dialog)
    assert desk.dialogs.get(desk.dialog.id) is None and len(desk.dialogs) == 0


def test_a_session_of_ours_is_refreshed_and_then_given_up():
    desk = Desk()
    desk.dialogs.adopt(desk.dialog)
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, True), 0.0)
    assert desk.dialog.state.session == SessionTimer(600, True)
    assert desk.at(299.0) == []
    assert desk.at(300.0) == [RefreshDue(desk.dialog)]
    assert desk.at(568.0) == [SessionExpired(desk.dialog)]
    assert desk.deadlines.next() is None


def test_a_refresh_starts_the_interval_anew():
    desk = Desk()
    desk.dialogs.adopt(desk.dialog)
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, False), 0.0)
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, False), 500.0)
    assert desk.at(1067.0) == []
    assert desk.at(1068.0) == [SessionExpired(desk.dialog)]


def test_a_dropped_dialog_and_one_without_interval_are_silent():
    desk = Desk()
    desk.dialogs.adopt(desk.dialog)
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, True), 0.0)
    desk.dialogs.run_session(desk.dialog, None, 1.0)
    assert desk.deadlines.next() is None
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, True), 0.0)
    desk.dialogs.drop(desk.dialog)
    assert desk.at(10_000.0) == []


def test_a_dialog_that_nobody_knows_gets_no_timer():
    desk = Desk()
    desk.dialogs.run_session(desk.dialog, SessionTimer(600, True), 0.0)
    assert desk.deadlines.next() is None
