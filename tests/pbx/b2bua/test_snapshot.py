"""A call sealed for the worker to keep comes back whole, or not at all."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from pbx.b2bua.snapshot import CallSnapshot, LegSnapshot, SnapshotKey
from pbx.sip.dialog import DialogId, DialogState
from pbx.sip.session_clock import SessionTimer
from storage.sealed.primitives import OpenError

DIALOG = DialogState(
    id=DialogId("call-1", "ours", "theirs"), local="<sip:1@pbx>;tag=ours",
    remote="<sip:2@pbx>;tag=theirs", contact="<sip:pbx:5061;transport=tls>",
    target="sip:2@192.0.2.1", routes=("<sip:edge;lr>",), local_cseq=3, remote_cseq=None,
    is_early=False, is_caller=True, allow=("INVITE", "BYE"), session=SessionTimer(1800, True),
)  # fmt: skip
CALL = CallSnapshot(
    id=UUID(int=1), route="person", is_emergency=False, tenure=UUID(int=2), started_at=5,
    answered_at=7, caller_number="1042", caller_name="Anna Berg", dialled="1043",
    legs=(
        LegSnapshot(
            id=UUID(int=3), role="caller", device=UUID(int=4), person=None, media="m1",
            dialog=DIALOG, started_at=5, answered_at=None, status=200,
        ),
    ),
)  # fmt: skip
KEY = SnapshotKey(bytes(range(32)))


def test_a_call_comes_back_as_it_was_and_the_worker_reads_nothing_of_it() -> None:
    sealed = KEY.seal(CALL)

    assert SnapshotKey(bytes(range(32))).open(sealed) == CALL
    assert b"Anna" not in sealed
    assert b"1042" not in sealed


def test_another_key_opens_nothing() -> None:
    with pytest.raises(OpenError):
        SnapshotKey(bytes(32)).open(KEY.seal(CALL))


def test_one_call_is_not_put_in_the_place_of_another() -> None:
    other = KEY.seal(replace(CALL, id=UUID(int=9)))

    with pytest.raises(OpenError):
        KEY.open(CALL.id.bytes + other[16:])


@pytest.mark.parametrize("length", [0, 15, 16, 17, 40])
def test_what_was_cut_short_does_not_open(length: int) -> None:
    with pytest.raises(OpenError):
        KEY.open(KEY.seal(CALL)[:length])
