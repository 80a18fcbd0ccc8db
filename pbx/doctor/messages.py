"""What is stored of messages opens with nothing that the exchange has; guessing a PIN gets nowhere.

Everything is tried as the exchange's own account, where this command may become it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.paths import Layout
from pbx.processes.accounts import Accounts
from storage.identifiers import system_clock
from storage.keyholder import acts
from storage.keyholder.client import (
    InvalidRequest,
    KeyHolder,
    KeyHolderError,
    KeyHolderUnavailable,
    Refused,
)
from storage.keyholder.journal import Event, parse_record
from storage.keyholder.proofs import seal_proof
from storage.keyholder.protocol import Evidence, Origin, Proof, Protected
from storage.keyholder.signing import BadKey, Pin
from storage.sealed.file import FileRefused, Interrupted, SealedFile, Whole, inspect
from storage.sealed.greetings import greeting_key
from storage.sealed.primitives import SealedError

MOST_FILES = 200
GUESSES = 12
SOUNDS = (b"RIFF", b"WAVEfmt ", b"OggS", b".snd")


def findings(layout: Layout, owners: Accounts | None) -> Iterator[Finding]:
    yield judged(
        "stored messages open with nothing the exchange has",
        partial(_as_exchange, owners, partial(opened_by_nothing, layout)),
    )
    yield judged(
        "the exchange's account cannot read the key store",
        partial(_as_exchange, owners, partial(kept_out, layout.keys)),
    )
    yield judged(
        "a PIN cannot be guessed",
        partial(_as_exchange, owners, partial(guesses_refused, layout)),
    )


def opened_by_nothing(layout: Layout) -> str:
    """Every key of the exchange is tried on every sealed file; greetings are its own."""
    keys = [
        key
        for path in sorted(layout.credentials.rglob("*.key"))
        if len(key := path.read_bytes()) == 32
    ]
    files = sorted(layout.message_spool.glob("*.sealed"))[:MOST_FILES]
    greetings = 0
    for path in files:
        data = path.read_bytes()
        if any(sound in data for sound in SOUNDS):
            raise Broken(f"{path.name} holds sound in clear")
        if any(_opens(data, bytearray(key)) for key in keys):
            raise Broken(f"{path.name} opens with a key of the exchange")
        greetings += any(
            _opens(data, bytearray(greeting_key(key, bytes.fromhex(path.stem)))) for key in keys
        )
    if not keys:
        raise CannotTell("there are no keys to try")
    return f"{len(files) - greetings} messages and {greetings} greetings, {len(keys)} keys tried"


def _opens(data: bytes, key: bytearray) -> bool:
    try:
        facts = inspect(data)
        told = (
            Whole(facts.digest) if facts.is_complete else Interrupted(facts.segments, facts.digest)
        )
        SealedFile(data, key, facts.header.content, told)
    except (FileRefused, SealedError):
        return False
    return True


def kept_out(keys: Path) -> str:
    try:
        found = os.listdir(keys)
    except PermissionError:
        return "permission denied"
    raise Broken(f"{len(found)} files of the key store can be listed")


def guesses_refused(layout: Layout) -> str:
    """At a canary that has no PIN, so that nobody is locked out by this; each guess from another
    phone, so that what stops them is the lock of the person and not of a phone."""
    return asyncio.run(_guess(layout, uuid4()))


async def _guess(layout: Layout, canary: UUID) -> str:
    keyholder = KeyHolder(layout.keyholder_exchange_socket, deadline=10)
    try:
        pin = Pin.read(layout.keyholder_pin).signing_key
        since = (await keyholder.ping()).journal
        for number in range(GUESSES):
            await _one_guess(keyholder, pin, canary, number)
        return await _locked(keyholder, canary, since)
    except (KeyHolderUnavailable, OSError):
        raise CannotTell("the key holder does not answer this account") from None
    except (BadKey, KeyHolderError):
        raise CannotTell("the key holder's pin file is missing") from None
    finally:
        await keyholder.close()


async def _one_guess(keyholder: KeyHolder, pin: bytes, canary: UUID, number: int) -> None:
    act = acts.PhoneLogIn(canary)
    typed = Protected(pin=bytearray(f"{700_001 + 7 * number}".encode()))
    sealed, asker = seal_proof(pin, await keyholder.challenge(), act, typed, now=system_clock())
    asker.forget()
    origin = Origin(f"doctor {uuid4()}", "doctor")
    try:
        await keyholder.perform(act, Proof(sealed, origin, b""), Evidence(uuid4()))
    except (Refused, InvalidRequest):
        return
    raise Broken(f"guess {number + 1} was accepted")


async def _locked(keyholder: KeyHolder, canary: UUID, since: int) -> str:
    """The lock-out itself, as the key holder's journal has it."""
    wrong = 0
    for record in (await keyholder.journal(since + 1)).entries:
        entry = parse_record(record)[0]
        wrong += entry.person == canary
        if entry.person == canary and entry.event is Event.LOCKED:
            return f"{GUESSES} guesses at a canary from as many phones, locked out at the {wrong}th"
    raise Broken(f"{GUESSES} guesses at a canary from as many phones, and it was never locked")


def _as_exchange(owners: Accounts | None, check: Callable[[], str]) -> str:
    with _account(owners):
        return check()


@contextmanager
def _account(owners: Accounts | None) -> Iterator[None]:
    """The effective account is the exchange's, as far as this process may become it."""
    if owners is None or os.geteuid() != 0 or owners.is_single:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    exchange = owners.exchange
    try:
        os.setgroups(os.getgrouplist(exchange.name, exchange.gid))
        os.setegid(exchange.gid)
        os.seteuid(exchange.uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
