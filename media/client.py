"""Media as the exchange sees it: legs, opened on one of the workers and told what to do.

The exchange hands session descriptions through and never reads them. A worker that dies ends its
legs (`Ended`); one that comes back is used again; an exchange that comes back asks `calls` and
adopts the legs it still knows.
"""

import contextlib
from collections.abc import Iterable, Sequence

from media import control
from media.control import AnyReply, Described, Listed, Measured
from media.errors import (
    AnswerRefused,
    LegGone,
    MediaError,
    MediaFull,
    MediaUnavailable,
    MessageRefused,
    Misuse,
    OfferRefused,
    SdpRefused,
)
from media.recording_client import RecordingClient
from media.recordings import (
    Asker,
    Deposit,
    Greeting,
    Interrupted,
    LeftRecording,
    MessageOpened,
    Played,
    Playing,
    Recorded,
    Recording,
    RecordingStarted,
    Resealed,
    Resealing,
    Review,
    SecretEntered,
    SecretEntry,
    Spool,
    Stored,
    Ticketed,
    Whole,
)
from media.values import (
    Digit,
    Direction,
    Ended,
    Fed,
    Held,
    Latched,
    Learnt,
    LegId,
    LegStats,
    Manner,
    MediaEvent,
    Place,
    Player,
    Prompt,
    Silence,
    Silent,
    Sound,
    StoredCall,
    Tone,
    Unkeyed,
    Unmatched,
)
from media.workers import Notify, worker_of

__all__ = [
    "AnswerRefused",
    "Asker",
    "Deposit",
    "Digit",
    "Direction",
    "Ended",
    "Fed",
    "Greeting",
    "Held",
    "Interrupted",
    "Latched",
    "Learnt",
    "LeftRecording",
    "LegGone",
    "LegId",
    "LegStats",
    "Manner",
    "MediaClient",
    "MediaError",
    "MediaEvent",
    "MediaFull",
    "MediaUnavailable",
    "MessageOpened",
    "MessageRefused",
    "Misuse",
    "OfferRefused",
    "Place",
    "Played",
    "Player",
    "Playing",
    "Prompt",
    "Recorded",
    "Recording",
    "RecordingStarted",
    "Resealed",
    "Resealing",
    "Review",
    "SdpRefused",
    "SecretEntered",
    "SecretEntry",
    "Silence",
    "Silent",
    "Sound",
    "Spool",
    "Stored",
    "StoredCall",
    "Ticketed",
    "Tone",
    "Unkeyed",
    "Unmatched",
    "Whole",
]


class MediaClient(RecordingClient):
    """All workers, seen as one."""

    # --- legs

    def legs_beside(self, call: str) -> int:
        """Legs open on the worker that has the next leg of this call; raises MediaUnavailable."""
        return self._links[self._worker_for(call)].legs

    async def open(
        self,
        call: str,
        place: Place,
        notify: Notify,
        offer: bytes = b"",
        snapshot: bytes = b"",
        beside: LegId | None = None,
    ) -> LegId:
        """One more leg for a call; all legs of a call are on one worker, unless it is to be
        `beside` another leg.

        With its phone's offer, as `take_offer`; what that refuses opens no leg. A snapshot, here
        and elsewhere, is what `store` would say next.
        """
        opened = await self._open(call, control.Open(call, place, offer, snapshot), notify, beside)
        return opened.leg

    async def open_offering(
        self,
        call: str,
        place: Place,
        notify: Notify,
        like: LegId | None = None,
        direction: Direction = "sendrecv",
        beside: LegId | None = None,
        *,
        is_wide: bool = False,
    ) -> tuple[LegId, bytes]:
        """One more leg for a call with our offer, as `make_offer`; a wide one has more codecs, to
        which the phone that it is like can still be asked to change."""
        verb = control.OpenOffering(call, place, like or "", direction, is_wide)
        opened = await self._open(call, verb, notify, beside)
        return opened.leg, opened.sdp

    def are_near(self, leg: LegId, other: LegId) -> bool:
        """Whether one worker has both, so that they can be joined."""
        return worker_of(leg) == worker_of(other)

    async def move(self, leg: LegId, call: str, snapshot: bytes = b"", left: bytes = b"") -> None:
        """From now on it is a leg of another call; with what to keep of both."""
        before = self._call_of.get(leg)
        if before is None:
            raise LegGone("the leg is not known")
        await self._ask(leg, control.Move(leg, call, snapshot, left))
        if before in self._legs_of:
            self._legs_of[before].discard(leg)
            self._forget_call(before)
        self._call_of[leg] = call
        self._legs_of.setdefault(call, set()).add(leg)
        self._worker_of.setdefault(call, worker_of(leg))

    async def take_offer(self, leg: LegId, sdp: bytes) -> None:
        """The phone's offer; `OfferRefused` says how to refuse the INVITE."""
        await self._ask(leg, control.TakeOffer(leg, sdp))

    async def make_answer(
        self, leg: LegId, like: LegId | None = None, direction: Direction = "sendrecv"
    ) -> bytes:
        """Our answer, the same bytes until the next offer."""
        return _sdp(await self._ask(leg, control.MakeAnswer(leg, like or "", direction)))

    async def make_offer(
        self, leg: LegId, like: LegId | None = None, direction: Direction = "sendrecv"
    ) -> bytes:
        """Our offer, with the codecs of the leg that it is like."""
        return _sdp(await self._ask(leg, control.MakeOffer(leg, like or "", direction)))

    async def take_answer(self, leg: LegId, sdp: bytes) -> None:
        """The phone's answer; `AnswerRefused` is a failed call."""
        await self._ask(leg, control.TakeAnswer(leg, sdp))

    async def bridge(self, leg: LegId, sdp: bytes, other: LegId, snapshot: bytes = b"") -> bytes:
        """`take_answer` of the leg, `make_answer` of the other like it, and `join`: in one."""
        _check_same_worker(leg, other)
        return _sdp(await self._ask(leg, control.Bridge(leg, sdp, other, snapshot)))

    async def withdraw(self, leg: LegId) -> None:
        """An offer, ours or theirs, was refused: what was agreed stays."""
        await self._ask(leg, control.Withdraw(leg))

    async def join(self, leg: LegId, other: LegId) -> None:
        """Let two phones hear each other; a leg joined to itself is an echo. Where they have no
        codec in common, `Unmatched` tells the one that is to be asked for another, also when
        they are asked to be joined again."""
        _check_same_worker(leg, other)
        await self._ask(leg, control.Join(leg, other))

    async def part(self, leg: LegId) -> None:
        """Let it hear nobody."""
        await self._ask(leg, control.Part(leg))

    async def feed(self, leg: LegId, player: Player) -> None:
        """Let it hear a player; `Fed` tells the end."""
        await self._ask(leg, control.Feed(leg, player))

    async def digits(self, leg: LegId, *, report: bool) -> None:
        """Be told its phone's key presses, or no longer."""
        self._keyed.discard(leg)
        await self._ask(leg, control.Digits(leg, report))
        if report and leg in self._notify:
            self._keyed.add(leg)

    def tells_digits(self, leg: LegId) -> bool:
        """Whether its key presses are told now; never from the start of a secret's entry until
        they are asked for again."""
        return leg in self._keyed

    async def enter_secret(self, leg: LegId, entry: SecretEntry) -> None:
        """See `RecordingClient`; from now on no key press is told."""
        self._keyed.discard(leg)
        await super().enter_secret(leg, entry)

    async def stats(self, leg: LegId) -> LegStats:
        """How it is doing."""
        [stats] = _stats(await self._ask(leg, control.Stats(leg)))
        return stats or LegStats()

    async def drop(self, leg: LegId) -> LegStats:
        """End it, with its last figures; a leg that is gone already has none."""
        [stats] = await self.drop_all([leg])
        return stats

    async def drop_all(self, legs: Sequence[LegId], snapshot: bytes = b"") -> list[LegStats]:
        """End the legs of a call, with their last figures."""
        if not legs:
            return []
        theirs: dict[int, list[LegId]] = {}
        for leg in legs:
            theirs.setdefault(worker_of(leg), []).append(leg)
        found: dict[LegId, LegStats | None] = {}
        try:
            for near in theirs.values():
                with contextlib.suppress(MediaError):
                    figures = _stats(await self._ask(near[0], control.Drop(tuple(near), snapshot)))
                    found.update(zip(near, figures, strict=True))
        finally:
            for leg in legs:
                self._forget(leg)
        return [found.get(leg) or LegStats() for leg in legs]

    # --- snapshots

    def store(self, call: str, snapshot: bytes) -> None:
        """Leave a call's state with the worker that holds its legs, until `forget`."""
        indexes = {worker_of(leg) for leg in self._legs_of.get(call, ())}
        if not indexes:
            raise LegGone("the call has no leg")
        for index in indexes:
            self._links[index].say(control.Store(call, snapshot))

    def forget(self, calls: Iterable[str]) -> None:
        """These calls are over and recorded."""
        verb = control.Forget(tuple(calls))
        for link in self._links.values():
            if link.is_up:
                link.say(verb)

    async def calls(self) -> list[StoredCall]:
        """What lives in the workers that answer, and what ended there unrecorded."""
        found: list[StoredCall] = []
        for link in self._links.values():
            after = ""
            while link.is_up:
                reply = await link.ask(control.ListCalls(after))
                page = reply.calls if isinstance(reply, Listed) else ()
                if not page:
                    break
                found += page
                after = page[-1].call
        return _merged(found)


def _merged(found: list[StoredCall]) -> list[StoredCall]:
    """A call may have legs in two workers, after somebody was put through."""
    merged: dict[str, StoredCall] = {}
    for part in found:
        known = merged.get(part.call)
        if known is None:
            merged[part.call] = part
        else:
            merged[part.call] = StoredCall(
                part.call,
                (*known.legs, *part.legs),
                known.snapshot or part.snapshot,
                {**known.figures, **part.figures},
            )
    return list(merged.values())


def _sdp(reply: AnyReply) -> bytes:
    assert isinstance(reply, Described)  # noqa: S101 - the worker's own protocol
    return reply.sdp


def _check_same_worker(leg: LegId, other: LegId) -> None:
    if worker_of(leg) != worker_of(other):
        raise Misuse("the legs are on different workers")


def _stats(reply: AnyReply) -> tuple[LegStats | None, ...]:
    assert isinstance(reply, Measured)  # noqa: S101 - the worker's own protocol
    return reply.stats
