"""What a worker is asked about recordings; most is answered when it is durable or has opened."""

from media.parts import LegVerb, Reply, Struct, Verb
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


class Record(LegVerb, tag="record", frozen=True):
    """Record what the leg's phone says."""

    recording: Recording


class StopRecording(LegVerb, tag="stop-recording", frozen=True):
    """It is enough; `Recorded` tells what there is."""


class PlayMessage(LegVerb, tag="play-message", frozen=True):
    """Let the leg hear a message."""

    playing: Playing


class Pause(LegVerb, tag="pause", frozen=True):
    """Be silent, and remember where it was."""


class Resume(LegVerb, tag="resume", frozen=True):
    """On from where it paused."""


class Seek(LegVerb, tag="seek", frozen=True):
    """Forward or back, from where it is."""

    milliseconds: int


class Restart(LegVerb, tag="restart", frozen=True):
    """From its first second."""


class Release(LegVerb, tag="release", frozen=True):
    """Forget the key of what was just recorded, and secrets that were entered."""


class EnterSecret(LegVerb, tag="enter-secret", frozen=True):
    """Collect key presses; `SecretEntered` tells how it ended."""

    entry: SecretEntry


class SealSecrets(LegVerb, tag="seal-secrets", frozen=True):
    """What was entered, sealed to the key holder for exactly this act, once."""

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
