"""Bodies about how somebody is reached."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.admin.wire.fields import Moment, Number


class Setting(StrEnum):
    """What can be set."""

    DO_NOT_DISTURB = "do-not-disturb"
    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "offline"
    CALL_WAITING = "call-waiting"


MostCalls = Annotated[int, Meta(ge=1, le=50, description="Calls at once")]


class ForwardView(msgspec.Struct, frozen=True, kw_only=True):
    when: str
    number: str
    until: int | None


class ReachView(msgspec.Struct, frozen=True, kw_only=True):
    """For one extension that the person holds."""

    extension: UUID
    number: str
    do_not_disturb: bool
    """Also what has an end; whether that has come is seen by `undisturbed_until`."""
    undisturbed_until: int | None
    forwards: list[ForwardView]
    most_calls: int | None = None
    """How many calls at once; None: as many as come."""
    most_calls_until: int | None = None


class ReachChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`number`: where a forward goes; None takes it away, or it is about do-not-disturb."""

    setting: Setting
    is_on: bool
    number: Number | None = None
    most_calls: MostCalls | None = None
    until: Moment | None = None
