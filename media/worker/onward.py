"""Where the voice of a leg's phone goes: to its partner, as it is or made over; to us; or nowhere.

What passes as it is costs nothing here: the path has a table for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from media.errors import MediaFull, Misuse
from media.sdp.formats import number_of
from media.sdp.offer_answer import Agreed
from media.worker import payloads
from media.worker.loop import Loop
from media.worker.path import NOTHING, Path, VoiceSink
from media.worker.stream import Stream
from media.worker.transcoder import Coding, Transcoder


@dataclass(frozen=True, slots=True)
class Ahead:
    """The leg that it leads to."""

    agreed: Agreed
    stream: Stream
    begins: Callable[[], None]
    """What it waited for is over: called before anything is made over for it."""


class Onward:
    """Of one leg."""

    def __init__(self, loop: Loop, coding: Coding, path: Path) -> None:
        self._loop, self._coding, self._path = loop, coding, path
        self._coder: Transcoder | None = None
        self._tap: VoiceSink | None = None
        self._coded = 0
        self._here: Agreed | None = None
        self._ahead: Ahead | None = None

    @property
    def coded(self) -> int:
        """Frames that were made over for a partner with other codecs."""
        return self._coded + (self._coder.frames if self._coder else 0)

    def to_itself(self, here: Agreed, stream: Stream) -> None:
        """An echo."""
        self._path.lead(stream, payloads.table(here.receive, here.send))

    def to(self, here: Agreed, ahead: Ahead) -> None:
        """The partner hears it."""
        self._forget()
        self._here, self._ahead = here, ahead
        there = ahead.agreed
        self._path.receive_voice = self._make_over
        self._path.lead(ahead.stream, payloads.table(here.receive, there.send))
        if needs_coding(here, there) and not is_deaf(there, here) and self._coding.has_room(1):
            self._code(here, ahead)

    def to_nobody(self, here: Agreed | None) -> None:
        """Nobody hears it, or we do."""
        self._forget()
        if here is None:
            self._path.lead(None, NOTHING)
        elif self._tap is None:
            self._path.lead(None, payloads.table(here.receive, None))
        else:
            self._path.receive_voice = self._tap
            self._path.lead(None, payloads.tapped(here.receive))

    def hold(self, here: Agreed) -> None:
        """Nothing of the room that put somebody on hold is heard, not by us either."""
        self._forget()
        self._path.lead(None, payloads.table(here.receive, None))

    def tap(self, sink: VoiceSink | None) -> None:
        """Who hears it when nobody does, from the next time on."""
        self._tap = sink

    def relay_event(self, timestamp: int, payload: bytes, clock: int) -> None:
        """A key press, between frames that are made over."""
        if self._coder is not None:
            self._coder.relay_event(timestamp, payload, clock)

    def close(self) -> None:
        """The leg ends."""
        self._forget()
        self._path.lead(None, NOTHING)

    def _make_over(self, number: int, timestamp: int, payload: memoryview) -> None:
        """The phone speaks in what its partner has not, though it could do otherwise; or, coding
        once, in what needs no coding any more."""
        here, ahead = self._here, self._ahead
        if here is None or ahead is None:
            return
        if number_of(ahead.agreed.send, here.receive[number]) is not None:
            self.to(here, ahead)
            return
        if self._coder is None and self._coding.has_room():
            self._code(here, ahead)
        if self._coder is not None:
            self._coder.receive(number, timestamp, payload)

    def _code(self, here: Agreed, ahead: Ahead) -> None:
        self._path.lead(None, payloads.tapped(here.receive))
        ahead.begins()
        there = ahead.agreed
        self._coder = self._coding.begin(
            self._loop, here.receive, ahead.stream, there.voice, there.send
        )

    def _forget(self) -> None:
        self._here = self._ahead = None
        if self._coder is not None:
            self._coding.end(self._coder)
            self._coded += self._coder.frames
            self._coder = None


def check(one: Agreed | None, other: Agreed | None, coding: Coding) -> None:
    """Whether the two could hear each other; raises before anything has changed."""
    if one is None or other is None:
        raise Misuse("both legs are answered before they are joined")
    if is_deaf(one, other) or is_deaf(other, one):
        raise Misuse("the legs have no codec in common")
    if (needs_coding(one, other) or needs_coding(other, one)) and not coding.has_room():
        raise MediaFull("too many calls between phones without a common codec")


def needs_coding(here: Agreed, there: Agreed) -> bool:
    """Whether what is said here is not heard there as it is."""
    return not payloads.have_voice_in_common(here.receive, there.send)


def is_deaf(here: Agreed, there: Agreed) -> bool:
    """Whether what is said there is not heard here, not even made over."""
    return needs_coding(there, here) and not payloads.can_be_coded(there.receive, here.send)
