"""Recording, playing, secret entry and sealing anew, as the exchange asks for them.

Answers come when the thing is so: a recording's file is on the disk, a message has opened. What
fails raises `MessageRefused` with its fault.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from media import recording_verbs as verbs
from media.control import AnyReply
from media.errors import MediaUnavailable
from media.recording_verbs import Replied
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
from media.values import LegId
from media.workers import Workers

V = TypeVar("V")


class RecordingClient(Workers):
    """The part of the media client that deals with messages."""

    async def record(self, leg: LegId, recording: Recording) -> RecordingStarted:
        """Record what its phone says; `Stored` and `Recorded` tell how it goes."""
        self._expect_recorded(leg)
        return _value(await self._ask(leg, verbs.Record(leg, recording)), RecordingStarted)

    async def stop_recording(self, leg: LegId) -> None:
        """It is enough; `Recorded` follows."""
        await self._ask(leg, verbs.StopRecording(leg))

    async def play_message(self, leg: LegId, playing: Playing) -> MessageOpened:
        """Let it hear a message, once that is what its ledger row says; `Played` tells the end."""
        return _value(await self._ask(leg, verbs.PlayMessage(leg, playing)), MessageOpened)

    async def pause(self, leg: LegId) -> None:
        await self._ask(leg, verbs.Pause(leg))

    async def resume(self, leg: LegId) -> None:
        await self._ask(leg, verbs.Resume(leg))

    async def seek(self, leg: LegId, milliseconds: int) -> None:
        """Forward or back from where it is."""
        await self._ask(leg, verbs.Seek(leg, milliseconds))

    async def restart(self, leg: LegId) -> None:
        """From its first second; also after it has ended, while its key is still held."""
        await self._ask(leg, verbs.Restart(leg))

    async def release(self, leg: LegId) -> None:
        """Forget the keys and secrets that the worker holds for this leg."""
        await self._ask(leg, verbs.Release(leg))

    async def enter_secret(self, leg: LegId, entry: SecretEntry) -> None:
        """Collect key presses as a secret; `SecretEntered` tells how it ended."""
        await self._ask(leg, verbs.EnterSecret(leg, entry))

    async def seal_secrets(self, leg: LegId, act: bytes, session: bytes = b"") -> bytes:
        """The proof of an act by what was entered; the worker forgets the digits with it."""
        reply = await self._ask(leg, verbs.SealSecrets(leg, act, session))
        return _value(reply, verbs.SealedSecrets).proof

    async def reseal(self, resealing: Resealing) -> Resealed:
        """A message anew under the key of somebody else, as a file of its own."""
        verb = verbs.Reseal(resealing)
        asked = self._ask(resealing.leg, verb) if resealing.leg else self._ask_any(verb)
        return _value(await asked, Resealed)

    async def remove(self, contents: Sequence[bytes]) -> None:
        """Delete files; those that are gone already do not matter."""
        await self._ask_any(verbs.Remove(tuple(contents)))

    async def settle(self, contents: Sequence[bytes]) -> None:
        """Their slots are in the database: what lies beside the files is deleted."""
        await self._ask_any(verbs.Settle(tuple(contents)))

    async def left_behind(self) -> tuple[LeftRecording, ...]:
        """Files that nobody has settled and nobody is recording."""
        return _value(await self._ask_any(verbs.ListLeft()), verbs.LeftRecordings).recordings

    async def spool(self) -> Spool:
        """How the disk of messages is doing; recordings are those of every worker that is there."""
        answers = await self._ask_all(verbs.AskSpool())
        spools = [_value(answer, Spool) for answer in answers]
        return msgspec.structs.replace(spools[0], recordings=sum(s.recordings for s in spools))


def _value(reply: AnyReply, kind: type[V]) -> V:
    if isinstance(reply, Replied) and isinstance(reply.value, kind):
        return reply.value
    raise MediaUnavailable("the media worker answered something else")
