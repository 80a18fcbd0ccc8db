"""What a worker is asked about recordings; most is answered when it is durable or has opened."""

from media.parts import LegId, Reply, Struct, Verb
from media.recordings import (
    LeftRecording,
    MessageOpened,
    Playing,
    Recording,
    RecordingStarted,
    Resealed,
    Resealing,
    SecretEntry,
    Spool,
)


class Record(Verb, tag="record", frozen=True):
    """Record what the leg's phone says."""

    leg: LegId
    recording: Recording


class StopRecording(Verb, tag="stop-recording", frozen=True):
    """It is enough; `Recorded` tells what there is."""

    leg: LegId


class PlayMessage(Verb, tag="play-message", frozen=True):
    """Let the leg hear a message."""

    leg: LegId
    playing: Playing


class Pause(Verb, tag="pause", frozen=True):
    leg: LegId


class Resume(Verb, tag="resume", frozen=True):
    leg: LegId


class Seek(Verb, tag="seek", frozen=True):
    """Forward or back, from where it is."""

    leg: LegId
    milliseconds: int


class Restart(Verb, tag="restart", frozen=True):
    """From its first second."""

    leg: LegId


class Release(Verb, tag="release", frozen=True):
    """Forget the key of what was just recorded, and secrets that were entered."""

    leg: LegId


class EnterSecret(Verb, tag="enter-secret", frozen=True):
    """Collect key presses; `SecretEntered` tells how it ended."""

    leg: LegId
    entry: SecretEntry


class SealSecrets(Verb, tag="seal-secrets", frozen=True):
    """What was entered, sealed to the key holder for exactly this act, once."""

    leg: LegId
    act: bytes
    session: bytes


class Reseal(Verb, tag="reseal", frozen=True):
    """A message under a new key, in the worker alone."""

    resealing: Resealing


class Remove(Verb, tag="remove", frozen=True):
    """Delete files and what lies beside them."""

    contents: tuple[bytes, ...]


class Settle(Verb, tag="settle", frozen=True):
    """Delete what lies beside files: their slots are in the database now."""

    contents: tuple[bytes, ...]


class ListLeft(Verb, tag="list-left", frozen=True):
    """What nobody has settled."""


class AskSpool(Verb, tag="ask-spool", frozen=True):
    """How the disk is doing."""


RecordingVerb = (
    Record | StopRecording | PlayMessage | Pause | Resume | Seek | Restart | Release
    | EnterSecret | SealSecrets | Reseal | Remove | Settle | ListLeft | AskSpool
)  # fmt: skip


class LeftRecordings(Struct, tag="left", frozen=True):
    recordings: tuple[LeftRecording, ...]


class SealedSecrets(Struct, tag="sealed-secrets", frozen=True):
    """A proof that nobody but the key holder reads."""

    proof: bytes


class Replied(Reply, tag="replied", frozen=True):
    """What a verb came to, when it is so."""

    number: int
    value: RecordingStarted | MessageOpened | Resealed | Spool | LeftRecordings | SealedSecrets
