"""The messages between the exchange's media client and a media worker.

MessagePack over a Unix stream socket, each message behind an unsigned 32-bit length. The exchange
asks (`Request` number, verb), the worker replies with the same number, and tells events unasked.
Session descriptions travel as bytes: only the worker reads them.
"""

import struct
from typing import Literal

from media.parts import LegVerb, Reply, Verb
from media.recording_verbs import RecordingVerb, Replied
from media.values import (
    Direction,
    LegId,
    LegStats,
    Manner,
    MediaEvent,
    Place,
    Player,
    StoredCall,
    Struct,
)

MAX_MESSAGE = 1 << 20
"""A snapshot is the largest thing sent; a longer message ends the connection."""

LENGTH = struct.Struct("!I")


# --- requests ----------------------------------------------------------------------------------


class Open(Verb, tag="open", frozen=True):
    """Give a call one more leg: ports now, keys when it offers or answers.

    With the phone's offer, where it has been made: what is refused leaves no leg behind.
    """

    call: str
    place: Place
    offer: bytes = b""
    snapshot: bytes = b""
    """The call's state, as `Store` keeps it; here and elsewhere, empty: it stays what it was."""


class OpenOffering(Verb, tag="open-offering", frozen=True):
    """Give a call one more leg, and make our offer to its phone: `Open` and `MakeOffer`."""

    call: str
    place: Place
    like: LegId = ""
    direction: Direction = "sendrecv"
    is_wide: bool = False
    """Also with codecs that the other leg's phone would have to be asked for."""


class TakeOffer(LegVerb, tag="take-offer", frozen=True):
    """The phone offered this."""

    sdp: bytes


class MakeAnswer(LegVerb, tag="make-answer", frozen=True):
    """Our answer to the phone's offer, with the codecs of the leg it is `like`."""

    like: LegId = ""
    direction: Direction = "sendrecv"


class MakeOffer(LegVerb, tag="make-offer", frozen=True):
    """Our offer to the phone, with the codecs of the leg it is `like`."""

    like: LegId = ""
    direction: Direction = "sendrecv"


class TakeAnswer(LegVerb, tag="take-answer", frozen=True):
    """The phone answered our offer with this."""

    sdp: bytes


class Bridge(LegVerb, tag="bridge", frozen=True):
    """The phone answered our offer, so the other can be answered and they hear each other.

    `TakeAnswer`, `MakeAnswer` of the other leg like this one, and `Join`.
    """

    sdp: bytes
    other: LegId
    snapshot: bytes = b""


class Withdraw(LegVerb, tag="withdraw", frozen=True):
    """Our offer was refused, or we refused the phone's: what was agreed before stays."""


class Join(LegVerb, tag="join", frozen=True):
    """Each of the two legs hears the other (the same leg twice: an echo).

    Where they have no codec in common, `Unmatched` says whose phone is to be asked for another.
    """

    other: LegId


class Move(LegVerb, tag="move", frozen=True):
    """The leg goes on in another call; what is kept of both changes with it, at once."""

    call: str
    snapshot: bytes = b""
    left: bytes = b""
    """Of the call that it leaves."""


class Part(LegVerb, tag="part", frozen=True):
    """The leg hears nobody and is heard by nobody, until joined or fed."""


class Feed(LegVerb, tag="feed", frozen=True):
    """The leg hears a player instead of anybody; `Fed` tells when it ended."""

    player: Player


class Digits(LegVerb, tag="digits", frozen=True):
    """Tell (or stop telling) the digits a leg's phone sends; told digits are not passed on."""

    report: bool


class Stats(LegVerb, tag="stats", frozen=True):
    """How the leg is doing."""


class Drop(Verb, tag="drop", frozen=True):
    """End these legs: ports freed, keys gone; answered with their last figures."""

    legs: tuple[LegId, ...]
    snapshot: bytes = b""
    """The last state of their call."""


class Store(Verb, tag="store", frozen=True):
    """Keep this snapshot of a call, opaque to the worker, until `Forget`.

    Said, not asked (`UNASKED`): what follows on the connection finds it kept.
    """

    call: str
    snapshot: bytes


class Forget(Verb, tag="forget", frozen=True):
    """The records of these calls are written; said, not asked."""

    calls: tuple[str, ...]


class ListCalls(Verb, tag="list", frozen=True):
    """What lives here, and what ended unrecorded: for an exchange that comes back.

    A page at a time, of the calls whose names come after this one.
    """

    after: str = ""


class Ping(Verb, tag="ping", frozen=True):
    """The exchange is there."""


AnyVerb = (
    Open | OpenOffering | TakeOffer | MakeAnswer | MakeOffer | TakeAnswer | Bridge | Withdraw
    | Join | Move | Part | Feed | Digits | Stats | Drop | Store | Forget | ListCalls | Ping
    | RecordingVerb
)  # fmt: skip


UNASKED = 0
"""The number of what needs no reply."""


class Request(Struct, frozen=True):
    """One numbered request."""

    number: int
    verb: AnyVerb


# --- replies -----------------------------------------------------------------------------------


class Done(Reply, tag="done", frozen=True):
    number: int


class Opened(Reply, tag="opened", frozen=True):
    number: int
    leg: LegId
    sdp: bytes = b""
    """Our offer, where it was asked for."""
    manner: Manner | None = None
    """The phone's, where its offer was of another than its place said."""


class Described(Reply, tag="described", frozen=True):
    """A session description of ours."""

    number: int
    sdp: bytes


class Fault(Struct, frozen=True):
    """Why a request failed, as one of the errors of `media.errors`."""

    name: Literal["offer", "answer", "full", "gone", "misuse", "message"]
    reason: str
    status: int = 0
    warning: int = 0


class Failed(Reply, tag="failed", frozen=True):
    number: int
    fault: Fault


class Measured(Reply, tag="measured", frozen=True):
    """One for each leg asked for; None: it was gone already."""

    number: int
    stats: tuple[LegStats | None, ...]


class Listed(Reply, tag="listed", frozen=True):
    number: int
    calls: tuple[StoredCall, ...]


class Hello(Reply, tag="hello", frozen=True):
    """The worker's first message on a connection; `run` differs after a restart."""

    index: int
    run: str
    legs: int
    capacity: int


AnyReply = Done | Opened | Described | Failed | Measured | Listed | Replied | Hello | MediaEvent
