"""A stack that nobody guards lets everybody in; what a guard does there is in test_uas.py."""

from pbx.sip.dialog import Dialog
from pbx.sip.doorkeeper import OpenDoor
from pbx.sip.flows import FlowId
from tests.support.pair import answer, request


def test_an_open_door_knows_everybody_and_calls_them_nothing() -> None:
    invite = request("INVITE")
    dialog = Dialog.as_uas(invite, answer(invite, 200))

    assert OpenDoor().admit(FlowId(1), invite, None, 0.0) is None
    assert OpenDoor().admit(FlowId(1), invite, dialog, 0.0) is None
    assert OpenDoor().knows(FlowId(1), dialog)
    assert OpenDoor().way_to(dialog, FlowId(1)) == FlowId(1)
