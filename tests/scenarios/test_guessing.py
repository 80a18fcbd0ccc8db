"""Guessing somebody's password from fifty connections at once, each as a device of its own.

Stopped at the limit; the right password is refused while locked, whoever else signs in is not held
up, and what lifts the lock is a colleague's act with a row.
"""

import asyncio
import time

import pytest

from pbx.access.roles import Role
from storage.keyholder import acts, protocol
from storage.keyholder.client import KeyHolder, Refused
from storage.keyholder.journal import Event, parse_record
from tests.support.clinic import Clinic, Member

pytestmark = pytest.mark.phoneless

GUESSES = 50


async def guess(clinic: Clinic, who: Member, number: int) -> protocol.Proof:
    secrets = {"password": f"guess {number}", "totp": "000000"}
    sealed, _ = await clinic.prove(None, acts.LogIn(who.login), **secrets)
    return protocol.Proof(sealed, protocol.Origin(f"terminal {number}", f"10.0.0.{number}"))


async def tried(clinic: Clinic, who: Member, proof: protocol.Proof) -> bool:
    """Over a connection of its own, as the exchange would relay a phone or terminal of its own."""
    client = KeyHolder(clinic.layout.keyholder_exchange_socket, deadline=60)
    try:
        await client.perform(acts.LogIn(who.login), proof, protocol.Evidence(clinic.id()))
    except Refused:
        return False
    finally:
        await client.close()
    return True


async def entries(clinic: Clinic, start: int) -> list[str]:
    """Why the key holder refused, in its own words."""
    reasons = []
    while page := (await clinic.plane.keyholder.journal(start)).entries:
        found = [parse_record(record)[0] for record in page]
        start = found[-1].sequence + 1
        reasons += [e.reason for e in found if e.event in (Event.REFUSED, Event.LOCKED)]
    return reasons


async def test_fifty_connections_get_five_guesses_and_hold_up_nobody(clinic: Clinic) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    desk = await clinic.with_role("desk", Role.HELP_DESK)
    root = clinic.members["root"]
    start = (await clinic.plane.keyholder.journal(1)).end + 1

    proofs = [await guess(clinic, anna, number) for number in range(GUESSES)]
    guessing = asyncio.gather(*(tried(clinic, anna, proof) for proof in proofs))
    slowest, answers = 0.0, 0
    while not guessing.done():
        before = time.monotonic()
        answer = await clinic.ask(root, "GET", "/v1/session")
        slowest = max(slowest, time.monotonic() - before)
        assert answer.status_code in (200, 401)
        answers += 1
    assert not any(await guessing)
    print(f"{answers} answers; slowest to somebody else meanwhile: {slowest * 1000:.0f} ms")

    reasons = await entries(clinic, start)
    assert reasons.count("wrong secret") == 5, "the limit, however many ask at once"
    assert set(reasons) == {"wrong secret", "the person is locked"}
    assert answers, "somebody else is answered meanwhile"
    count = await clinic.row_count()
    assert (await clinic.try_sign_in(anna)).status_code == 403, "the right password, while locked"
    assert (await clinic.try_sign_in(root)).is_success

    await clinic.present(desk)
    body = {"proof": await clinic.proof(desk, acts.LiftLock(anna.id))}
    await clinic.do(desk, "POST", "/v1/people/anna/unlocking", body)

    notices = (await clinic.sign_in(anna))["notices"]
    assert "locked" in [notice["kind"] for notice in notices]
    rows = [(row.action, row.outcome) for row in await clinic.rows(after=count)]
    assert ("session.opened", "refused") in rows
    assert ("person.unlocked", "done") in rows
