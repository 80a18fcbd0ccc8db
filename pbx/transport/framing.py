"""Whole SIP messages out of a stream of bytes (RFC 3261 §18.3, RFC 5626 §3.5.1).

Where a message ends is decided by Content-Length alone, which must be there, once, and sane. The
parser reads the same field again and must come to the same length, so that nobody can hide one
message in another. A head whose length cannot be told is still handed over, alone, for the stack
to answer; the stream is of no use after it.
"""

import re
from dataclasses import dataclass

import msgspec

from pbx.transport.errors import PeerError

PING = b"\r\n\r\n"
PONG = b"\r\n"

_END = b"\r\n\r\n"
# Name, spaces, colon, value; a value may go on in the next line (RFC 3261 §7.3.1).
_content_length = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?=\r\n)", re.IGNORECASE
).findall
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a message may be."""

    head: int = 16_384
    body: int = 65_536


class Frames(msgspec.Struct, frozen=True):
    """What some bytes completed."""

    messages: list[bytes]
    pings: int = 0
    """CRLFCRLF received; each wants a CRLF back."""
    fault: PeerError | None = None
    """The stream cannot go on: answer what is in `messages`, then close."""


_NOTHING = Frames([])


class Framer:
    """One flow's incoming stream."""

    __slots__ = ("_buffer", "_limits", "_needed", "_searched")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self._searched = 0
        """Up to here the buffer holds no end of a head."""
        self._needed = 0
        """The whole length of the message at the front, once its head is complete."""

    @property
    def buffered(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    @property
    def is_amid(self) -> bool:
        """A message has begun and not ended; half a ping is not a message."""
        return bool(self._buffer) and not PING.startswith(self._buffer)

    def feed(self, data: bytes) -> Frames:
        """Take bytes in; never raises, whatever they are."""
        if self._buffer:
            if self._needed > len(self._buffer) + len(data):
                self._buffer += data  # in the middle of a body: nothing to look at
                return _NOTHING
            data = self._buffer + data
        messages: list[bytes] = []
        pings, at, fault = 0, 0, None
        while at < len(data):
            if data[at] in b"\r\n" and not self._needed:
                skipped, found = _blank(data, at)
                pings += found
                if not skipped:
                    break  # perhaps half a ping
                at += skipped
                continue
            try:
                end = self._end(data, at)
            except _Unframed as unframed:
                messages += unframed.head
                fault, at = PeerError(unframed.rule), len(data)
                break
            if not end:
                break
            messages.append(data[at:end])
            at, self._searched, self._needed = end, 0, 0
        self._buffer = data[at:]
        return Frames(messages, pings, fault)

    def _end(self, data: bytes, at: int) -> int:
        """Where the message that starts at `at` ends; 0 if that is not known or not here yet."""
        if not self._needed:
            head = data.find(_END, at + self._searched)
            if head < 0:
                self._check_beginning(data, at)
                self._searched = max(0, len(data) - at - 3)
                return 0
            head += 4
            self._check_beginning(data, at)
            if head - at > self._limits.head:
                raise _Unframed("head: longer than the limit")
            self._needed = head - at + self._body_length(data[at:head])
        end = at + self._needed
        return end if end <= len(data) else 0

    def _check_beginning(self, data: bytes, at: int) -> None:
        """Cut what is no SIP as early as its first line shows."""
        if len(data) - at > self._limits.head and data.find(_END, at, at + self._limits.head) < 0:
            raise _Unframed("head: longer than the limit")
        line = data.find(b"\r\n", at)
        if line >= 0 and b"SIP/" not in data[at:line].upper():
            raise _Unframed("start line: names no SIP version")

    def _body_length(self, head: bytes) -> int:
        values = _content_length(head, 0, len(head) - 2)
        if len(values) != 1:
            raise _Unframed("Content-Length: must be present once", head)
        digits = values[0].strip(b" \t\r\n")
        if not digits.isdigit() or len(digits) > _MAX_DIGITS:
            raise _Unframed("Content-Length: must be digits", head)
        length = int(digits)
        if length > self._limits.body:
            raise _Unframed("Content-Length: larger than the limit", head)
        return length


class _Unframed(Exception):
    """The stream ends here; the head may still be answered."""

    def __init__(self, rule: str, head: bytes = b"") -> None:
        super().__init__(rule)
        self.rule = rule
        self.head = [head] if head else []


def _blank(data: bytes, at: int) -> tuple[int, int]:
    """How much empty line stands between messages, and whether it is a ping.

    A lone CRLF is the answer to a ping of ours, or the noise RFC 3261 §7.5 tells us to ignore.
    """
    if data.startswith(PING, at):
        return 4, 1
    if PING.startswith(data[at : at + 4]) and len(data) - at < 4:
        return 0, 0
    if data.startswith(PONG, at):
        return 2, 0
    return 1, 0
