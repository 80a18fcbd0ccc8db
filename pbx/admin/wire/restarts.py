"""Bodies of the planned restart."""

from typing import Annotated

import msgspec
from msgspec import Meta

from pbx.restarting import LONGEST, USUAL_SECONDS

Seconds = Annotated[int, Meta(ge=0, le=LONGEST)]


class RestartOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait for calls, and for which."""

    drain: bool = False
    """Wait until no call is up, not only until none would be lost."""
    seconds: Seconds = USUAL_SECONDS
    """After these the exchange gives way whatever is up; who talks goes on even then."""


class RestartView(msgspec.Struct, frozen=True, kw_only=True):
    """How a restart goes; no number, no name."""

    run: str
    """Of the process that answers: another one after the restart."""
    state: str
    """`none`, `waiting` or `going`."""
    is_draining: bool
    calls: int
    awaited: int
    """Calls that are waited for."""
    seconds_left: int
    taken_back: int
    """Calls of the exchange before that go on in this one, or ended in it."""
