"""storage/sealed/file.py: known answers, round trips, and every way a file can be wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.sealed import file, primitives
from storage.sealed.file import (
    HEADER,
    LABEL,
    LAST,
    MAX_AUDIO,
    MAX_SEALED,
    SEGMENT_MS,
    Codec,
    Fault,
    FileRefused,
    Header,
    Interrupted,
    SealedFile,
    Sealer,
    Whole,
    inspect,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "sealed_file.json").read_text()
)
CONTENT, OTHER = bytes(range(16)), bytes(range(1, 17))
SECOND = 8000


def key() -> bytearray:
    return bytearray(b"k" * 32)


def audio(number: int, octets: int = SECOND) -> bytes:
    return bytes([number % 251]) * octets


def sealer(content: bytes = CONTENT, secret: bytearray | None = None) -> Sealer:
    return Sealer(secret or key(), Header(content, Codec.PCMU, 1_800_000_000, b"prefix7"))


def pieces(
    seconds: int = 3, *, complete: bool = True, content: bytes = CONTENT, size: int = 40
) -> list[bytes]:
    """Header and segments."""
    made = sealer(content)
    parts = [made.head, *(made.segment(audio(n, size), 5) for n in range(seconds))]
    return [*parts, made.segment(b"end", 1, last=True)] if complete else parts


def whole(data: bytes) -> Whole:
    return Whole(hashlib.sha256(data).digest())


def opened(data: bytes, told: Whole | Interrupted | None = None) -> SealedFile:
    return SealedFile(data, key(), CONTENT, told or whole(data))


def heard(read: SealedFile) -> list[bytes]:
    space = bytearray(MAX_SEALED)
    return [bytes(space[: read.open(number, space)]) for number in range(len(read))]


def fault_of(data: bytes, told: Whole | Interrupted | None = None) -> Fault:
    with pytest.raises(FileRefused) as refused:
        opened(data, told)
    assert str(refused.value) == f"sealed file: {refused.value.fault}"
    return refused.value.fault


# -- what must not change


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_known_answers(vector: dict[str, Any]) -> None:
    content, codec = bytes.fromhex(vector["content"]), Codec[vector["codec"]]
    header = Header(content, codec, vector["started"], bytes.fromhex(vector["prefix"]))
    made = Sealer(bytearray.fromhex(vector["key"]), header)
    data = made.head
    for segment in vector["segments"]:
        octets = bytes.fromhex(segment["audio"])
        data += made.segment(octets, segment["milliseconds"], last=segment["last"])

    assert data.hex() == vector["file"]
    facts = inspect(data)
    assert facts.digest.hex() == vector["digest"] == hashlib.sha256(data).hexdigest()
    last = vector["segments"][-1]["last"]
    told = Whole(facts.digest) if last else Interrupted(facts.segments, facts.digest)
    read = SealedFile(data, bytearray.fromhex(vector["key"]), content, told)
    assert heard(read) == [bytes.fromhex(segment["audio"]) for segment in vector["segments"]]
    assert (read.header, facts.is_complete) == (header, last)


@given(
    st.lists(st.binary(max_size=300), max_size=6),
    st.sampled_from(Codec),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(min_size=16, max_size=16),
    st.booleans(),
)
def test_what_is_sealed_is_opened(
    seconds: list[bytes], codec: Codec, started: int, content: bytes, complete: bool
) -> None:
    header = Header.new(content, codec, started)
    made = Sealer(key(), header)
    data = made.head + b"".join(made.segment(octets, SEGMENT_MS) for octets in seconds)
    if complete:
        data += made.segment(b"tail", 7, last=True)

    facts = inspect(data)
    told = whole(data) if complete else Interrupted(len(seconds), facts.digest)
    read = SealedFile(data, key(), content, told)

    assert heard(read) == [*seconds, *([b"tail"] if complete else [])]
    assert read.milliseconds == SEGMENT_MS * len(seconds) + (7 if complete else 0)
    assert (read.header, facts.header, facts.size) == (header, header, len(data))
    assert facts.octets == sum(map(len, seconds)) + (4 if complete else 0)
    assert (facts.is_complete, facts.segments) == (complete, len(read))


def test_the_key_is_forgotten_when_told() -> None:
    secret, read_with = key(), key()
    made = sealer(secret=secret)
    data = b"".join(pieces())
    read = SealedFile(data, read_with, CONTENT, whole(data))

    made.forget()
    read.forget()

    assert secret == read_with == bytes(32)
    with pytest.raises(primitives.OpenError):
        heard(read)


# -- one error for each way to be wrong


def test_any_flipped_bit_is_refused() -> None:
    data = b"".join(pieces(2))
    told = whole(data)
    met = set()

    for place in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[place // 8] ^= 1 << place % 8
        met.add(fault_of(bytes(wrong), told))

    assert met <= {Fault.HEADER, Fault.ALTERED, Fault.TRUNCATED, Fault.SPLICED}


def test_a_flipped_bit_in_the_audio_is_called_so() -> None:
    data = bytearray(b"".join(pieces()))
    data[HEADER.size + LABEL.size + 3] ^= 1

    assert fault_of(bytes(data), whole(data)) is Fault.ALTERED


def test_truncation_is_called_so_wherever_it_cuts() -> None:
    parts = pieces()
    data, told = b"".join(parts), whole(b"".join(parts))

    for size in range(HEADER.size, len(data)):
        assert fault_of(data[:size], told) is Fault.TRUNCATED
        # also when the digest is made to fit
        assert fault_of(data[:size], whole(data[:size])) is Fault.TRUNCATED


def test_reordering_and_repetition_are_called_so() -> None:
    head, first, second, third, last = pieces()

    for wrong in (
        [head, second, first, third, last],
        [head, first, third, last],
        [head, first, second, second, third, last],
        [head, last],
    ):
        data = b"".join(wrong)
        assert fault_of(data, whole(data)) is Fault.REORDERED
    data = b"".join([head, first, second, third, last, third])
    assert fault_of(data, whole(data)) is Fault.ALTERED


def test_splicing_is_called_so() -> None:
    head, first, _, third, last = pieces()
    foreign = pieces(content=OTHER)[2]
    data = b"".join([head, first, foreign, third, last])

    assert fault_of(data, whole(data)) is Fault.SPLICED
    # labelled as if it belonged here, it is simply not of this file
    number = LABEL.pack(len(foreign) - LABEL.size, 1, CONTENT[:8])
    data = b"".join([head, first, number + foreign[LABEL.size :], third, last])
    assert fault_of(data, whole(data)) is Fault.ALTERED


def test_a_label_that_lies_about_a_sound_segment_is_refused() -> None:
    head, first, second, third, last = pieces()
    length = len(second) - LABEL.size
    for label in (LABEL.pack(length, 7, CONTENT[:8]), LABEL.pack(length, 1, OTHER[:8])):
        data = b"".join([head, first, label + second[LABEL.size :], third, last])
        assert fault_of(data, whole(data)) is Fault.ALTERED
    label = LABEL.pack(length, 1 | LAST, CONTENT[:8])
    data = b"".join([head, first, label + second[LABEL.size :]])
    assert fault_of(data, whole(data)) is Fault.ALTERED


def test_a_header_of_another_file_version_or_codec_is_refused() -> None:
    data = b"".join(pieces())
    for wrong in (
        b"",
        data[:40],
        b"x" + data[1:],
        data[:8] + b"\2" + data[9:],
        data[:9] + b"\x63" + data[10:],
        b"".join(pieces(content=OTHER)),
    ):
        assert fault_of(wrong, whole(wrong)) is Fault.HEADER
    with pytest.raises(FileRefused, match="header"):
        Header(b"short", Codec.PCMU, 0, b"prefix7").encode()


def test_a_length_that_does_not_add_up_is_refused() -> None:
    head, first, *_ = pieces()
    header = Header.decode(head)
    for trailer in (file.TRAILER.pack(41, 5), b"short"):
        sealed = primitives.seal_segment(key(), header.prefix, 1, True, trailer, head)
        data = head + first + LABEL.pack(len(sealed), 1 | LAST, CONTENT[:8]) + sealed
        assert fault_of(data, whole(data)) is Fault.LENGTH
    for length in (15, MAX_SEALED + 1):
        data = head + first + LABEL.pack(length, 1, CONTENT[:8]) + bytes(length)
        assert fault_of(data, whole(data)) is Fault.ALTERED


def test_a_sound_file_that_is_not_the_one_of_the_row_is_refused() -> None:
    """Whoever has the public key can make one: the ledger row's digest tells."""
    data = b"".join(pieces())

    assert fault_of(data, Whole(bytes(32))) is Fault.DIGEST


def test_another_key_opens_nothing() -> None:
    data = b"".join(pieces())
    with pytest.raises(FileRefused, match="altered"):
        SealedFile(data, bytearray(32), CONTENT, whole(data))


def test_an_interrupted_file_opens_only_as_recovery_found_it() -> None:
    parts = pieces(complete=False)
    data = b"".join(parts)
    found = inspect(data)

    assert len(heard(opened(data, Interrupted(3, found.digest)))) == 3
    assert fault_of(data, whole(data)) is Fault.TRUNCATED
    assert fault_of(data, Interrupted(3, bytes(32))) is Fault.DIGEST
    for count in (2, 4):
        assert fault_of(data, Interrupted(count, found.digest)) is Fault.UNFINISHED
    cut = b"".join(parts[:-1])
    assert fault_of(cut, Interrupted(3, found.digest)) is Fault.UNFINISHED
    assert fault_of(data[:-1], Interrupted(3, found.digest)) is Fault.UNFINISHED
    complete = b"".join(pieces())
    assert fault_of(complete, Interrupted(4, inspect(complete).digest)) is Fault.UNFINISHED
    assert opened(parts[0], Interrupted(0, inspect(parts[0]).digest)).milliseconds == 0


# -- counting without the key


def test_recovery_counts_whole_segments_and_leaves_out_what_a_crash_tore() -> None:
    parts = pieces(complete=False)
    data = b"".join(parts)
    told = inspect(data)
    assert (told.segments, told.is_complete, told.size) == (3, False, len(data))

    torn = parts[1][: LABEL.size + 5]
    for tail in (torn, bytes(500), parts[1], pieces(content=OTHER)[1], b"\0" * LABEL.size):
        found = inspect(data + tail)
        assert (found.segments, found.digest, found.size) == (3, told.digest, len(data))
    short = inspect(data[:-1])
    assert (short.segments, short.size) == (2, len(data) - len(parts[-1]))


def test_a_finished_file_is_known_to_be_complete() -> None:
    data = b"".join(pieces())

    found = inspect(data + b"more")

    assert (found.is_complete, found.segments, found.size) == (True, 4, len(data))
    head, first, *_ = pieces()
    too_short = head + first + LABEL.pack(20, 1 | LAST, CONTENT[:8]) + bytes(20)
    assert (inspect(too_short).segments, inspect(too_short).is_complete) == (1, False)


def test_length_is_known_from_octets_or_from_seconds() -> None:
    for codec, expected in ((Codec.PCMU, 1000), (Codec.G722, 1000), (Codec.L16, 500)):
        made = Sealer(key(), Header.new(CONTENT, codec, 0))
        assert inspect(made.head + made.segment(bytes(8000), SEGMENT_MS)).milliseconds == expected
    made = Sealer(key(), Header.new(CONTENT, Codec.OPUS, 0))
    assert inspect(made.head + made.segment(b"ab", SEGMENT_MS)).milliseconds == SEGMENT_MS


# -- bounds


def test_a_second_and_a_file_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileRefused, match="length"):
        sealer().segment(bytes(MAX_AUDIO + 1), 1000)
    monkeypatch.setattr(file, "MAX_SEGMENTS", 1)
    made = sealer()
    made.segment(b"", 0)
    with pytest.raises(FileRefused, match="length"):
        made.segment(b"", 0)
