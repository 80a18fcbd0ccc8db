"""storage/keyholder/messages.py"""

import hashlib
import json
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.keyholder import acts, messages, protocol, signing, slots, vouchers
from storage.keyholder.acts import Role
from storage.keyholder.clock import DAY
from storage.keyholder.journal import Event
from storage.keyholder.protocol import (
    AdoptMessage,
    AskTicket,
    DestroyDepositKey,
    DestroyMessage,
    Done,
    Evidence,
    Indexed,
    IndexNumbers,
    KeyList,
    LookUpNumber,
    MessageKey,
    Opened,
    OpenMessage,
    OpenRecordsKey,
    PublicKeys,
    RecordsKey,
    Refusal,
    Statement,
    Ticket,
    Wrapped,
)
from storage.keyholder.records import SETTINGS, MessageSecret, Settings
from storage.keyholder.store import Change
from storage.keyholder.surroundings import Surroundings
from tests.support.keyholder import BINDING, House, Someone, evidence, redeeming
from tests.support.keyholder_box import CONTENT, KEY, Box, box, entries

__all__ = ["box"]

REASON = hashlib.sha256(b"complaint of today").digest()


async def opened(house: House, box: Box, who: Someone, tied: Evidence | None = None) -> object:
    answer = await house.holder.answer(AskTicket(who.session, box.message, tied or evidence()))
    if not isinstance(answer, Ticket):
        return answer
    return await house.holder.answer(redeeming(answer.ticket, CONTENT, box.slot))


async def test_the_owner_hears_and_the_journal_names_the_ledger_row(house: House, box: Box) -> None:
    tied = evidence()

    assert await opened(house, box, box.doctor, tied) == MessageKey(bytearray(KEY))

    entry = (await entries(house, Event.MESSAGE_OPENED))[0]
    assert (entry.person, entry.subject) == (box.doctor.id, box.message)
    assert (entry.operation, entry.ledger_row) == (tied.operation, tied.ledger_row)


async def test_nobody_else_hears(house: House, box: Box) -> None:
    for someone in (box.admin, box.manager):
        assert await opened(house, box, someone) == Refusal()
    assert await entries(house, Event.MESSAGE_OPENED) == []


async def test_a_ticket_is_good_once_for_a_minute_and_one_message(house: House, box: Box) -> None:
    ask = AskTicket(box.doctor.session, box.message, evidence())
    first, second = await house.ask(ask, Ticket), await house.ask(ask, Ticket)
    redeem = redeeming(first.ticket, CONTENT, box.slot)

    assert isinstance(await house.holder.answer(redeem), MessageKey)
    assert await house.holder.answer(redeem) == Refusal()
    house.time.pass_(60)
    assert await house.holder.answer(redeeming(second.ticket, CONTENT, box.slot)) == Refusal()
    third = await house.ask(ask, Ticket)
    other = redeeming(third.ticket, b"another content", box.slot)
    assert await house.holder.answer(other) == Refusal()


async def test_a_ticket_is_redeemed_for_whom_the_person_vouched(house: House, box: Box) -> None:
    async def redeemed(voucher: bytes, public: bytes) -> object:
        ask = AskTicket(box.doctor.session, box.message, evidence())
        ticket = (await house.ask(ask, Ticket)).ticket
        asker = vouchers.asker_id("P384", public)
        return await house.holder.answer(OpenMessage(ticket, CONTENT, box.slot, voucher, asker))

    voucher = vouchers.of_command(BINDING, box.message, "P384", b"of the command")
    assert isinstance(await redeemed(voucher, b"of the command"), MessageKey)
    assert await redeemed(voucher, b"of whoever has the exchange") == Refusal()
    assert await redeemed(b"", b"of whoever has the exchange") == Refusal()
    refused = await entries(house, Event.REFUSED)
    assert [one.reason for one in refused] == ["not vouched for by who signed in"] * 2


async def test_with_a_pin_that_has_expired_nothing_opens_before_it_is_changed(
    house: House, box: Box
) -> None:
    await house.done(box.doctor, acts.SetPin(), new_pin="739460")
    by_phone, _ = await house.perform(acts.PhoneLogIn(box.doctor.id), pin="739460")
    assert isinstance(by_phone, Opened)
    session, _ = house.core.session(by_phone.session)
    session.must_change = True
    ticket = AskTicket(by_phone.session, box.message, evidence())
    records = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    hour = OpenRecordsKey(
        by_phone.session, records.id, slots.sealed_records_key(records, b"h" * 32), evidence()
    )

    assert await house.holder.answer(ticket) == Refusal()
    assert await house.holder.answer(hour) == Refusal()
    await house.perform(acts.SetPin(), session=by_phone.session, pin="739460", new_pin="830715246")
    assert isinstance(await house.holder.answer(ticket), Ticket)
    assert isinstance(await house.holder.answer(hour), RecordsKey)


async def test_a_membership_that_ended_within_the_minute_opens_nothing(
    house: House, box: Box
) -> None:
    ask = AskTicket(box.doctor.session, box.message, evidence())
    ticket = await house.ask(ask, Ticket)
    await house.done(box.admin, acts.CloseTenure(box.id))

    assert await house.holder.answer(redeeming(ticket.ticket, CONTENT, box.slot)) == Refusal()


async def deposited(house: House, box: Box, owner: Someone) -> Box:
    """A second mailbox with a message."""
    mailbox, message = uuid4(), uuid4()
    await house.done(box.admin, acts.OpenTenure(mailbox, uuid4(), owner.id))
    key = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    deposit = slots.deposit_slot(key, message.bytes, KEY)
    adopt = AdoptMessage(message, mailbox, message.bytes, key.id, deposit, evidence())
    wrapped = await house.ask(adopt, Wrapped)
    return Box(box.admin, box.manager, owner, mailbox, key, message, wrapped.slot, deposit)


async def test_break_glass_opens_one_mailbox_for_half_an_hour(house: House, box: Box) -> None:
    nurse = await house.enrolled("nurse", Role.CLINICAL_STAFF, box.admin, box.manager)
    other = await deposited(house, box, box.manager)
    assert await opened(house, box, nurse) == Refusal()

    answer, _ = await house.two_people(nurse, box.manager, acts.BreakGlass(box.id, "cannot wait"))
    assert isinstance(answer, Done)
    assert await opened(house, box, nurse) == MessageKey(bytearray(KEY))
    assert await opened(house, other, nurse) == Refusal()

    for _ in range(3):
        house.time.pass_(600)
        await house.holder.answer(protocol.Touch(nurse.session))
    assert await opened(house, box, nurse) == Refusal()
    await house.log_in(box.doctor)
    assert [notice.kind for notice in box.doctor.notices] == ["break-glass"]
    ended = (await house.ask(protocol.RunDue(evidence()), protocol.Ran)).ended
    assert ended == (protocol.Ending("end-break-glass", box.id, "end date", nurse.id),)
    assert (await house.ask(protocol.RunDue(evidence()), protocol.Ran)).ended == ()


async def test_break_glass_alone_goes_on_without_a_ledger_row(house: House, box: Box) -> None:
    nurse = await house.enrolled("nurse", Role.CLINICAL_STAFF, box.admin, box.manager)
    answer, _ = await house.two_people(nurse, box.manager, acts.BreakGlass(box.id, "cannot wait"))
    assert isinstance(answer, Done)

    unrecorded = Evidence(uuid4())

    assert await opened(house, box, box.doctor, unrecorded) == Refusal()
    assert await opened(house, box, nurse, unrecorded) == MessageKey(bytearray(KEY))
    entry = (await entries(house, Event.MESSAGE_OPENED))[-1]
    assert (entry.act, entry.person, entry.ledger_row) == ("break-glass", nurse.id, b"")
    await house.done(nurse, acts.EndBreakGlass(box.id, nurse.id))
    assert await opened(house, box, nurse) == Refusal()


async def test_a_forged_or_stale_break_glass_opens_nothing(house: House, box: Box) -> None:
    """The exchange was taken over: it has sessions and old proofs, and nobody who is present."""
    nurse = await house.enrolled("nurse", Role.CLINICAL_STAFF, box.admin, box.manager)
    other = await deposited(house, box, box.manager)
    ask = acts.BreakGlass(box.id, "cannot wait")
    assert house.pin is not None

    async def refused(act: acts.AnyAct, session: bytes, **secrets: str) -> None:
        answer, _ = await house.perform(act, session=session, **secrets)
        assert answer == Refusal(), act

    origin = protocol.Origin("terminal", "local")
    for sealed in (b"", b"forged" * 400):
        forged = protocol.Perform(ask, protocol.Proof(sealed, origin, nurse.session), evidence())
        assert await house.holder.answer(forged) == Refusal()
    await refused(ask, nurse.session, totp="000000")
    await refused(ask, box.doctor.session, totp=house.code(box.doctor))  # the owner
    await refused(ask, box.admin.session, totp=house.code(box.admin))  # no content role
    await refused(acts.BreakGlass(uuid4(), "cannot wait"), nurse.session, totp=house.code(nurse))

    waiting, _ = await house.step_up(nurse, ask)
    assert isinstance(waiting, protocol.Waiting)
    yes = acts.Approve(waiting.proposal, waiting.digest)
    await refused(yes, nurse.session, totp=house.code(nurse))  # the requester
    await refused(yes, box.admin.session, totp=house.code(box.admin))  # not the approving role
    await refused(yes, box.manager.session, totp="000000")  # nobody present
    swapped = acts.Approve(waiting.proposal, acts.digest(acts.BreakGlass(other.id, "cannot wait")))
    await refused(swapped, box.manager.session, totp=house.code(box.manager))
    assert await opened(house, box, nurse) == Refusal()

    house.time.pass_(3_600)
    for someone in (nurse, box.manager):
        await house.log_in(someone)
    await refused(yes, box.manager.session, totp=house.code(box.manager))  # an hour later
    assert await opened(house, box, nurse) == Refusal()
    answer, _ = await house.two_people(nurse, box.manager, ask)  # with everything in its place
    assert isinstance(answer, Done)
    assert await opened(house, box, nurse) == MessageKey(bytearray(KEY))
    own = acts.BreakGlass(other.id, "cannot wait")
    waiting, _ = await house.step_up(nurse, own)
    assert isinstance(waiting, protocol.Waiting)
    by_owner = acts.Approve(waiting.proposal, waiting.digest)
    await refused(by_owner, box.manager.session, totp=house.code(box.manager))


async def test_adopting_again_after_a_crash_gives_the_same_secret(house: House, box: Box) -> None:
    again = AdoptMessage(box.message, box.id, CONTENT, box.key.id, box.deposit, evidence())

    wrapped = await house.ask(again, Wrapped)

    box.slot = wrapped.slot
    assert await opened(house, box, box.doctor) == MessageKey(bytearray(KEY))
    assert len(await entries(house, Event.MESSAGE_ADOPTED)) == 1


async def test_a_message_is_adopted_by_its_own_mailbox_alone(house: House, box: Box) -> None:
    other = uuid4()
    await house.done(box.admin, acts.OpenTenure(other, uuid4(), box.admin.id))
    key = (await house.ask(PublicKeys("deposit", other), KeyList)).keys[0]
    slot = slots.deposit_slot(key, CONTENT, KEY)
    good = AdoptMessage(uuid4(), box.id, CONTENT, box.key.id, box.deposit, evidence())
    records = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    for bad in (
        msgspec.structs.replace(good, key=key.id),
        msgspec.structs.replace(good, key=records.id),
        msgspec.structs.replace(good, key=uuid4()),
        msgspec.structs.replace(good, content=b"x"),
        AdoptMessage(box.message, other, CONTENT, key.id, slot, evidence()),
    ):
        assert await house.holder.answer(bad) == Refusal()


async def test_a_destroyed_message_is_gone_for_good(house: House, box: Box) -> None:
    house.time.pass_(86_400)
    await house.log_in(box.doctor)
    destroy = DestroyMessage(box.message, "90 days after listening", box.admin.id, evidence())

    statement = (await house.ask(destroy, Statement)).statement

    assert await opened(house, box, box.doctor) == Refusal()
    assert await house.holder.answer(destroy) == Statement(statement), "after a crash, the same"
    assert len(await entries(house, Event.MESSAGE_DESTROYED)) == 1
    again = AdoptMessage(box.message, box.id, CONTENT, box.key.id, box.deposit, evidence())
    assert await house.holder.answer(again) == Refusal()
    assert house.pin is not None
    assert signing.is_signed(house.pin.signing_key, statement)
    facts = json.loads(statement.text)
    assert facts["what"].endswith(str(box.message))
    week = messages._date(box.key.until + 8 * DAY)
    assert facts["last backup that could open it lapses"] == week, "the deposit key's last day"


async def test_a_content_belongs_to_one_message_and_goes_with_it(house: House, box: Box) -> None:
    """The deposit slot of yesterday's data backup still opens with the key of its week."""

    async def adopted_as(message: UUID) -> object:
        again = AdoptMessage(message, box.id, CONTENT, box.key.id, box.deposit, evidence())
        return await house.holder.answer(again)

    assert await adopted_as(uuid4()) == Refusal()
    house.reopen()
    assert await adopted_as(uuid4()) == Refusal()
    assert isinstance(await adopted_as(box.message), Wrapped)
    house.time.pass_(86_400)
    await house.ask(DestroyMessage(box.message, "", None, evidence()), Statement)

    assert await adopted_as(box.message) == Refusal()
    assert await adopted_as(uuid4()) == Refusal()


async def test_a_message_may_be_kept_in_two_files(house: House, box: Box) -> None:
    """A comment before what is forwarded."""
    comment = b"another content"
    slot = slots.deposit_slot(box.key, comment, b"c" * 32)
    adopt = AdoptMessage(box.message, box.id, comment, box.key.id, slot, evidence())
    wrapped = await house.ask(adopt, Wrapped)

    ticket = await house.ask(AskTicket(box.doctor.session, box.message, evidence()), Ticket)
    ask = redeeming(ticket.ticket, comment, wrapped.slot)

    assert await house.holder.answer(ask) == MessageKey(bytearray(b"c" * 32))


async def test_a_young_message_goes_when_somebody_who_may_open_it_wants_it_so(
    house: House, box: Box
) -> None:
    plain = DestroyMessage(box.message, "deleted by its owner", box.doctor.id, evidence())
    for session in (b"", b"x" * 32, box.manager.session):
        request = msgspec.structs.replace(plain, session=session)
        assert await house.holder.answer(request) == Refusal()

    await house.ask(msgspec.structs.replace(plain, session=box.doctor.session), Statement)

    assert await opened(house, box, box.doctor) == Refusal()


async def test_the_certificate_names_the_day_the_last_backup_lapses(house: House, box: Box) -> None:
    house.time.pass_(86_400)
    store = house.core.store
    settings = store.get(Settings, SETTINGS)
    now = house.core.clock()
    backed = Change(put=[msgspec.structs.replace(settings, last_backup=now)])
    store.commit(backed, store.state.position, 0)

    request = DestroyMessage(box.message, "", None, evidence())
    facts = json.loads((await house.ask(request, Statement)).statement.text)

    assert facts["by"] == "retention"
    assert facts["last backup that could open it lapses"] == messages._date(now + 35 * DAY)


async def test_what_is_destroyed_after_its_week_is_gone_at_once(house: House, box: Box) -> None:
    house.time.pass_(15 * 86_400)
    await house.ask(DestroyDepositKey(box.key.id, evidence()), Done)
    request = DestroyMessage(box.message, "", None, evidence())

    facts = json.loads((await house.ask(request, Statement)).statement.text)

    assert facts["destroyed"] == facts["last backup that could open it lapses"]


async def test_a_hold_stops_destruction(house: House, box: Box) -> None:
    officer = await house.enrolled("officer", Role.COMPLIANCE_OFFICER, box.admin, box.manager)
    await house.done(officer, acts.Hold(box.id, uuid4()))
    house.time.pass_(86_400)
    await house.log_in(box.doctor)

    request = DestroyMessage(box.message, "", None, evidence())

    assert await house.holder.answer(request) == Refusal()
    assert await opened(house, box, box.doctor) == MessageKey(bytearray(KEY))


async def test_an_hourly_key_opens_for_readers_of_records(house: House, box: Box) -> None:
    records = (await house.ask(PublicKeys("records"), KeyList)).keys[0]
    sealed = slots.sealed_records_key(records, b"h" * 32)

    def ask(who: Someone, key: UUID = records.id) -> OpenRecordsKey:
        return OpenRecordsKey(who.session, key, sealed, evidence())

    assert await house.holder.answer(ask(box.manager)) == RecordsKey(b"h" * 32)
    assert await house.holder.answer(ask(box.admin)) == Refusal()
    assert await house.holder.answer(ask(box.manager, box.key.id)) == Refusal()
    assert len(await entries(house, Event.RECORDS_OPENED)) == 1


async def test_numbers_are_indexed_in_batches_and_looked_up_with_a_limit(
    house: House, box: Box
) -> None:
    values = (
        await house.ask(IndexNumbers(("+1 555 0100", "15550199"), evidence()), Indexed)
    ).values
    look_up = LookUpNumber(box.manager.session, "1-555-0100", REASON, evidence())

    found = await house.ask(look_up, Indexed)

    assert found.values == values[:1]
    assert values[0] != values[1]
    too_many = IndexNumbers(("1",) * 1001, evidence())
    assert await house.holder.answer(too_many) == Refusal()
    refused = LookUpNumber(box.admin.session, "1", REASON, evidence())
    assert await house.holder.answer(refused) == Refusal()
    for _ in range(19):
        await house.ask(look_up, Indexed)
    assert await house.holder.answer(look_up) == Refusal()
    house.time.pass_(61)
    await house.ask(look_up, Indexed)
    journalled = await entries(house, Event.NUMBER_LOOKED_UP)
    assert {entry.digest for entry in journalled} == {REASON}
    unexplained = msgspec.structs.replace(look_up, reason=b"")
    assert await house.holder.answer(unexplained) == Refusal()
    assert (await entries(house, Event.REFUSED))[-1].reason == "no reason stated"


async def test_tables_in_memory_are_bounded(
    house: House, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MAX_TICKETS", 1)
    monkeypatch.setattr(messages, "MAX_COUNTED", 1)
    ask = AskTicket(box.doctor.session, box.message, evidence())
    first = await house.ask(ask, Ticket)
    await house.ask(ask, Ticket)
    assert await house.holder.answer(redeeming(first.ticket, CONTENT, box.slot)) == Refusal()
    for someone in (box.manager, box.doctor, box.manager):
        await house.ask(LookUpNumber(someone.session, "1", REASON, evidence()), Indexed)


async def test_a_message_without_its_mailbox_opens_for_nobody(house: House, box: Box) -> None:
    stray, store = uuid4(), house.core.store
    row = MessageSecret(stray, uuid4(), bytearray(32), 0)
    store.commit(Change(put=[row]), store.state.position, 0)

    for request in (
        AskTicket(box.doctor.session, stray, evidence()),
        AskTicket(box.doctor.session, uuid4(), evidence()),
        DestroyMessage(stray, "", None, evidence()),
    ):
        assert await house.holder.answer(request) == Refusal()


async def test_a_young_message_is_not_destroyed_on_the_exchanges_word(
    house: House, box: Box
) -> None:
    request = DestroyMessage(box.message, "", None, evidence())

    assert await house.holder.answer(request) == Refusal()
    assert await opened(house, box, box.doctor) == MessageKey(bytearray(KEY))
    house.time.pass_(86_400)
    await house.ask(request, Statement)


async def test_no_more_numbers_are_indexed_in_an_hour_than_a_site_calls(
    house: House, box: Box
) -> None:
    surroundings = Surroundings(same_device=False, same_account=False, root_beside=False)
    batch = IndexNumbers(tuple(map(str, range(1000))), evidence())
    for _ in range(5):
        await house.ask(batch, Indexed)
    assert not house.holder.report(surroundings).alarms

    assert await house.holder.answer(batch) == Refusal()

    refused = (await entries(house, Event.REFUSED))[-1]
    assert refused.reason == "too many numbers this hour"
    [alarm] = house.holder.report(surroundings).alarms
    assert "indexed in an hour" in alarm
    house.time.pass_(3_600)
    await house.ask(batch, Indexed)


async def test_while_its_weeks_key_is_there_a_certificate_names_a_day_to_come(
    house: House, box: Box
) -> None:
    house.time.pass_(30 * 86_400)
    request = DestroyMessage(box.message, "", None, evidence())

    facts = json.loads((await house.ask(request, Statement)).statement.text)

    tomorrow = messages._date(house.core.clock() + DAY)
    assert facts["last backup that could open it lapses"] == tomorrow


async def test_unusually_many_destructions_in_an_hour_are_an_alarm(
    house: House, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take nobody's proof: whoever took the exchange over could destroy every message."""
    monkeypatch.setattr(messages, "MANY_DESTROYED", 1)
    others = [await deposited(house, box, box.doctor) for _ in range(3)]
    house.time.pass_(86_400)

    async def destroyed(message: UUID) -> list[str]:
        await house.ask(DestroyMessage(message, "", None, evidence()), Statement)
        return list(house.holder.alarms)

    assert await destroyed(box.message) == []
    house.time.pass_(3_600)
    assert await destroyed(others[0].message) == []
    assert await destroyed(others[1].message) == [
        "unusually many messages were destroyed in an hour"
    ]
    assert len(await destroyed(others[2].message)) == 1
