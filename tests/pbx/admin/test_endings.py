"""How access ends: by a colleague's word, by date, by disuse; and that nothing is left behind."""

import asyncio
import time

import pytest

from pbx.access.policy import DAY
from pbx.access.roles import Role
from pbx.admin import endings
from pbx.admin.enders import Enders
from pbx.admin.lifecycle import Lifecycle
from storage.identifiers import new_id
from storage.keyholder import protocol
from storage.keyholder.edges import REQUESTS, Edge, Place
from tests.support import privileges
from tests.support.clinic import Clinic, Member


async def three_terminals(clinic: Clinic, who: Member) -> list[str]:
    tokens = []
    for _ in range(3):
        await clinic.sign_in(who)
        tokens.append(who.token)
    return tokens


async def statuses(clinic: Clinic, tokens: list[str]) -> list[int]:
    return [(await clinic.ask(token, "GET", "/v1/session")).status_code for token in tokens]


async def everything_of(clinic: Clinic) -> Member:
    """A member with a role, a number and three terminals."""
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    await privileges.extension(clinic, anna)
    return anna


async def test_leaving_ends_everything_within_five_seconds(clinic: Clinic) -> None:
    anna = await everything_of(clinic)
    tokens = await three_terminals(clinic, anna)
    assert await statuses(clinic, tokens) == [200, 200, 200]
    root = await clinic.present(clinic.members["root"])

    started = time.monotonic()
    answer = await clinic.do(root, "POST", "/v1/people/anna/departure")
    after = await statuses(clinic, tokens)

    assert time.monotonic() - started < 5
    assert answer["milliseconds"] < 5000
    assert after == [401, 401, 401]
    counts = {ended["kind"]: ended["count"] for ended in answer["ended"]}
    assert counts["command-line sessions"] == 4  # three terminals, and the enrolment's own
    assert (counts["role grants"], counts["extensions"]) == (1, 1)
    assert all(ended["complete"] for ended in answer["ended"])
    assert (await clinic.try_sign_in(anna)).status_code == 403
    [person] = [p for p in await clinic.plane.keyholder.people() if p.id == anna.id]
    assert (person.state, person.enrolled, person.grants) == ("left", False, ())
    boxes = await clinic.plane.keyholder.mailboxes()
    assert [box.closed for box in boxes if box.owner == anna.id] != [None]


async def test_a_suspended_person_is_out_at_once_and_comes_back_by_two_people(
    clinic: Clinic,
) -> None:
    from storage.keyholder import acts

    anna = await everything_of(clinic)
    tokens = await three_terminals(clinic, anna)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)

    await clinic.do(root, "POST", "/v1/people/anna/suspension")
    assert await statuses(clinic, tokens) == [401, 401, 401]
    assert (await clinic.try_sign_in(anna)).status_code == 403

    proof = await clinic.proof(root, acts.Reinstate(anna.id))
    waiting = await clinic.do(root, "POST", "/v1/people/anna/resumption", {"proof": proof})
    assert (await clinic.try_sign_in(anna)).status_code == 403
    await clinic.approve(await clinic.present(manager), waiting)
    assert (await clinic.try_sign_in(anna)).is_success


async def test_the_last_administrator_cannot_go(clinic: Clinic) -> None:
    await clinic.staffed()
    manager = await clinic.present(clinic.members["manager"])

    for verb in ("departure", "suspension"):
        response = await clinic.ask(manager, "POST", f"/v1/people/root/{verb}")
        assert response.status_code == 403
        assert "last system administrator" in response.json()["error"]


async def test_a_contractor_ends_with_the_date(clinic: Clinic) -> None:
    root = await clinic.found()
    jo = await clinic.hire("jo", root, "contractor", clinic.now + DAY)
    await clinic.enrol(jo, root)
    clinic.pass_(86_400 - 600)
    await clinic.sign_in(jo)
    await clinic.lifecycle.tick()
    assert await statuses(clinic, [jo.token]) == [200]

    clinic.pass_(600)
    await clinic.lifecycle.tick()

    assert await statuses(clinic, [jo.token]) == [401]
    await clinic.sign_in(root)
    shown = await clinic.do(root, "GET", "/v1/people/jo")
    assert shown["state"] == "left"
    ended = [row for row in await clinic.rows() if row.action == "person.left"]
    assert [(row.actor_kind, row.outcome) for row in ended] == [("system", "done")]


async def test_the_running_lifecycle_ends_a_student_with_nobody_looking(clinic: Clinic) -> None:
    root = await clinic.found()
    student = await clinic.hire("student", root, "student", clinic.now + DAY)
    await clinic.enrol(student, root)
    clinic.pass_(86_400)
    running = asyncio.create_task(Lifecycle(clinic.plane, every_seconds=0.01).run())

    async with asyncio.timeout(30):
        while await state_of(clinic, student) != ("left", False):
            assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    ended = [row for row in await clinic.rows() if row.action == "person.left"]
    assert [(row.actor_kind, row.outcome) for row in ended] == [("system", "done")]


async def state_of(clinic: Clinic, who: Member) -> tuple[str, bool]:
    """As the key holder has it: standing, and whether there are factors."""
    [person] = [p for p in await clinic.plane.keyholder.people() if p.id == who.id]
    return person.state, person.enrolled


async def test_roles_that_one_person_granted_alone_are_counted_in_the_status(
    clinic: Clinic,
) -> None:
    clinic.context.sections["access"] = clinic.plane.section
    await clinic.staffed()
    await clinic.with_role("desk", Role.FRONT_DESK)

    await clinic.lifecycle.tick()

    status = await clinic.do(None, "GET", "/v1/status")
    assert status["sections"]["access"] == {"roles granted by one person alone": 2}


async def test_an_end_date_holds_even_before_the_sweep(clinic: Clinic) -> None:
    root = await clinic.found()
    jo = await clinic.hire("jo", root, "locum", clinic.now + 3600 * 1_000_000)
    await clinic.enrol(jo, root)
    clinic.pass_(3000)
    await clinic.sign_in(jo)
    clinic.pass_(600)

    assert await statuses(clinic, [jo.token]) == [401]
    assert (await clinic.try_sign_in(jo)).status_code == 403


async def test_unused_accounts_are_suspended_after_thirty_five_days_but_not_the_last_administrator(
    clinic: Clinic,
) -> None:
    root = await clinic.found()
    await clinic.hire("anna", root)
    clinic.pass_(34 * 86_400)
    await clinic.lifecycle.tick()
    await clinic.sign_in(root)
    assert (await clinic.do(root, "GET", "/v1/people/anna"))["state"] == "active"

    clinic.pass_(2 * 86_400)
    await clinic.lifecycle.tick()
    clinic.pass_(36 * 86_400)
    await clinic.lifecycle.tick()

    await clinic.sign_in(root)
    assert (await clinic.do(root, "GET", "/v1/people/anna"))["state"] == "suspended"


async def test_a_temporary_holder_gives_way_to_the_former_one_and_their_mailbox(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    number = await privileges.extension(clinic, anna)
    root = await clinic.present(clinic.members["root"])
    before = (await clinic.do(root, "GET", f"/v1/extensions/{number}"))["tenure"]
    locum = await clinic.hire("locum", root, "locum", clinic.now + DAY)
    answer = await privileges.assign(clinic, root, number, locum, 2, clinic.now + DAY // 2)
    assert answer.is_success, answer.text

    clinic.pass_(86_400 // 2)
    await clinic.lifecycle.tick()

    await clinic.sign_in(root)
    after = (await clinic.do(root, "GET", f"/v1/extensions/{number}"))["tenure"]
    assert (after["id"], after["mailbox"]) == (before["id"], before["mailbox"])
    boxes = {box.id: box.closed for box in await clinic.plane.keyholder.mailboxes()}
    assert sum(closed is None for closed in boxes.values()) == 1


async def test_exceptions_grants_and_temporary_policies_end_by_themselves(clinic: Clinic) -> None:
    from pbx.admin.policies import step_up

    root = await clinic.found()
    _, answer = await privileges.excepted(clinic, root)
    assert answer.is_success
    name, until = "session-limit", clinic.now + DAY
    proof = await clinic.proof(root, step_up(name, 0, 2, until))
    body = {"version": 0, "value": 2, "until": until, "proof": proof}
    await clinic.do(root, "PUT", f"/v1/policies/{name}", body)

    clinic.pass_(86_500)
    await clinic.lifecycle.tick()

    await clinic.sign_in(root)
    assert await clinic.do(root, "GET", "/v1/exceptions") == []
    [shown] = [p for p in await clinic.do(root, "GET", "/v1/policies") if p["name"] == name]
    assert (shown["value"], shown["until"]) == (5, None)


async def test_a_revocation_waits_for_a_key_holder_that_is_away(clinic: Clinic) -> None:
    anna = await everything_of(clinic)
    await clinic.present(clinic.members["root"])
    away = clinic.layout.keyholder_exchange_socket
    await clinic.edge.stop()
    await clinic.plane.keyholder.close()

    departed = await endings.leave(clinic.plane, clinic.plane.deed(), anna.id, "asked")
    assert not all(ended.complete for ended in departed.ended)
    assert await statuses(clinic, [anna.token]) == [401]
    await clinic.lifecycle.tick()

    clinic.edge = Edge(
        Place(away, clinic.edge_place.peers), REQUESTS[protocol.Edge.EXCHANGE], clinic.answer
    )
    await clinic.edge.start()
    await clinic.lifecycle.tick()

    [person] = [p for p in await clinic.plane.keyholder.people() if p.id == anna.id]
    assert person.state == "left"
    assert not clinic.plane.is_behind


async def test_a_part_that_fails_or_hangs_keeps_no_other_part_alive(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx.admin.enders.ENDER_SECONDS", 0.05)
    enders, ended = Enders(), []

    async def fails(_person: object) -> int:
        raise ValueError

    async def hangs(_person: object) -> int:
        await asyncio.Event().wait()
        return 0

    async def works(person: object) -> int:
        ended.append(person)
        return 3

    for kind, ender in (("flows", fails), ("calls", hangs), ("mailboxes", works)):
        enders.register(kind, ender)
    person = new_id(lambda: clinic.now)

    found = await enders.end_all(person)

    assert [(e.kind, e.count, e.complete) for e in found] == [
        ("flows", 0, False),
        ("calls", 0, False),
        ("mailboxes", 3, True),
    ]
    assert ended == [person]
    assert enders.kinds == ("flows", "calls", "mailboxes")
