"""What people prove themselves with: passwords, PINs, time-based codes, one-time codes.

Rules are no secret and say what is wrong; whether a secret is right is answered yes or no.
argon2id runs in threads of its own, never on the event loop.
"""

import asyncio
import base64
import itertools
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files

from storage.keyholder.clock import SECOND
from storage.keyholder.records import Stretched
from storage.sealed import primitives
from storage.sealed.primitives import Argon2

STEP = 30
_ALPHABET = b"ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""30 letters and digits that cannot be mistaken for one another: 4.9 bits each."""
RECOVERY_CODES = 10


class WeakSecret(Exception):
    """Names the rule a new password or PIN breaks."""


class Stretcher:
    """argon2id off the event loop, and not on all cores: a flood of log-ins leaves one free."""

    def __init__(self, cost: Argon2) -> None:
        self.cost = cost
        self._threads = ThreadPoolExecutor(at_once(), thread_name_prefix="keyholder-argon2")

    async def stretch(self, secret: bytearray) -> Stretched:
        salt = primitives.random(16)
        hashed = await self._run(secret, salt, self.cost)
        return Stretched(salt, hashed, self.cost.passes, self.cost.kibibytes, self.cost.lanes)

    async def matches(self, secret: bytearray, stored: Stretched | None) -> bool:
        """Takes the same time when there is nothing to compare with."""
        if stored is None:
            await self._run(secret, bytes(16), self.cost)
            return False
        cost = Argon2(stored.passes, stored.kibibytes, stored.lanes)
        return primitives.equal(await self._run(secret, stored.salt, cost), stored.hash)

    async def _run(self, secret: bytearray, salt: bytes, cost: Argon2) -> bytes:
        loop = asyncio.get_running_loop()
        work: Callable[[], bytes] = lambda: primitives.stretch(secret, salt, cost)  # noqa: E731
        return await loop.run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown()


def at_once() -> int:
    """How many are stretched at a time: two, or one where there are no more than two cores."""
    return 2 if len(os.sched_getaffinity(0)) > 2 else 1


def check_new_password(password: bytearray, login: str) -> None:
    """NIST SP 800-63B §3.1.1.2: length and a list of common ones; no composition rules."""
    try:
        text = password.decode()
    except UnicodeDecodeError:
        raise WeakSecret("password: not text") from None
    if not 12 <= len(text) <= 256:
        raise WeakSecret("password: 12 to 256 characters")
    plain = text.casefold()
    if len(set(plain)) < 5:
        raise WeakSecret("password: too few different characters")
    if login.casefold() in plain:
        raise WeakSecret("password: contains the log-in name")
    if plain in common_passwords() or _stem(plain) in common_passwords():
        raise WeakSecret("password: one of the commonest, or one with digits added")


def _stem(plain: str) -> str:
    """Without what people add to a common word: digits and punctuation around it."""
    stem = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)
    half = stem[: len(stem) // 2]
    return half if half and half * 2 == stem else stem


@cache
def common_passwords() -> frozenset[str]:
    text = files("storage.keyholder").joinpath("common-passwords.txt").read_text()
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def check_new_pin(pin: bytearray, extensions: tuple[str, ...]) -> None:
    """6 to 12 digits that are not what people try first."""
    text = pin.decode(errors="replace")
    if not (text.isascii() and text.isdigit() and 6 <= len(text) <= 12):
        raise WeakSecret("PIN: 6 to 12 digits")
    if len(set(text)) < 3 or re.fullmatch(r"(\d+?)\1+", text) or _is_doubled(text):
        raise WeakSecret("PIN: repeats itself")
    if _counts(text):
        raise WeakSecret("PIN: counts up or down")
    if text in _KEYPAD or text[::-1] in _KEYPAD:
        raise WeakSecret("PIN: a pattern of the keypad")
    if any(_resembles(text, number) for number in extensions if number):
        raise WeakSecret("PIN: resembles the extension")
    if _is_date(text):
        raise WeakSecret("PIN: resembles a date")


_KEYPAD = frozenset(
    ("147258", "258369", "147369", "159357", "147258369", "123654", "789456", "456123",
     "321456", "987456", "142536", "748596", "159753", "147896", "258741")
)  # fmt: skip


def _is_doubled(text: str) -> bool:
    """112233, 111222: each digit twice or more at a stretch; or few, the same read backwards."""
    runs = [len(list(run)) for _, run in itertools.groupby(text)]
    return min(runs) >= 2 or (text == text[::-1] and len(set(text)) <= 3)


def _counts(text: str) -> bool:
    """By the same step throughout (135791, 012345, 9876543), or five digits in a row of it."""
    steps = [(int(b) - int(a)) % 10 for a, b in itertools.pairwise(text)]
    runs = [(step, len(list(run))) for step, run in itertools.groupby(steps)]
    return len(runs) == 1 or any(step in (1, 9) and length >= 4 for step, length in runs)


def _resembles(text: str, number: str) -> bool:
    return any(one in text or text in one for one in (number, number[::-1]))


def _is_date(text: str) -> bool:
    """A day with or without its year, in the orders that people write them; a month of a year."""
    pairs: list[tuple[str, str]] = []
    if len(text) == 8:
        years = [(text[:4], text[4:6], text[6:]), (text[4:], text[:2], text[2:4])]
        pairs = [(a, b) for year, a, b in years if _is_year(year)]
    elif len(text) == 7 and _is_year(text[3:]):
        pairs = [(text[0], text[1:3]), (text[:2], text[2])]
    elif len(text) == 6:
        months = [(text[:4], text[4:]), (text[2:], text[:2])]
        pairs = [(text[:2], text[2:4]), (text[2:4], text[4:])]
        pairs += [(month, "1") for year, month in months if _is_year(year)]
    ordered = [pair for a, b in pairs for pair in ((int(a), int(b)), (int(b), int(a)))]
    return any(1 <= day <= 31 and 1 <= month <= 12 for day, month in ordered)


def _is_year(text: str) -> bool:
    return 1900 <= int(text) <= 2099


def accepted_step(secret: bytes, code: bytearray, last: int, wall: int) -> int | None:
    """The time step a code belongs to, if it is of now or a neighbour and was not used before."""
    now = wall // SECOND // STEP
    for step in (now - 1, now, now + 1):
        if step > last and primitives.equal(primitives.hotp(secret, step).encode(), code):
            return step
    return None


def totp_uri(secret: bytes, login: str, issuer: str = "hipaa-pbx") -> str:
    """As authenticator apps take it from a QR code."""
    return f"otpauth://totp/{issuer}:{login}?secret={base32(secret)}&issuer={issuer}"


def base32(secret: bytes) -> str:
    return base64.b32encode(secret).decode().rstrip("=")


def one_time_code(length: int) -> str:
    """49 bits for ten characters; bytes above 240 are drawn again, so that none is favoured."""
    letters = bytearray()
    while len(letters) < length:
        letters += bytes(_ALPHABET[b % 30] for b in primitives.random(length) if b < 240)
    return letters[:length].decode()


def code_hash(key: primitives.Bytes, purpose: str, code: bytes | bytearray) -> bytes:
    """A keyed hash is enough: the codes are random. Case, dashes and blanks do not matter."""
    plain = bytes(code).upper().replace(b"-", b"").replace(b" ", b"")
    return primitives.mac(key, f"code {purpose}", plain)
