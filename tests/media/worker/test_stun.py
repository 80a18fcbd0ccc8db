"""RFC 8489 for an ICE-lite agent; the vectors are those of RFC 5769."""

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.worker import stun
from media.worker.stun import BindingRequest, failure, read, request, success

USER, PASSWORD = "evtj:h6vY", "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
VECTOR = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)


def check(*extra: tuple[int, bytes]) -> bytes:
    return request(TRANSACTION, USER, PASSWORD, (stun.PRIORITY, bytes(4)), *extra)


def test_the_sample_request_of_rfc_5769_is_read() -> None:
    assert read(VECTOR, USER, PASSWORD) == BindingRequest(TRANSACTION, False, True, ())


def test_the_sample_mapped_addresses_of_rfc_5769_are_written() -> None:
    asked = BindingRequest(TRANSACTION, False, False, ())
    four = success(asked, ("192.0.2.1", 32853), PASSWORD)
    six = success(asked, ("2001:db8:1234:5678:11:2233:4455:6677%eth0", 32853), PASSWORD)

    assert bytes.fromhex("002000080001a147e112a643") in four
    assert bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9") in six


def test_what_we_write_ends_with_integrity_and_fingerprint() -> None:
    answer = success(BindingRequest(TRANSACTION, False, False, ()), ("192.0.2.1", 4), PASSWORD)

    assert len(answer) == 20 + struct.unpack("!H", answer[2:4])[0]
    assert answer[:2] == b"\x01\x01" and answer[8:20] == TRANSACTION
    assert answer[-32:-28] == b"\x00\x08\x00\x14" and answer[-8:-4] == b"\x80\x28\x00\x04"
    assert answer[-8:] == stun._fingerprint(answer[:-8])
    assert answer[-32:-8] == stun._integrity(answer[:-32], PASSWORD)


def test_nomination_and_roles_are_told() -> None:
    assert read(check(), USER, PASSWORD) == BindingRequest(TRANSACTION, False, False, ())
    both = check((stun.USE_CANDIDATE, b""), (stun.ICE_CONTROLLED, bytes(8)))
    assert read(both, USER, PASSWORD) == BindingRequest(TRANSACTION, True, True, ())


def test_what_must_be_understood_and_is_not_is_named() -> None:
    found = read(check((0x7F01, b"abc"), (0x8F01, b"optional")), USER, PASSWORD)

    assert found is not None and found.unknown == (0x7F01,)
    assert bytes.fromhex("000a00027f010000") in failure(found, stun.UNKNOWN, PASSWORD)
    conflict = failure(found, stun.ROLE_CONFLICT, PASSWORD)
    assert bytes.fromhex("0009001100000457") + b"Role Conflict" in conflict
    assert b"\x00\x0a" not in conflict[20:22]


@pytest.mark.parametrize(
    ("user", "password"), [("evtj:other", PASSWORD), (USER, PASSWORD + "x"), ("evt", PASSWORD)]
)
def test_another_name_or_password_is_not_answered(user: str, password: str) -> None:
    assert read(check(), USER, PASSWORD) is not None
    assert read(check(), user, password) is None


def _resigned(body: bytes) -> bytes:
    """With a right fingerprint whatever is in it."""
    whole = body + stun._fingerprint(body)
    return stun._with_length(whole, len(whole))


def test_what_is_not_a_signed_request_is_nothing() -> None:
    good = check()
    unsigned = good[:-32]
    late_user = stun._message(0x0001, TRANSACTION, b"", PASSWORD)[:-8]
    late_user += stun._attribute(stun.USERNAME, USER.encode())
    cut = stun.HEAD.pack(1, 0, stun.COOKIE, TRANSACTION) + stun.FIELD.pack(stun.USERNAME, 400)

    for datagram in (
        b"",
        good[:19],
        good[:-1],
        good + b"\0\0\0\0",
        good[:4] + b"\0\0\0\0" + good[8:],
        good[:-1] + bytes([good[-1] ^ 1]),
        stun.HEAD.pack(1, 0, stun.COOKIE, TRANSACTION),
        stun.HEAD.pack(1, 2, stun.COOKIE, TRANSACTION) + b"ab",
        _resigned(unsigned),
        _resigned(late_user),
        _resigned(cut),
        _resigned(good[:2] + good[2:-9] + bytes([good[-9] ^ 1])),
        stun._message(0x0011, TRANSACTION, stun._attribute(6, USER.encode()), PASSWORD),
    ):
        assert read(datagram, USER, PASSWORD) is None


def test_a_second_integrity_counts_for_nothing() -> None:
    good = check()
    doubled = good[:-8] + stun._integrity(good[:-8], "another")
    assert read(_resigned(doubled), USER, PASSWORD) is not None


@given(st.integers(0, 200), st.binary(min_size=0, max_size=200))
@settings(max_examples=200, deadline=None)
def test_garbage_is_refused_without_a_word(place: int, garbage: bytes) -> None:
    assert read(garbage, USER, PASSWORD) is None
    good = check()
    changed = good[:place] + garbage + good[place + len(garbage) :]
    assert changed == good or read(changed, USER, PASSWORD) is None
    assert read(_resigned(os.urandom(20) + garbage), USER, PASSWORD) is None
