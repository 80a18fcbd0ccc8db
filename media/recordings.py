"""The values of recording and playing: what is sealed how, what came of it, what keys were entered.

Keys here are public, or of one greeting; a message's own key never crosses this border: it goes
from the key holder to the worker on a ticket, over a socket of their own.
"""

from typing import Literal

from media.parts import Struct, Told

AudioCodec = Literal["pcmu", "pcma", "g722", "opus", "l16"]
SecretName = Literal["pin", "new_pin", "totp"]

# -- how something is sealed and opened


class Deposit(Struct, tag="deposit", frozen=True):
    """To a mailbox: a new key for this content, sealed to the mailbox's signed deposit key."""

    content: bytes
    """16 random octets, drawn by the exchange; never used twice."""
    mailbox: str
    key: bytes
    """The signed key as the key holder made it; checked against the pinned key just before use."""


class Asker(Struct, tag="asker", frozen=True):
    """To whoever asks at a command: the ephemeral public key of one listening or export."""

    content: bytes
    suite: str
    public: bytes
    voucher: bytes
    """The command's own word for this message and key; nobody else can give it."""


class Greeting(Struct, tag="greeting", frozen=True):
    """Under a key of the exchange's for this one content (`storage.sealed.greetings`)."""

    content: bytes
    key: bytes


class Ticketed(Struct, tag="ticketed", frozen=True):
    """A message: its key comes from the key holder on this ticket, once."""

    content: bytes
    ticket: bytes
    slot: bytes


class Review(Struct, tag="review", frozen=True):
    """What this leg has just recorded; its key stays in the worker until `release` or `drop`."""

    content: bytes


class Whole(Struct, tag="whole", frozen=True):
    """The ledger row of a complete file."""

    digest: bytes


class Interrupted(Struct, tag="interrupted", frozen=True):
    """The ledger row of a recovery."""

    segments: int
    digest: bytes


# -- what is asked


class Recording(Struct, kw_only=True, frozen=True):
    """What to record, and when it is enough."""

    seal: Deposit | Greeting
    limit_ms: int = 180_000
    silence_ms: int = 10_000
    """So much silence at a stretch ends it; 0: none does."""
    stop: str = "#"
    """Keys that end it."""
    beep: bool = True


class Playing(Struct, kw_only=True, frozen=True):
    """What to play; it is compared with its ledger row before the first sample."""

    opening: Ticketed | Greeting | Review
    expect: Whole | Interrupted
    from_ms: int = 0


class Resealing(Struct, kw_only=True, frozen=True):
    """A message sealed anew, for another mailbox or for a command; never in clear outside."""

    opening: Ticketed
    expect: Whole | Interrupted
    to: Deposit | Asker
    leg: str = ""
    """Where whoever sends it on has signed in; a command vouches for itself."""


class SecretEntry(Struct, kw_only=True, frozen=True):
    """Collect key presses as a secret; the exchange is told how it ended, never what it was."""

    name: SecretName = "pin"
    again: bool = False
    """Typed once more: compared with what was entered under this name."""
    minimum: int = 6
    maximum: int = 12
    first_ms: int = 10_000
    next_ms: int = 5_000
    end: str = "#"


# -- what came of it


class RecordingStarted(Struct, tag="recording-started", frozen=True):
    """Header and key slot are on the disk; the beep sounds now."""

    leg: str
    content: bytes
    codec: AudioCodec
    started: int
    slot: bytes
    key: bytes


class MessageOpened(Struct, tag="message-opened", frozen=True):
    """The file is what its row says, its key is here, and it begins to play."""

    leg: str
    content: bytes
    milliseconds: int
    codec: AudioCodec
    started: int


class Resealed(Struct, tag="resealed", frozen=True):
    """The new file, complete and on the disk."""

    content: bytes
    codec: AudioCodec
    started: int
    slot: bytes
    key: bytes
    segments: int
    digest: bytes
    milliseconds: int


class LeftRecording(Struct, kw_only=True, frozen=True):
    """A file whose key slot still lies beside it and which nobody records (any more).

    What a crash tore off its end is cut away: what is told here is what is there."""

    content: bytes
    kind: Literal["deposit", "greeting", "asker"]
    mailbox: str
    key: bytes
    slot: bytes
    codec: AudioCodec
    started: int
    segments: int
    digest: bytes
    milliseconds: int
    is_complete: bool


class Spool(Struct, tag="spool", kw_only=True, frozen=True):
    """How the disk of messages is doing."""

    free: int
    total: int
    is_low: bool
    """Below `[media] messages_low`: alarm before anything is refused."""
    is_full: bool
    """Below `[media] messages_reserve`: nothing more is recorded."""
    recordings: int
    """Going on in this worker, or in all that are asked."""


# -- what is told meanwhile


class Stored(Told, tag="stored", frozen=True):
    """So much of a recording is durable."""

    content: bytes
    segments: int
    digest: bytes
    milliseconds: int
    is_low: bool


RecordingCause = Literal[
    "digit", "hang-up", "silence", "limit", "stopped", "codec", "disk-full", "disk-error", "overrun"
]
"""The last three leave a file without an end: `Interrupted` with what is told."""


class Recorded(Told, tag="recorded", kw_only=True, frozen=True):
    """A recording has ended; this is what is durable of it."""

    content: bytes
    cause: RecordingCause
    segments: int
    digest: bytes
    milliseconds: int
    codec: AudioCodec
    started: int
    octets: int
    slot: bytes
    key: bytes
    digit: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether it opens as `Whole`."""
        return self.cause not in ("disk-full", "disk-error", "overrun")


class Played(Told, tag="played", frozen=True):
    """A message came to its end by itself, or met a fault half-way."""

    content: bytes
    milliseconds: int
    fault: str = ""


class SecretEntered(Told, tag="secret-entered", frozen=True):
    """How the entry of a secret ended."""

    name: SecretName
    outcome: Literal["complete", "timeout", "too-short", "too-long", "cancelled", "different"]


RecordingEvent = Stored | Recorded | Played | SecretEntered
