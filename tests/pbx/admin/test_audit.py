"""Questions to the ledger through the real API: answered, bounded by role, and recorded."""

from typing import Any
from uuid import UUID

import pytest

from pbx.access.roles import Role
from storage import intents, messages
from storage.keyholder.journal import Entry, Event
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Actor, ActorKind
from tests.support import privileges
from tests.support.clinic import Clinic, Member

NUMBER = "+1 202 555 0147"


@pytest.fixture
async def officer(clinic: Clinic) -> Member:
    await clinic.staffed()
    return await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)


async def ask(clinic: Clinic, who: Member, **body: Any) -> Any:
    return await clinic.do(await clinic.present(who), "POST", "/v1/audit/search", body)


async def test_a_search_shows_names_and_is_a_row_itself(clinic: Clinic, officer: Member) -> None:
    root = clinic.members["root"]

    found = await ask(clinic, officer, person="root", action=["person.added"])

    assert {row["actor_name"] for row in found["rows"]} == {"root", ""}, "nobody found the first"
    assert {row["subject_name"] for row in found["rows"]} >= {"manager", "officer"}
    row = (await clinic.rows())[-1]
    assert (row.action, row.outcome, row.actor_id) == (Action.AUDIT_SEARCHED, "done", officer.id)
    assert f'"person":"{root.id}"' in row.after
    assert f'"count":{len(found["rows"])}' in row.after


async def test_pages_follow_each_other(clinic: Clinic, officer: Member) -> None:
    until = clinic.now
    first = await ask(clinic, officer, page=5, until=until)
    second = await ask(clinic, officer, page=5, until=until, after=first["next"])

    whole = await ask(clinic, officer, page=10, until=until)

    assert first["rows"] + second["rows"] == whole["rows"]


@pytest.mark.parametrize(
    "body",
    [{"action": ["nothing.done"]}, {"outcome": "perhaps"}, {"after": "1:2"}, {"page": 0},
     {"person": "nobody-here"}, {"mailbox": "none"}],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_refused(
    clinic: Clinic, officer: Member, body: dict[str, Any]
) -> None:
    await clinic.present(officer)

    response = await clinic.ask(officer, "POST", "/v1/audit/search", body)

    assert response.status_code in (400, 404)
    assert response.json()["error"].endswith(".")


async def test_a_practice_manager_sees_no_rows_about_calls_and_messages(
    clinic: Clinic, officer: Member
) -> None:
    message = await privileges.message(clinic, officer)
    assert (await ask(clinic, officer, message=str(message)))["rows"]

    found = await ask(clinic, clinic.members["manager"], message=str(message))

    assert {row["action"] for row in found["rows"]} == {"audit.searched"}
    assert "not shown" in found["hidden"]
    everything = await ask(clinic, clinic.members["manager"], page=1000)
    assert not [row for row in everything["rows"] if row["action"].startswith("message.")]


async def test_a_mailbox_is_meant_by_person_number_or_identifier(
    clinic: Clinic, officer: Member
) -> None:
    await privileges.message(clinic, officer)
    number = await privileges.extension(clinic)
    answers = [await ask(clinic, officer, mailbox=what) for what in ("officer", number)]

    assert any(row["action"] == "message.deposited" for row in answers[0]["rows"])
    assert not any(row["action"] == "message.deposited" for row in answers[1]["rows"])


async def test_what_somebody_did_is_counted_and_shown(clinic: Clinic, officer: Member) -> None:
    await clinic.present(officer)

    found = await clinic.do(officer, "POST", "/v1/audit/people/manager/deeds", {"page": 3})

    assert found["login"] == "manager"
    assert len(found["page"]["rows"]) == 3
    assert {row["actor_name"] for row in found["page"]["rows"]} == {"manager"}
    assert {"action": "grant.made", "outcome": "done", "count": 1} in found["counts"]


async def test_a_number_is_looked_up_with_a_reason_that_is_sealed(
    clinic: Clinic, officer: Member
) -> None:
    await clinic.present(officer)
    path, body = "/v1/audit/number-search", {"number": NUMBER, "reason": "a complaint"}
    count = await clinic.row_count()

    found = await clinic.do(officer, "POST", path, body)

    assert found["rows"] == []
    intended, done = [row for row in await clinic.rows(after=count)]
    assert (intended.action, intended.outcome) == (Action.AUDIT_NUMBER_SEARCHED, "intended")
    assert intended.detail is not None
    assert b"complaint" not in intended.detail
    assert (done.action, done.outcome) == (Action.AUDIT_NUMBER_SEARCHED, "done")
    assert intended.operation == done.operation
    for row in (intended, done):
        assert "555" not in f"{row.before}{row.after}"
    looked_up = clinic.house.core.books.journal.entries()[-1]
    assert (looked_up.event, looked_up.person) == (Event.NUMBER_LOOKED_UP, officer.id)
    assert (await clinic.ask(officer, "POST", path, {"number": NUMBER})).status_code == 400


async def test_too_many_look_ups_are_refused_and_recorded(clinic: Clinic, officer: Member) -> None:
    await clinic.present(officer)
    path, body = "/v1/audit/number-search", {"number": NUMBER, "reason": "all of them"}
    answers = [await clinic.ask(officer, "POST", path, body) for _ in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {200}
    assert answers[20].status_code == 403
    assert (await clinic.rows())[-1].outcome == "refused"


async def heard(clinic: Clinic, message: UUID, who: Member, *, in_journal: bool = True) -> UUID:
    """A listening at a phone, as it leaves its records."""
    deed = clinic.plane.deed(Actor(ActorKind.PERSON, who.id))
    about = {"device": str(clinic.id()), "purpose": "own messages"}
    subject = messages.subject(message)
    evidence = await intents.intend(
        clinic.plane.committer, deed, Action.MESSAGE_HEARD, subject, about
    )
    if in_journal:
        await clinic.house.core.books.write(
            Entry(
                event=Event.MESSAGE_OPENED, subject=message, person=who.id,
                operation=evidence.operation, ledger_row=evidence.ledger_row,
            )
        )  # fmt: skip
    await clinic.plane.run(messages.heard, deed, message)
    return UUID(about["device"])


async def test_who_heard_a_message_is_told_by_both_records(clinic: Clinic, officer: Member) -> None:
    message = await privileges.message(clinic, officer)
    clinic.pass_(60)
    device = await heard(clinic, message, officer)
    clinic.pass_(60)
    await heard(clinic, message, officer, in_journal=False)
    clinic.pass_(60)
    await clinic.house.core.books.write(
        Entry(event=Event.MESSAGE_OPENED, subject=message, person=officer.id, operation=clinic.id())
    )
    clinic.pass_(60)
    await clinic.present(officer)

    found = await clinic.do(officer, "GET", f"/v1/audit/messages/{message}/openings")

    good, unknown, without = found["openings"]
    assert (good["login"], good["device"]) == ("officer", str(device))
    assert (good["outcome"], good["journal"], good["was_opened"]) == ("done", "opened", True)
    assert (unknown["journal"], unknown["was_opened"]) == ("nothing", False)
    assert "does not know" in unknown["outcome"]
    assert (without["outcome"], without["was_opened"]) == ("opened without audit", True)
    assert found["is_compared"]
    row = (await clinic.rows())[-1]
    assert (row.action, row.subject_id) == (Action.AUDIT_TRACED, message)


async def test_who_could_hear_a_message_has_owner_former_member_and_break_glass(
    clinic: Clinic, officer: Member
) -> None:
    doctor = await clinic.with_role("doctor", Role.PHYSICIAN)
    message = await privileges.message(clinic, doctor)
    async with clinic.plane.database.read() as connection:
        box = (await messages.get(connection, message)).mailbox
    nurse = await privileges.nurse(clinic)
    await clinic.present(nurse)
    waiting = await privileges.break_glass(clinic, nurse, box)
    await clinic.present(officer)
    assert (await privileges.approve_glass(clinic, officer, waiting)).is_success
    clinic.pass_(120)
    await clinic.present(officer)

    found = await clinic.do(officer, "GET", f"/v1/audit/messages/{message}/access")

    owner, glass = found["access"]
    assert (owner["login"], owner["how"], owner["had_role"]) == ("doctor", "owner", True)
    assert (glass["how"], glass["source"]) == ("break-glass", "journal")
    assert (glass["login"], glass["approver_login"]) == (nurse.login, "officer")
    assert glass["until"] <= clinic.now + 1  # both ends of it are counted
    assert owner["since"] == found["since"]


async def test_with_the_key_holder_away_the_ledger_alone_is_told(
    clinic: Clinic, officer: Member
) -> None:
    message = await privileges.message(clinic, officer)
    await heard(clinic, message, officer)
    await clinic.present(officer)
    await clinic.edge.stop()

    found = await clinic.do(officer, "GET", f"/v1/audit/messages/{message}/openings")

    assert not found["is_compared"]
    (one,) = found["openings"]
    assert (one["journal"], one["was_opened"], one["login"]) == ("not asked", True, "")
    response = await clinic.ask(officer, "GET", f"/v1/audit/messages/{message}/access")
    assert response.status_code == 503
    assert (await clinic.rows())[-1].outcome == Outcome.FAILED
