"""How access ends: by a colleague's word, by date, by disuse; and that nothing is left behind."""

import asyncio
import base64
import time
from uuid import UUID

import httpx
from sqlalchemy import text

from pbx.access.policy import DAY
from pbx.access.roles import Role
from pbx.admin.enders import Enders
from pbx.admin.lifecycle import Lifecycle
from storage.identifiers import new_id
from storage.keyholder import acts, protocol
from storage.keyholder.edges import REQUESTS, Edge
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
    _, device = await privileges.at_a_shared_phone(clinic, anna)
    assert clinic.telephony.signed_in(device) == anna.id
    tokens = await three_terminals(clinic, anna)
    assert await statuses(clinic, tokens) == [200, 200, 200]
    root = await clinic.present(clinic.members["root"])

    started = time.process_time()
    answer = (await privileges.leave(clinic, root, anna)).json()
    after = await statuses(clinic, tokens)

    assert time.process_time() - started < 5, "our own time: what else runs here is no part of it"
    assert answer["milliseconds"] >= 0
    assert after == [401, 401, 401]
    counts = {ended["kind"]: ended["count"] for ended in answer["ended"]}
    assert counts["command-line sessions"] == 4  # three terminals, and the enrolment's own
    assert (counts["role grants"], counts["extensions"]) == (1, 2)
    assert counts["phone log-ins"] == 1
    assert clinic.telephony.signed_in(device) is None
    assert clinic.telephony.keeper.current().holder_of(device) is None
    assert all(ended["complete"] for ended in answer["ended"])
    assert (await clinic.try_sign_in(anna)).status_code == 403
    [person] = [p for p in await clinic.plane.keyholder.people() if p.id == anna.id]
    assert (person.state, person.enrolled, person.grants) == ("left", False, ())
    boxes = await clinic.plane.keyholder.mailboxes()
    assert [box.closed for box in boxes if box.owner == anna.id] != [None]


async def test_a_suspended_person_is_out_at_once_and_comes_back_by_two_people(
    clinic: Clinic,
) -> None:
    anna = await everything_of(clinic)
    tokens = await three_terminals(clinic, anna)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)

    _, device = await privileges.at_a_shared_phone(clinic, anna)
    await clinic.present(root)
    started = time.monotonic()
    assert (await privileges.suspend(clinic, root, anna)).is_success
    assert time.monotonic() - started < 5
    assert clinic.telephony.signed_in(device) is None
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
        response = await clinic.ask(manager, "POST", f"/v1/people/root/{verb}", {"proof": None})
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

    async with asyncio.timeout(60):
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
    assert status["sections"]["access"]["roles granted by one person alone"] == 2


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


async def test_the_last_two_who_approve_for_each_other_are_not_suspended_by_a_long_holiday(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    for _ in range(2):
        clinic.pass_(20 * 86_400)
        await clinic.sign_in(root)
        await clinic.lifecycle.tick()

    await clinic.sign_in(root)
    found = await clinic.do(root, "GET", "/v1/people")

    states = {one["login"]: one["state"] for one in found}
    assert states == {"root": "active", "manager": "active", anna.login: "suspended"}
    await clinic.sign_in(manager)


async def test_the_only_other_approver_goes_once_there_is_a_third(clinic: Clinic) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)
    held = await clinic.do(root, "GET", "/v1/grants", person="manager")
    grant = UUID(held[0]["id"])
    leave, revoke = acts.Leave(manager.id), acts.RevokeRole(grant, manager.id)

    async def asked(path: str, act: acts.Leave | acts.RevokeRole) -> httpx.Response:
        await clinic.present(root)
        return await clinic.ask(root, "POST", path, {"proof": await clinic.proof(root, act)})

    for path, act in (
        ("/v1/people/manager/departure", leave),
        (f"/v1/grants/{grant}/revocation", revoke),
    ):
        refused = await asked(path, act)
        assert refused.status_code == 403
        assert "the last two who can approve" in refused.text
    await clinic.with_role("heir", Role.PRACTICE_MANAGER)

    assert (await asked(f"/v1/grants/{grant}/revocation", revoke)).is_success
    assert (await asked("/v1/people/manager/departure", leave)).is_success


async def test_an_invited_administrator_is_not_yet_one_who_could_take_over(clinic: Clinic) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    heir = await clinic.hire("heir", root)
    await clinic.grant(heir, Role.SYSTEM_ADMINISTRATOR, root, manager)
    await clinic.present(root)
    held = await clinic.do(root, "GET", "/v1/grants", person="root")
    grant = held[0]["id"]
    path = f"/v1/grants/{grant}/revocation"

    async def give_up() -> httpx.Response:
        act = acts.RevokeRole(UUID(grant), root.id)
        return await clinic.ask(root, "POST", path, {"proof": await clinic.proof(root, act)})

    refused = await give_up()
    assert refused.status_code == 403
    assert "last system administrator" in refused.text
    await clinic.enrol(heir, root, manager)
    assert (await give_up()).is_success


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


async def stop_key_holder(clinic: Clinic) -> None:
    await clinic.edge.stop()
    await clinic.plane.keyholder.close()


async def start_key_holder(clinic: Clinic) -> None:
    clinic.edge = Edge(clinic.edge_place, REQUESTS[protocol.Edge.EXCHANGE], clinic.answer)
    await clinic.edge.start()


async def test_with_the_key_holder_away_everything_here_ends_and_the_rest_waits_for_a_proof(
    clinic: Clinic,
) -> None:
    clinic.context.alarms.append(clinic.plane.alarms)
    anna = await everything_of(clinic)
    root = await clinic.present(clinic.members["root"])
    path, unproved = "/v1/people/anna/departure", {"proof": None}
    refused = await clinic.ask(root, "POST", path, unproved)
    assert "second factor" in refused.json()["error"], "the key holder is there: it is asked"
    await stop_key_holder(clinic)

    answer = await clinic.do(root, "POST", path, unproved)
    waiting = {e["kind"] for e in answer["ended"] if not e["complete"]}
    assert waiting == {"factors and key-holder sessions"}
    assert await statuses(clinic, [anna.token]) == [401]
    await clinic.lifecycle.tick()

    await start_key_holder(clinic)
    await clinic.lifecycle.tick()

    assert await state_of(clinic, anna) == ("active", True), "nobody has proved it yet"
    sessions = await clinic.plane.keyholder.sessions(anna.id)
    assert sessions == ()
    assert (await clinic.try_sign_in(anna)).status_code == 403
    alarms = (await clinic.do(None, "GET", "/v1/status"))["alarms"]
    [alarm] = [alarm for alarm in alarms if str(anna.id) in alarm]
    assert f"prove it with: pbx person leave {anna.id}" in alarm

    await clinic.present(root)
    again = (await privileges.leave(clinic, root, anna)).json()
    assert all(ended["complete"] for ended in again["ended"])
    await clinic.lifecycle.tick()

    assert await state_of(clinic, anna) == ("left", False)
    assert (await clinic.do(None, "GET", "/v1/status"))["alarms"] == []


async def test_what_the_key_holder_has_ended_ends_here(clinic: Clinic) -> None:
    """As after a crash between the key holder's change and our own rows."""
    anna = await everything_of(clinic)
    root = await clinic.present(clinic.members["root"])
    handle = base64.urlsafe_b64decode(root.token + "=")
    for act, verb in ((acts.Suspend(anna.id), "suspended"), (acts.Leave(anna.id), "left")):
        sealed = await clinic.proof(root, act)
        proof = protocol.Proof(sealed, protocol.Origin("command-line", "uid 0"), handle)
        evidence = protocol.Evidence(clinic.id())
        await clinic.plane.keyholder.perform(act, proof, evidence)
        clinic.plane.is_behind = True
        await clinic.lifecycle.tick()
        assert (await clinic.do(root, "GET", "/v1/people/anna"))["state"] == verb
    assert await statuses(clinic, [anna.token]) == [401]


async def told(clinic: Clinic, by: Member, act: acts.AnyAct) -> object:
    """To the key holder alone, as before a crash of ours."""
    handle = base64.urlsafe_b64decode(by.token + "=")
    sealed = await clinic.proof(by, act)
    proof = protocol.Proof(sealed, protocol.Origin("command-line", "uid 0"), handle)
    return await clinic.plane.keyholder.perform(act, proof, protocol.Evidence(clinic.id()))


async def roles(clinic: Clinic, who: Member) -> list[str]:
    root = await clinic.present(clinic.members["root"])
    found: list[str] = (await clinic.do(root, "GET", f"/v1/people/{who.login}"))["roles"]
    return found


async def test_a_role_that_the_key_holder_has_taken_is_taken_here(clinic: Clinic) -> None:
    """Asked again it would only say that there is no such grant: it would stay for ever."""
    anna = await everything_of(clinic)
    root = await clinic.present(clinic.members["root"])
    [grant] = await clinic.do(root, "GET", "/v1/grants?person=anna")
    await told(clinic, root, acts.RevokeRole(grant=UUID(grant["id"]), person=anna.id))
    assert await roles(clinic, anna) == ["physician"]
    clinic.pass_(61)
    clinic.plane.is_behind = True

    await clinic.lifecycle.tick()

    assert await roles(clinic, anna) == []
    assert clinic.plane.alarms() == []


async def test_a_request_that_nobody_approved_in_time_can_be_made_again(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    anna = await clinic.with_role("anna")

    async def asked() -> int:
        await clinic.present(root)
        grant, start = clinic.id(), clinic.now
        act = acts.GrantRole(grant, anna.id, Role.FRONT_DESK, start)
        body = {"id": grant, "person": anna.id, "role": "front-desk", "reason": "covers"}
        body |= {"start": start, "until": None, "proof": await clinic.proof(root, act)}
        return (await clinic.ask(root, "POST", "/v1/grants", body)).status_code

    assert (await asked(), await asked()) == (201, 403)
    clinic.pass_(86_400 + 61)
    await clinic.lifecycle.tick()

    assert await asked() == 201


async def test_a_role_that_the_key_holder_alone_knows_is_shown(clinic: Clinic) -> None:
    """A row of ours that was altered hides nobody's role."""
    anna = await everything_of(clinic)
    root = await clinic.present(clinic.members["root"])
    [grant] = await clinic.do(root, "GET", "/v1/grants?person=anna")
    async with clinic.plane.database.begin() as connection:
        await connection.execute(
            text("UPDATE role_grant SET state = 'ended' WHERE person_id = :id"),
            {"id": anna.id.bytes},
        )
    clinic.pass_(61)
    clinic.plane.is_behind = True

    await clinic.lifecycle.tick()

    [alarm] = clinic.plane.alarms()
    assert f"pbx role revoke {grant['id']}" in alarm
    await clinic.present(root)
    act = acts.RevokeRole(grant=UUID(grant["id"]), person=anna.id)
    body = {"proof": await clinic.proof(root, act)}
    await clinic.do(root, "POST", f"/v1/grants/{grant['id']}/revocation", body)
    clinic.plane.is_behind = True
    await clinic.lifecycle.tick()
    assert clinic.plane.alarms() == []


async def test_a_mailbox_open_at_the_key_holder_alone_is_an_alarm_and_closed_one_over_here(
    clinic: Clinic,
) -> None:
    anna = await everything_of(clinic)
    number = await privileges.extension(clinic, anna)
    root = await clinic.present(clinic.members["root"])
    stray, handle = clinic.id(), base64.urlsafe_b64decode(root.token + "=")
    [closed] = await privileges.held(clinic, root, number)
    for act in (acts.OpenTenure(stray, clinic.id(), anna.id), acts.CloseTenure(closed)):
        sealed = await clinic.proof(root, act)
        proof = protocol.Proof(sealed, protocol.Origin("command-line", "uid 0"), handle)
        await clinic.plane.keyholder.perform(act, proof, protocol.Evidence(clinic.id()))
    await clinic.lifecycle.tick()
    assert clinic.plane.alarms() == [], "it may be a change under way"
    clinic.pass_(61)
    clinic.plane.is_behind = True

    await clinic.lifecycle.tick()

    [alarm] = clinic.plane.alarms()
    assert str(stray) in alarm
    await clinic.sign_in(root)
    shown = await clinic.do(root, "GET", f"/v1/extensions/{number}")
    assert shown["tenure"] is None
    body = {"proof": await clinic.proof(root, acts.CloseTenure(stray))}
    await clinic.do(root, "POST", f"/v1/mailboxes/{stray}/closing", body)
    await clinic.lifecycle.tick()
    assert clinic.plane.alarms() == []


async def test_an_assignment_that_cannot_be_written_leaves_no_mailbox_open(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    anna = await clinic.hire("anna", root)
    refusing = (
        "CREATE TRIGGER refusing BEFORE INSERT ON tenure BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    async with clinic.plane.database.begin() as connection:
        await connection.execute(text(refusing))

    answer = await privileges.assign(clinic, root, "1042", anna, 0)

    assert not answer.is_success
    [box] = await clinic.plane.keyholder.mailboxes()
    assert box.closed is not None
    async with clinic.plane.database.begin() as connection:
        await connection.execute(text("DROP TRIGGER refusing"))
    assert (await privileges.assign(clinic, root, "1042", anna, 0)).is_success


async def test_who_waits_longer_than_the_key_holder_allows_is_suspended_by_it_alone(
    clinic: Clinic,
) -> None:
    """The exchange only asks for what is due; what that is, the key holder's own table says."""
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    clinic.pass_(30 * 86_400)
    evidence = protocol.Evidence(clinic.id())
    assert await clinic.plane.keyholder.run_due(evidence) == ()
    clinic.pass_(6 * 86_400)

    ended = await clinic.plane.keyholder.run_due(protocol.Evidence(clinic.id()))

    assert {(e.act, e.reason) for e in ended} == {("suspend", "unused")}
    assert anna.id in {e.subject for e in ended}
    assert clinic.members["root"].id not in {e.subject for e in ended}


async def test_a_part_that_fails_or_hangs_keeps_no_other_part_alive(clinic: Clinic) -> None:
    enders, ended = Enders(seconds=0.05), []

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
