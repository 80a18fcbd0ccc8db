"""pbx/reconciling.py"""

import base64
from uuid import uuid4

import pytest

from pbx.reconciling import LATE, Reconciler
from storage.keyholder import acts, protocol
from storage.keyholder.client import KeyHolder, KeyHolderUnavailable
from storage.keyholder.journal import Event
from storage.keyholder.protocol import Evidence
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Subject
from storage.ledger.keeper import HeadKeeper
from tests.support.clinic import Clinic

HOUR = 3_600


def reconciler(clinic: Clinic) -> Reconciler:
    plane = clinic.plane
    return Reconciler(plane.database, plane.committer, plane.keyholder, plane.clock)


async def test_what_people_do_agrees_with_the_journal(clinic: Clinic) -> None:
    await clinic.staffed()
    await clinic.with_role("doctor")
    look = reconciler(clinic)
    clinic.pass_(HOUR)

    found = await look.once()

    assert found.findings == []
    assert found.unfinished == []
    assert look.alarms() == []


async def test_an_opening_without_a_row_is_an_alarm(clinic: Clinic) -> None:
    await clinic.staffed()
    look = reconciler(clinic)
    await look.once()
    entry = _opening()
    await clinic.house.core.books.write(entry)

    await look.once()

    (alarm,) = look.alarms()
    assert "was opened without audit" in alarm
    await look.once()
    assert look.alarms() == [alarm]
    assert (await reconciler(clinic).once()).findings, "a new start compares everything anew"


async def test_an_intent_that_nothing_followed_is_closed_by_a_row(clinic: Clinic) -> None:
    await clinic.staffed()
    plane, look = clinic.plane, reconciler(clinic)
    clinic.pass_(HOUR)
    await look.once()
    deed = plane.deed()
    await plane.intend(deed, Action.PERSON_ADDED, None)
    assert (await look.once()).unfinished == []
    clinic.pass_(HOUR)

    (unfinished,) = (await look.once()).unfinished

    assert unfinished.sentence.endswith("was intended, not done")
    last = (await clinic.rows())[-1]
    assert (last.action, last.outcome) == (Action.LEDGER_RECONCILED, Outcome.FAILED)
    assert last.operation == deed.operation
    assert '"journal":"nothing"' in last.after
    clinic.pass_(HOUR)
    assert (await look.once()).unfinished == []


async def test_what_the_key_holder_did_and_nobody_heard_is_closed_as_done(clinic: Clinic) -> None:
    await clinic.staffed()
    plane, person = clinic.plane, clinic.members["manager"]
    clinic.pass_(HOUR)
    await reconciler(clinic).once()
    deed = plane.deed()
    evidence = await plane.intend(deed, Action.PERSON_SUSPENDED, Subject("person", person.id))
    root = await clinic.present(clinic.members["root"])
    act = acts.Suspend(person.id)
    sealed = await clinic.proof(root, act)
    handle = base64.urlsafe_b64decode(root.token + "=")
    proof = protocol.Proof(sealed, protocol.Origin("command-line", "uid 0"), handle)
    await plane.keyholder.perform(act, proof, evidence)
    clinic.pass_(HOUR)

    (unfinished,) = (await reconciler(clinic).once()).unfinished

    assert unfinished.answer is Event.CHANGED
    last = (await clinic.rows())[-1]
    assert (last.outcome, last.subject_id) == (Outcome.DONE, person.id)


class Replaceable(KeyHolder):
    """A key holder whose store can be put back to where it had three entries."""

    is_old = False

    async def journal(self, start: int) -> protocol.JournalPage:
        page = await super().journal(start)
        if not self.is_old:
            return page
        return protocol.JournalPage(page.entries[:3] if start == 1 else (), 3)


async def test_a_journal_that_became_shorter_is_an_alarm(clinic: Clinic) -> None:
    await clinic.staffed()
    plane, keyholder = clinic.plane, Replaceable(clinic.layout.keyholder_exchange_socket)
    look = Reconciler(plane.database, plane.committer, keyholder, plane.clock)
    await look.once()
    assert look.alarms() == []

    keyholder.is_old = True
    await look.once()

    assert any("has become shorter" in alarm for alarm in look.alarms())
    await keyholder.close()


async def test_a_key_holder_that_is_away_is_waited_for_and_told_when_late(clinic: Clinic) -> None:
    await clinic.staffed()
    await clinic.edge.stop()
    look = reconciler(clinic)

    with pytest.raises(KeyHolderUnavailable):
        await look.once()

    assert look.alarms() == []
    clinic.pass_(LATE / 1_000_000 + 1)
    assert look.alarms() == [
        "Ledger and key holder's journal were not compared for over two hours."
    ]


async def test_signed_heads_are_found_in_the_journal(clinic: Clinic) -> None:
    root = await clinic.found()
    plane = clinic.plane
    keeper = HeadKeeper(plane.database, "exchange", clock=plane.clock, signer=plane.keyholder)
    assert await keeper.keep() > 0
    look = reconciler(clinic)
    assert (await look.once()).findings == []

    await clinic.hire("ann", root)
    await keeper.keep()

    assert (await look.once()).findings == []


def _opening() -> object:
    from storage.keyholder.journal import Entry

    tied = Evidence(uuid4(), b"\1" * 32)
    return Entry(event=Event.RECORDS_OPENED, operation=tied.operation, ledger_row=tied.ledger_row)
