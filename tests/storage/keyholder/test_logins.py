"""storage/keyholder/logins.py"""

import base64
import copy
from uuid import uuid4

import msgspec
import pytest

from storage.keyholder import acts, protocol
from storage.keyholder.acts import Role
from storage.keyholder.protocol import Done, Enrolment, Invalid, Opened, Refusal
from storage.keyholder.records import Person
from storage.keyholder.store import Change
from tests.support.key_desk import Desk
from tests.support.keyholder import House, Someone

STRONG = "another long passphrase here"
PIN = "739460"


@pytest.fixture
async def admin(house: House) -> Someone:
    return await house.administrator()


async def test_the_first_administrator_enrols_and_logs_in(house: House, admin: Someone) -> None:
    opened = await house.log_in(admin)

    assert isinstance(opened, Opened)
    assert opened.roles == (Role.SYSTEM_ADMINISTRATOR,)
    assert opened.idle_seconds == 900


async def test_the_installation_enrols_nobody_once_somebody_is_enrolled(
    house: House, admin: Someone
) -> None:
    act = acts.Bootstrap(admin.id, "second")

    answer, _ = await house.perform(act, password=STRONG)

    assert answer == Refusal()


async def test_an_installation_that_was_not_finished_can_be_repeated(house: House) -> None:
    await house.perform(acts.Bootstrap(uuid4(), "lost"), password=STRONG)

    await house.administrator()

    people = await house.ask(protocol.ListPeople(), protocol.PersonList)
    assert [person.login for person in people.people] == ["root"]


async def test_a_weak_password_names_the_rule(house: House, admin: Someone) -> None:
    first, _ = await house.perform(acts.Bootstrap(uuid4(), "x"), password="short")
    enrol, _ = await house.perform(acts.Enrol("x"), new_password="short")
    change, _ = await house.step_up(
        admin, acts.ChangePassword(), password=admin.password, new_password="short"
    )

    for answer in (first, enrol, change):
        assert answer == Invalid("password: 12 to 256 characters")


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"totp": "000000"},
        {"totp": ""},
        {"totp": "", "recovery_code": "ABCDEFGHJK"},
    ],
)
async def test_log_in_needs_both_factors(
    house: House, admin: Someone, wrong: dict[str, str]
) -> None:
    assert await house.log_in(admin, **wrong) == Refusal()


async def test_a_stranger_is_refused_like_anybody(house: House, admin: Someone) -> None:
    answer, _ = await house.perform(acts.LogIn("nobody"), password=STRONG, totp="123456")

    assert answer == Refusal()


async def test_a_code_works_once(house: House, admin: Someone) -> None:
    code = house.code(admin)
    assert isinstance(await house.log_in(admin, totp=code), Opened)

    house.time.pass_(-30)
    assert await house.log_in(admin, totp=code) == Refusal()


async def test_a_recovery_code_stands_in_for_the_time_based_one_once(
    house: House, admin: Someone
) -> None:
    typed = admin.recovery[3].lower()

    assert isinstance(await house.log_in(admin, totp="", recovery_code=typed), Opened)
    assert await house.log_in(admin, totp="", recovery_code=typed) == Refusal()


async def test_a_suspended_person_does_not_get_in(house: House, admin: Someone) -> None:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    await house.done(admin, acts.Suspend(manager.id))

    assert await house.log_in(manager) == Refusal()


async def test_an_account_that_lay_idle_is_shut_though_nobody_asked_for_what_is_due(
    house: House, admin: Someone
) -> None:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    late = Someone(uuid4(), "late")
    await house.done(admin, acts.AddPerson(late.id, late.login))

    house.time.pass_(35 * 86_400 - 3_600)
    for used in (admin, manager):
        assert isinstance(await house.log_in(used), Opened)
    _, halves = await house.two_people(admin, manager, acts.IssueEnrolment(late.id))
    house.time.pass_(3_600)

    assert await house.log_in(doctor) == Refusal()
    code = "-".join(half.half for half in halves)
    enrol = acts.Enrol(late.login)
    answer, _ = await house.perform(enrol, enrolment_code=code, new_password=STRONG)
    assert answer == Refusal()
    for used in (admin, manager):
        assert isinstance(await house.log_in(used), Opened)
    await house.two_people(admin, manager, acts.Reinstate(doctor.id))
    assert isinstance(await house.log_in(doctor), Opened)
    house.time.pass_(35 * 86_400)
    for missed in (manager, admin):
        assert isinstance(await house.log_in(missed), Opened), "nobody could bring them back"
    assert await house.log_in(doctor) == Refusal()


async def test_an_enrolment_code_works_once_and_for_a_day(house: House, admin: Someone) -> None:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    _, halves = await house.two_people(admin, manager, acts.IssueEnrolment(doctor.id))
    code = "-".join(half.half for half in halves)
    act = acts.Enrol("doctor")

    house.time.pass_(86_400)
    late, _ = await house.perform(act, enrolment_code=code, new_password=STRONG)
    assert late == Refusal()

    await house.log_in(admin)
    await house.log_in(manager)
    doctor.password = STRONG
    old = doctor.session
    await house.enrol(doctor, admin, manager)
    assert [notice.kind for notice in doctor.notices][-2:] == ["enrolment-issued", "enrolled"]
    again, _ = await house.perform(act, enrolment_code=code, new_password=STRONG)
    assert again == Refusal()
    assert await house.holder.answer(protocol.Touch(old)) == Refusal()


async def test_neither_half_of_a_code_enrols(house: House, admin: Someone) -> None:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    _, halves = await house.two_people(admin, manager, acts.IssueEnrolment(doctor.id))
    assert [half.position for half in halves] == [1, 2]

    for half in halves:
        answer, _ = await house.perform(
            acts.Enrol("doctor"), enrolment_code=half.half, new_password=STRONG
        )
        assert answer == Refusal()


async def test_an_enrolment_is_confirmed_with_the_new_secret_alone(
    house: House, admin: Someone
) -> None:
    someone = Someone(uuid4(), "new")
    await house.done(admin, acts.AddPerson(someone.id, "new"))
    confirm = acts.ConfirmEnrolment("new")
    early, _ = await house.perform(confirm, password=STRONG, totp="123456")
    assert early == Refusal()
    _, halves = await house.two_people(admin, None, acts.IssueEnrolment(someone.id))
    answer, asker = await house.perform(
        acts.Enrol("new"), enrolment_code=halves[0].half, new_password=STRONG
    )
    assert isinstance(answer, Done)
    someone.password = STRONG

    wrong, _ = await house.perform(confirm, password=STRONG, totp="000000")
    assert wrong == Refusal()
    await house.confirm(someone, asker.open(answer.answer, Enrolment))
    gone, _ = await house.perform(confirm, password=STRONG, totp=house.code(someone))
    assert gone == Refusal()


async def test_an_enrolment_that_was_withdrawn_is_not_confirmed(
    house: House, admin: Someone
) -> None:
    """Suspended between the two steps."""
    someone = Someone(uuid4(), "new")
    await house.done(admin, acts.AddPerson(someone.id, "new"))
    _, halves = await house.two_people(admin, None, acts.IssueEnrolment(someone.id))
    enrol = acts.Enrol("new")
    secrets = {"enrolment_code": halves[0].half, "new_password": someone.password}
    answer, asker = await house.perform(enrol, **secrets)
    assert isinstance(answer, Done)
    enrolment = asker.open(answer.answer, Enrolment)
    await house.done(admin, acts.Suspend(someone.id))

    with pytest.raises(AssertionError, match="Refusal"):
        await house.confirm(someone, enrolment)
    again, _ = await house.perform(enrol, **secrets)
    assert again == Refusal()


async def test_a_password_is_changed_by_its_owner_with_both_factors(
    house: House, admin: Someone
) -> None:
    act = acts.ChangePassword()

    wrong, _ = await house.step_up(admin, act, password="wrong", new_password=STRONG)
    stale, _ = await house.perform(
        act, session=admin.session, password=admin.password, new_password=STRONG, totp="000000"
    )
    await house.done(admin, act, password=admin.password, new_password=STRONG)

    assert wrong == stale == Refusal()
    assert await house.log_in(admin) == Refusal()
    house.time.pass_(900)  # three failures slow the device
    admin.password = STRONG
    assert isinstance(await house.log_in(admin), Opened)


@pytest.mark.parametrize("changed", ["password", "app"])
async def test_whoever_else_has_a_session_loses_it_when_a_factor_changes(
    house: House, admin: Someone, changed: str
) -> None:
    thief = copy.copy(admin)
    assert isinstance(await house.log_in(thief), Opened)
    assert await _alive(house, thief, admin) == [thief.session, admin.session]

    if changed == "password":
        await house.done(admin, acts.ChangePassword(), password=admin.password, new_password=STRONG)
    else:
        begun = await _begun(house, admin)
        assert await _alive(house, thief) == [thief.session], "nothing has changed yet"
        thief.totp = admin.totp = begun.totp
        await house.done(admin, acts.ConfirmTotp())

    assert await _alive(house, thief, admin) == [admin.session]


async def _alive(house: House, *people: Someone) -> list[bytes]:
    """The sessions in which somebody can still prove that they are there."""
    found = []
    for someone in people:
        answer, _ = await house.step_up(someone, acts.StepUp("export", b"what"))
        found += [someone.session] if isinstance(answer, Done) else []
    return found


async def test_a_lost_authenticator_is_replaced_with_a_recovery_code(
    house: House, admin: Someone
) -> None:
    act = acts.ReplaceTotp()
    wrong, _ = await house.step_up(admin, act, password="wrong")
    assert wrong == Refusal()
    unused, _ = await house.step_up(admin, acts.ConfirmTotp())
    assert unused == Refusal()
    answer, asker = await house.perform(
        act, session=admin.session, password=admin.password, recovery_code=admin.recovery[0]
    )
    assert isinstance(answer, Done)
    enrolment = asker.open(answer.answer, Enrolment)
    no_code, _ = await house.perform(act, session=admin.session, password=admin.password)
    assert no_code == Refusal()
    import base64

    old, admin.totp = admin.totp, base64.b32decode(enrolment.totp_secret)
    before = Someone(admin.id, admin.login, totp=old, session=admin.session)
    still_old, _ = await house.step_up(before, acts.ConfirmTotp())
    assert still_old == Refusal()
    house.time.pass_(900)
    assert isinstance(await house.log_in(before), Opened)

    await house.done(
        Someone(admin.id, "", totp=admin.totp, session=before.session), acts.ConfirmTotp()
    )

    assert await house.log_in(before) == Refusal()
    assert isinstance(await house.log_in(admin), Opened)


async def test_a_pin_opens_a_phone_session_which_can_change_the_pin_alone(
    house: House, admin: Someone
) -> None:
    await house.done(admin, acts.SetPin(("1001",)), new_pin=PIN)
    act = acts.PhoneLogIn(admin.id)
    no_code, _ = await house.perform(
        acts.SetPin(), session=admin.session, new_pin=PIN, totp="000000"
    )
    assert no_code == Refusal()
    house.time.pass_(890)

    wrong, _ = await house.perform(act, pin="111222")
    opened, _ = await house.perform(act, pin=PIN)
    assert wrong == Refusal()
    assert isinstance(opened, Opened)
    assert (opened.kind, opened.idle_seconds) == ("phone", 300)
    phone = Someone(admin.id, "", totp=admin.totp, session=opened.session)
    for forbidden in (acts.StepUp("x", b""), acts.Suspend(admin.id), acts.ReplaceTotp()):
        refused, _ = await house.step_up(phone, forbidden)
        assert refused == Refusal()
    not_known, _ = await house.perform(
        acts.SetPin(), session=opened.session, pin="000000", new_pin="830715246"
    )
    changed, _ = await house.perform(
        acts.SetPin(), session=opened.session, pin=PIN, new_pin="830715246"
    )
    assert not_known == Refusal()
    assert isinstance(changed, Done)
    weak, _ = await house.perform(
        acts.SetPin(), session=opened.session, pin="830715246", new_pin="123456"
    )
    assert weak == Invalid("PIN: counts up or down")


async def test_where_a_second_factor_is_wanted_a_pin_alone_opens_nothing(
    house: House, admin: Someone
) -> None:
    await house.done(admin, acts.SetPin(("1001",)), new_pin=PIN)
    alone, both = acts.PhoneLogIn(admin.id), acts.PhoneLogIn(admin.id, second=True)

    assert isinstance((await house.perform(alone, pin=PIN))[0], Opened)
    assert (await house.perform(both, pin=PIN))[0] == Refusal()
    code = house.code(admin)
    assert isinstance((await house.perform(both, pin=PIN, totp=code))[0], Opened)
    assert (await house.perform(both, pin=PIN, totp=code))[0] == Refusal(), "it works once"


async def test_a_new_pin_is_not_the_present_one(house: House, admin: Someone) -> None:
    await house.done(admin, acts.SetPin(), new_pin=PIN)
    opened, _ = await house.perform(acts.PhoneLogIn(admin.id), pin=PIN)
    assert isinstance(opened, Opened)

    same, _ = await house.perform(acts.SetPin(), session=opened.session, pin=PIN, new_pin=PIN)
    other, _ = await house.perform(
        acts.SetPin(), session=opened.session, pin=PIN, new_pin="830715246"
    )

    assert same == Invalid("PIN: the present one again")
    assert isinstance(other, Done)


async def test_a_telephone_tells_what_it_has_words_for_and_leaves_the_rest(
    house: House, admin: Someone
) -> None:
    await house.done(admin, acts.SetPin(), new_pin=PIN)
    row = house.core.store.get(Person, admin.id)
    assert row is not None
    notices = (protocol.Notice("enrolled", 1), protocol.Notice("locked", 2))
    change = Change(put=[msgspec.structs.replace(row, notices=notices)])
    house.core.store.commit(change, house.core.store.state.position, 0)

    by_phone, _ = await house.perform(acts.PhoneLogIn(admin.id), pin=PIN)
    again, _ = await house.perform(acts.PhoneLogIn(admin.id), pin=PIN)
    at_terminal = await house.log_in(admin)

    assert isinstance(by_phone, Opened)
    assert isinstance(again, Opened)
    assert isinstance(at_terminal, Opened)
    kinds = [[one.kind for one in each.notices] for each in (by_phone, again, at_terminal)]
    assert kinds == [["locked"], [], ["enrolled"]]


async def test_a_pin_of_nobody_or_of_somebody_who_left_opens_nothing(
    house: House, admin: Someone
) -> None:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    await house.done(manager, acts.SetPin(), new_pin=PIN)
    await house.done(admin, acts.Suspend(manager.id))

    suspended, _ = await house.perform(acts.PhoneLogIn(manager.id), pin=PIN)
    nobody, _ = await house.perform(acts.PhoneLogIn(uuid4()), pin=PIN)

    assert suspended == nobody == Refusal()


async def test_a_step_up_proves_presence_for_one_act(house: House, admin: Someone) -> None:
    answer, _ = await house.step_up(admin, acts.StepUp("export", b"message 1"))
    wrong, _ = await house.perform(
        acts.StepUp("export", b"message 2"), session=admin.session, totp="000000"
    )

    assert isinstance(answer, Done)
    assert wrong == Refusal()


async def test_somebody_who_went_between_two_steps_is_refused(house: House, admin: Someone) -> None:
    """The row vanishes while argon2id is at work: decided again afterwards."""
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    await house.done(manager, acts.SetPin(), new_pin=PIN)
    stretcher, store = house.core.stretcher, house.core.store
    real = stretcher.matches

    async def leave_meanwhile(*arguments: object) -> bool:
        found = await real(*arguments)  # type: ignore[arg-type]
        draft = house.core.draft()
        draft.delete(Person, manager.id)
        store.commit(draft.change(), house.core.books.journal.position, 0)
        return found

    stretcher.matches = leave_meanwhile  # type: ignore[method-assign]
    secrets = {"password": manager.password, "totp": house.code(manager), "pin": PIN}
    for act in (acts.LogIn("manager"), acts.PhoneLogIn(manager.id)):
        row = store.get(Person, manager.id)
        answer, _ = await house.perform(act, **secrets)
        assert answer == Refusal()
        draft = house.core.draft()
        draft.put(row)  # type: ignore[arg-type]
        store.commit(draft.change(), house.core.books.journal.position, 0)


async def test_a_security_key_is_added_and_removed_by_password_and_code(
    house: House, admin: Someone
) -> None:
    desk = Desk(house, admin)

    key, added = await desk.add()
    removed = await house.done(admin, acts.RemoveSecurityKey(key), password=admin.password)

    assert isinstance(added, Done)
    assert removed.person == admin.id
    assert await desk.log_in() == Refusal()


async def _begun(house: House, admin: Someone) -> Someone:
    """Somebody who knew password and code for a moment has begun a new app, and waits."""
    answer, asker = await house.step_up(admin, acts.ReplaceTotp(), password=admin.password)
    assert isinstance(answer, Done)
    secret = asker.open(answer.answer, Enrolment).totp_secret
    totp = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return Someone(admin.id, admin.login, admin.password, totp, session=admin.session)


async def test_a_new_app_that_was_begun_is_confirmed_in_a_session_alone(
    house: House, admin: Someone
) -> None:
    thief = await _begun(house, admin)

    answer, _ = await house.perform(
        acts.ConfirmEnrolment(admin.login), password=thief.password, totp=house.code(thief)
    )

    assert answer == Refusal()
    await house.done(thief, acts.ConfirmTotp())


async def test_a_new_app_that_was_begun_before_the_password_changed_counts_no_more(
    house: House, admin: Someone
) -> None:
    thief = await _begun(house, admin)
    await house.done(admin, acts.ChangePassword(), password=admin.password, new_password=STRONG)

    answer, _ = await house.step_up(thief, acts.ConfirmTotp())

    assert answer == Refusal()
    admin.password = STRONG
    assert isinstance(await house.log_in(admin), Opened)


async def test_an_enrolment_that_was_begun_is_not_finished_after_a_long_time(
    house: House, admin: Someone
) -> None:
    late = Someone(uuid4(), "late")
    await house.done(admin, acts.AddPerson(late.id, late.login))
    _, halves = await house.two_people(admin, None, acts.IssueEnrolment(late.id))
    code = "-".join(half.half for half in halves)
    answer, asker = await house.perform(
        acts.Enrol(late.login), enrolment_code=code, new_password=late.password
    )
    assert isinstance(answer, Done)
    secret = asker.open(answer.answer, Enrolment).totp_secret
    late.totp = base64.b32decode(secret + "=" * (-len(secret) % 8))
    house.time.pass_(36 * 86_400)

    confirmed, _ = await house.perform(
        acts.ConfirmEnrolment(late.login), password=late.password, totp=house.code(late)
    )

    assert confirmed == Refusal()
