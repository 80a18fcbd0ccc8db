"""storage/keyholder/factors.py"""

import asyncio
import time

import pytest

from storage.keyholder import factors
from storage.keyholder.factors import Stretcher, WeakSecret, common_passwords
from storage.sealed.primitives import Argon2, hotp
from tests.support.keyholder import CHEAP, text

SECRET = b"12345678901234567890"


async def test_a_stretched_secret_matches_itself_alone() -> None:
    stretcher = Stretcher(CHEAP)
    stored = await stretcher.stretch(text("right"))

    assert await stretcher.matches(text("right"), stored)
    assert not await stretcher.matches(text("wrong"), stored)
    assert not await stretcher.matches(text("right"), None)
    stretcher.close()


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 1), (3, 2), (16, 2)])
def test_a_flood_of_log_ins_leaves_a_core_free(
    monkeypatch: pytest.MonkeyPatch, cores: int, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))

    assert factors.at_once() == expected


async def test_the_event_loop_goes_on_while_a_password_is_stretched() -> None:
    stretcher = Stretcher(Argon2(passes=4, kibibytes=131_072))
    work = asyncio.ensure_future(stretcher.stretch(text("slow")))
    turns, longest, last = 0, 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
        now = time.perf_counter()
        longest, last = max(longest, now - last), now

    await work
    stretcher.close()
    assert turns > 100


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short", "12 to 256"),
        ("x" * 257, "12 to 256"),
        ("aaaabbbbcccc", "too few different"),
        ("my-name-is-annlee!", "log-in name"),
        ("password123!", "commonest"),
        ("passwordpassword", "commonest"),
        ("qwertyuiop1234", "commonest"),
    ],
)
def test_a_weak_password_is_refused_by_a_rule(password: str, rule: str) -> None:
    with pytest.raises(WeakSecret, match=rule):
        factors.check_new_password(text(password), "AnnLee")


def test_the_packaged_list_names_common_passwords_and_no_remark() -> None:
    common_passwords.cache_clear()

    found = common_passwords()

    assert {"123456", "password"} <= found
    assert not any(line.startswith("#") for line in found)


def test_a_password_that_is_no_text_is_refused() -> None:
    with pytest.raises(WeakSecret, match="text"):
        factors.check_new_password(bytearray(b"\xff" * 12), "ann")


@pytest.mark.parametrize("password", ["correct horse battery", "zażółć gęślą jaźń", "9f#kLw2!vQx8"])
def test_a_good_password_needs_no_composition(password: str) -> None:
    factors.check_new_password(text(password), "ann")


@pytest.mark.parametrize(
    ("pin", "rule"),
    [
        ("12345", "6 to 12"),
        ("1234567890123", "6 to 12"),
        ("12a456", "6 to 12"),
        ("²²²²²²", "6 to 12"),
        ("111111", "repeats"),
        ("121212", "repeats"),
        ("485485", "repeats"),
        ("456789", "counts"),
        ("987654", "counts"),
        ("890123", "counts"),
        ("147258", "keypad"),
        ("104295", "extension"),
        ("251283", "date"),
        ("831225", "date"),
        ("19831225", "date"),
        ("25121983", "date"),
        ("112233", "repeats"),
        ("998877", "repeats"),
        ("111222333", "repeats"),
        ("122221", "repeats"),
        ("135791", "counts"),
        ("975319", "counts"),
        ("0369258", "counts"),
        ("912345", "counts"),
        ("7654301", "counts"),
        ("123654", "keypad"),
        ("852741", "keypad"),
        ("963852", "keypad|date|counts"),
        ("240195", "extension|date"),
        ("862401", "extension"),
        ("198507", "date"),
        ("071985", "date"),
        ("5121985", "date"),
        ("1251985", "date"),
        ("12251983", "date"),
    ],
)
def test_a_weak_pin_is_refused_by_a_rule(pin: str, rule: str) -> None:
    with pytest.raises(WeakSecret, match=rule):
        factors.check_new_pin(text(pin), ("1042", ""))


@pytest.mark.parametrize(
    "pin", ["739460", "5073916", "9981985", "83917460", "19839960", "198599", "730518264", "739154"]
)
def test_a_good_pin_is_taken(pin: str) -> None:
    factors.check_new_pin(text(pin), ("1042",))


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_code_is_taken_from_its_step_and_the_neighbours_once(offset: int) -> None:
    wall, step = 1_000 * 30 * 1_000_000, 1_000 + offset
    code = text(hotp(SECRET, step))

    assert factors.accepted_step(SECRET, code, 0, wall) == step
    assert factors.accepted_step(SECRET, code, step, wall) is None


def test_a_code_of_another_time_is_wrong() -> None:
    for step in (997, 998, 1002):
        code = text(hotp(SECRET, step))
        assert factors.accepted_step(SECRET, code, 0, 1_000 * 30 * 1_000_000) is None


def test_codes_are_random_and_found_however_they_are_typed() -> None:
    codes = {factors.one_time_code(10) for _ in range(100)}

    assert len(codes) == 100
    assert all(len(code) == 10 for code in codes)
    typed = factors.code_hash(b"k" * 32, "recovery", b"abc-def 234")
    assert typed == factors.code_hash(b"k" * 32, "recovery", bytearray(b"ABCDEF234"))
    assert typed != factors.code_hash(b"k" * 32, "enrolment", b"ABCDEF234")


def test_the_uri_carries_the_secret_in_base32() -> None:
    uri = factors.totp_uri(SECRET, "ann")

    assert uri == (
        "otpauth://totp/hipaa-pbx:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=hipaa-pbx"
    )
