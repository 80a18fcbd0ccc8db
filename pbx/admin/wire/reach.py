"""Bodies about how somebody is reached."""

from enum import StrEnum
from uuid import UUID

import msgspec

from pbx.admin.wire.fields import Moment, Number


class Setting(StrEnum):
    """What can be set."""

    DO_NOT_DISTURB = "do-not-disturb"
    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "offline"


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


class ReachChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`number`: where a forward goes; None takes it away, or it is about do-not-disturb."""

    setting: Setting
    is_on: bool
    number: Number | None = None
    until: Moment | None = None
