"""The sealed file: one message or greeting, sealed as it is recorded (SECURITY.md, sealed file).

    file    = header segment ...
    header  = "hpbxseal" version:u8 codec:u8 started:i64 content:16 prefix:7          41 octets
    segment = label sealed
    label   = length:u32 last:1bit number:31bit content:8 (its first octets)          16 octets
    sealed  = AES-256-GCM(key, nonce = prefix number last, AD = header, plaintext)
    plaintext of the last segment = audio octets:u64 milliseconds:u32                 (of the file)

Integers are big-endian, times microseconds UTC. Each file has a key of its own, so nonces never
repeat. A segment is half a second of audio; only the last is shorter. The header never changes and
is associated data of every segment. Key slots stand outside the file (`storage.keyholder.slots`).

Labels are not secret and prove nothing: they let a file be counted without its key after a crash,
and let a refusal say what happened. What a segment is, its nonce decides. HPKE does not tell who
sealed, so a file opens only as the ledger states it: `Whole` with its SHA-256, or `Interrupted`
with exactly the segments and SHA-256 that recovery found.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from storage.sealed import primitives
from storage.sealed.primitives import Bytes, OpenError, SealedError

MAGIC, VERSION = b"hpbxseal", 1
HEADER = struct.Struct("!8sBBq16s7s")
LABEL = struct.Struct("!II8s")
TRAILER = struct.Struct("!QI")
LAST = 1 << 31
CONTENT = 16
MAX_AUDIO = 1 << 16
"""Octets of one segment: more than Opus at its highest rate."""
MAX_SEALED = MAX_AUDIO + TRAILER.size + primitives.TAG
MAX_SEGMENTS = 72_000
"""Ten hours."""
SEGMENT_MS = 500
"""What a crash loses is the segment that is being spoken, and what is not yet on the disk."""


class Codec(IntEnum):
    """As it arrived on the wire; Opus packets each behind their place and length (u16, u16)."""

    PCMU = 1
    PCMA = 2
    G722 = 3
    OPUS = 4
    L16 = 5
    """16-bit samples at 8 kHz, little-endian."""

    @property
    def octets_per_ms(self) -> int:
        """0: not constant."""
        return {Codec.OPUS: 0, Codec.L16: 16}.get(self, 8)


class Fault(StrEnum):
    """Why a file is refused."""

    HEADER = "header"
    """Not a sealed file of this version, or another content than was asked for."""
    TRUNCATED = "truncated"
    """The row tells of a complete file: its end is missing."""
    UNFINISHED = "unfinished"
    """The row tells of an interrupted file: this is not what recovery found."""
    REORDERED = "reordered"
    """A segment of this file at another place."""
    SPLICED = "spliced"
    """A segment of another file."""
    ALTERED = "altered"
    """A segment that was sealed by nobody, or not for here."""
    LENGTH = "length"
    """The last segment states another length than the file has."""
    DIGEST = "digest"
    """Whole in itself, but not the file of the ledger row."""


class FileRefused(SealedError):
    """The file is not opened; `fault` says why, the text names no value."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"sealed file: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Whole:
    """What the ledger row of a complete file says."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What the ledger row of a recovery says."""

    segments: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What never changes about a file."""

    content: bytes
    codec: Codec
    started: int
    prefix: bytes

    @classmethod
    def new(cls, content: bytes, codec: Codec, started: int) -> "Header":
        """With a nonce prefix of its own."""
        return cls(content, codec, started, primitives.random(7))

    def encode(self) -> bytes:
        if len(self.content) != CONTENT:
            raise FileRefused(Fault.HEADER)
        fields = (MAGIC, VERSION, self.codec, self.started, self.content, self.prefix)
        return HEADER.pack(*fields)

    @classmethod
    def decode(cls, data: Bytes) -> "Header":
        if len(data) < HEADER.size:
            raise FileRefused(Fault.HEADER)
        magic, version, codec, started, content, prefix = HEADER.unpack_from(data)
        if (magic, version) != (MAGIC, VERSION) or codec not in list(Codec):
            raise FileRefused(Fault.HEADER)
        return cls(content, Codec(codec), started, prefix)


class Sealer:
    """Makes a file, segment by segment; needs the key and nothing that could open others."""

    def __init__(self, key: bytearray, header: Header) -> None:
        self._key, self._header = key, header
        self.head = header.encode()
        self._number = 0
        self._octets = self._milliseconds = 0

    def segment(self, audio: Bytes, milliseconds: int, *, last: bool = False) -> bytes:
        """The next octets of the file. The audio is not kept."""
        if len(audio) > MAX_AUDIO or self._number >= MAX_SEGMENTS:
            raise FileRefused(Fault.LENGTH)
        self._octets += len(audio)
        self._milliseconds += milliseconds
        plain = bytearray(audio)
        if last:
            plain += TRAILER.pack(self._octets, self._milliseconds)
        try:
            sealed = primitives.seal_segment(
                self._key, self._header.prefix, self._number, last, plain, self.head
            )
        finally:
            primitives.wipe(plain)
        label = _label(self._header, self._number, last, len(sealed))
        self._number += 1
        return label + sealed

    def forget(self) -> None:
        """The key is gone; nothing can be added."""
        primitives.wipe(self._key)


def _label(header: Header, number: int, last: bool, length: int) -> bytes:
    return LABEL.pack(length, number | (LAST if last else 0), header.content[:8])


# -- without the key: counting what is there


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be known of a file without its key; recovery states it, the key confirms it."""

    header: Header
    segments: int
    digest: bytes
    size: int
    """Octets of header and whole segments: recovery cuts off what a crash tore behind them."""
    is_complete: bool
    octets: int
    """Of audio."""

    @property
    def milliseconds(self) -> int:
        per_ms = self.header.codec.octets_per_ms
        return self.octets // per_ms if per_ms else self.segments * SEGMENT_MS


def inspect(data: Bytes) -> Facts:
    """Counts whole segments in their order and hashes them; stops at the first that is not."""
    header = Header.decode(data)
    running = hashlib.sha256(data[: HEADER.size])
    place, number, octets, is_complete = HEADER.size, 0, 0, False
    while not is_complete and place + LABEL.size <= len(data):
        length, numbered, tag = LABEL.unpack_from(data, place)
        end = place + LABEL.size + length
        is_complete = numbered == number | LAST
        overhead = primitives.TAG + (TRAILER.size if is_complete else 0)
        fits = overhead <= length <= MAX_SEALED and end <= len(data)
        if not fits or tag != header.content[:8] or numbered & ~LAST != number:
            is_complete = False
            break
        running.update(data[place:end])
        place, number, octets = end, number + 1, octets + length - overhead
    return Facts(header, number, running.digest(), place, is_complete, octets)


# -- with the key


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a segment is, and what its label says of it."""

    sealed: slice
    number: int
    last: bool
    tag: bytes


class SealedFile:
    """A file that has been found to be what its ledger row says; segments open one by one."""

    def __init__(
        self, data: Bytes, key: bytearray, content: bytes, told: Whole | Interrupted
    ) -> None:
        self._data, self._key = memoryview(data), key
        self.header = Header.decode(data)
        if self.header.content != content:
            raise FileRefused(Fault.HEADER)
        self._head = bytes(self._data[: HEADER.size])
        missing = Fault.TRUNCATED if isinstance(told, Whole) else Fault.UNFINISHED
        self._segments = tuple(_segments(self._data, missing))
        self.milliseconds = self._check(told, missing)

    def __len__(self) -> int:
        return len(self._segments)

    def open(self, number: int, space: bytearray) -> int:
        """Audio of one segment into a space of MAX_SEALED octets, which the caller wipes."""
        segment = self._segments[number]
        size = self._open(number, segment.last, segment.sealed, space)
        return size - TRAILER.size if segment.last else size

    def forget(self) -> None:
        """The key is gone."""
        primitives.wipe(self._key)

    def _check(self, told: Whole | Interrupted, missing: Fault) -> int:
        """Opens all in their order and keeps none; returns the length in milliseconds."""
        octets, trailer, space = 0, b"", bytearray(MAX_SEALED)
        try:
            for number, segment in enumerate(self._segments):
                size = self._verified(number, segment, space)
                if segment.last:
                    size -= TRAILER.size
                    trailer = bytes(space[size : size + TRAILER.size])
                octets += size
        finally:
            primitives.wipe(space)
        if bool(trailer) != isinstance(told, Whole):
            raise FileRefused(missing)
        if isinstance(told, Interrupted) and told.segments != len(self):
            raise FileRefused(missing)
        stated, milliseconds = (
            TRAILER.unpack(trailer) if trailer else (octets, SEGMENT_MS * len(self))
        )
        if stated != octets:
            raise FileRefused(Fault.LENGTH)
        if not primitives.equal(hashlib.sha256(self._data).digest(), told.digest):
            raise FileRefused(Fault.DIGEST)
        return int(milliseconds)

    def _verified(self, number: int, segment: Segment, space: bytearray) -> int:
        try:
            size = self._open(number, segment.last, segment.sealed, space)
        except OpenError:
            raise FileRefused(self._diagnosis(segment, space)) from None
        if (segment.number, segment.tag) != (number, self.header.content[:8]):
            raise FileRefused(Fault.ALTERED)
        if segment.last and size < TRAILER.size:
            raise FileRefused(Fault.LENGTH)
        return size

    def _diagnosis(self, segment: Segment, space: bytearray) -> Fault:
        """Why a segment does not open where it stands."""
        if segment.tag != self.header.content[:8]:
            return Fault.SPLICED
        try:
            self._open(segment.number, segment.last, segment.sealed, space)
        except OpenError:
            return Fault.ALTERED
        return Fault.REORDERED

    def _open(self, number: int, last: bool, sealed: slice, space: bytearray) -> int:
        data, prefix = self._data[sealed], self.header.prefix
        return primitives.open_segment_into(
            self._key, prefix, number, last, data, self._head, space
        )


def _segments(data: memoryview, missing: Fault) -> Iterator[Segment]:
    """As the labels cut the file: what they claim is checked when a segment is opened."""
    place, last = HEADER.size, False
    while place < len(data):
        if last:
            raise FileRefused(Fault.ALTERED)
        if place + LABEL.size > len(data):
            raise FileRefused(missing)
        length, numbered, tag = LABEL.unpack_from(data, place)
        start = place + LABEL.size
        place, last = start + length, bool(numbered & LAST)
        if not primitives.TAG <= length <= MAX_SEALED:
            raise FileRefused(Fault.ALTERED)
        if place > len(data):
            raise FileRefused(missing)
        yield Segment(slice(start, place), numbered & ~LAST, last, tag)
