"""storage/keyholder/effects.py"""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.keyholder import acts, effects
from storage.keyholder.acts import Role
from storage.keyholder.core import No
from storage.keyholder.draft import Draft
from storage.keyholder.effects import EFFECTS, Scene
from storage.keyholder.journal import Position
from storage.keyholder.protocol import HalfCode
from storage.keyholder.records import (
    SETTINGS,
    Factors,
    Failures,
    Grant,
    Invitation,
    Mailbox,
    Member,
    Person,
    Settings,
    Standing,
    Stretched,
)
from storage.keyholder.store import Store

NOW = 1000
ANN, BEN, EVE, BOX, TENURE = (UUID(int=number) for number in range(1, 6))
FACTORS = Factors(Stretched(b"", b"", 1, 1, 1), b"", ())
GRANT = Grant(UUID(int=9), Role.PHYSICIAN, 0, None, None, None)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    store = Store.create(tmp_path / "store", b"k" * 32, b"w", Position())
    draft = Draft(store)
    draft.put(Settings(SETTINGS, bytearray(32), bytearray(32), bytearray(32)))
    draft.put(Person(ANN, "ann", Standing.ACTIVE, 0, factors=FACTORS, grants=(GRANT,)))
    draft.put(Person(BEN, "ben", Standing.INVITED, 0))
    draft.put(Person(EVE, "eve", Standing.LEFT, 0))
    draft.put(Mailbox(BOX, TENURE, ANN, 0, members=(Member(BEN, 0, None, "member"),)))
    return Scene(draft, NOW, UUID(int=7), UUID(int=8), bytearray(b"FIRST"))


def apply(act: Any, scene: Scene) -> HalfCode | None:
    return EFFECTS[type(act)](act, scene)


def person(scene: Scene, identifier: UUID = ANN) -> Person:
    found = scene.draft.get(Person, identifier)
    assert found is not None
    return found


def box(scene: Scene) -> Mailbox:
    return scene.mailbox(BOX)


@pytest.mark.parametrize(
    "act",
    [
        acts.AddPerson(ANN, "new"),
        acts.AddPerson(uuid4(), "ANN"),
        acts.IssueEnrolment(EVE),
        acts.IssueEnrolment(uuid4()),
        acts.GrantRole(GRANT.id, ANN, Role.BILLING, 0),
        acts.RevokeRole(uuid4(), ANN),
        acts.Suspend(EVE),
        acts.Leave(uuid4()),
        acts.SetEnd(EVE, 5),
        acts.Reinstate(EVE),
        acts.LiftLock(EVE),
        acts.OpenTenure(BOX, uuid4(), ANN),
        acts.OpenTenure(uuid4(), TENURE, ANN),
        acts.OpenTenure(uuid4(), uuid4(), EVE),
        acts.CloseTenure(uuid4()),
        acts.ReopenTenure(uuid4()),
        acts.AddMember(BOX, EVE, 0),
        acts.AddMember(uuid4(), BEN, 0),
        acts.RemoveMember(BOX, ANN),
        acts.Hold(uuid4(), uuid4()),
        acts.ReleaseHold(BOX, uuid4()),
    ],
)
def test_what_makes_no_sense_is_refused(scene: Scene, act: acts.Act) -> None:
    with pytest.raises(No):
        apply(act, scene)


def test_people_are_added_suspended_and_reinstated(scene: Scene) -> None:
    new = uuid4()
    apply(acts.AddPerson(new, "new", until=5), scene)
    assert person(scene, new).standing is Standing.INVITED
    apply(acts.Suspend(ANN), scene)
    assert person(scene).standing is Standing.SUSPENDED
    with pytest.raises(No, match="suspended"):
        apply(acts.IssueEnrolment(ANN), scene)
    apply(acts.Reinstate(ANN, until=9), scene)
    assert (person(scene).standing, person(scene).until) == (Standing.ACTIVE, 9)
    apply(acts.Reinstate(BEN), scene)
    assert person(scene, BEN).standing is Standing.INVITED
    assert scene.ended == {ANN}


def test_leaving_ends_everything_of_a_person(scene: Scene) -> None:
    scene.draft.put(Mailbox(UUID(int=30), UUID(int=31), BEN, 0))
    scene.draft.put(Mailbox(UUID(int=32), UUID(int=33), ANN, 0, closed=5))
    apply(acts.Leave(ANN), scene)
    apply(acts.Leave(BEN), scene)

    gone = person(scene)
    assert (gone.standing, gone.factors, gone.grants, gone.pin) == (Standing.LEFT, None, (), None)
    assert (box(scene).closed, box(scene).members) == (NOW, ())
    assert scene.mailbox(UUID(int=32)).closed == 5
    assert scene.ended == {ANN, BEN}


def test_each_of_two_people_gets_half_of_an_enrolment_code(scene: Scene) -> None:
    half = apply(acts.IssueEnrolment(ANN), scene)

    assert half is not None
    assert half.position == 2
    invitation = person(scene).invitation
    assert isinstance(invitation, Invitation)
    assert invitation.until == NOW + effects.CODE_LIFE
    scene.approver = None
    whole = apply(acts.IssueEnrolment(ANN), scene)
    assert whole is not None
    assert whole.position == 0
    assert whole.half.startswith("FIRST-")


def test_grants_name_who_asked_and_who_approved(scene: Scene) -> None:
    new = acts.GrantRole(uuid4(), ANN, Role.BILLING, 5, 50)
    apply(new, scene)
    made = person(scene).grants[1]
    assert (made.requester, made.approver, made.sole) == (UUID(int=7), UUID(int=8), False)
    apply(acts.RevokeRole(new.grant, ANN), scene)
    assert person(scene).grants == (GRANT,)


def test_a_lock_is_lifted(scene: Scene) -> None:
    scene.draft.put(Failures(ANN, (), 99))
    apply(acts.LiftLock(ANN), scene)
    assert scene.draft.get(Failures, ANN) is None


def test_tenures_open_close_and_reopen_for_the_same_owner(scene: Scene) -> None:
    shared, tenure = uuid4(), uuid4()
    apply(acts.OpenTenure(shared, tenure, None, until=70), scene)
    apply(acts.OpenTenure(uuid4(), uuid4(), ANN), scene)
    assert scene.mailbox(shared).owner is None
    apply(acts.CloseTenure(BOX), scene)
    apply(acts.CloseTenure(BOX), scene)
    assert (box(scene).closed, box(scene).members) == (NOW, ())
    apply(acts.ReopenTenure(BOX, until=60), scene)
    assert (box(scene).closed, box(scene).until) == (None, 60)
    apply(acts.ReopenTenure(shared), scene)
    apply(acts.CloseTenure(BOX), scene)
    apply(acts.Suspend(ANN), scene)
    with pytest.raises(No, match="owner"):
        apply(acts.ReopenTenure(BOX), scene)


def test_members_come_and_go(scene: Scene) -> None:
    apply(acts.AddMember(BOX, BEN, 5, 50), scene)
    member = box(scene).members[0]
    assert (len(box(scene).members), member.until) == (1, 50)
    apply(acts.RemoveMember(BOX, BEN), scene)
    assert box(scene).members == ()


def test_break_glass_lets_the_asker_in_for_half_an_hour_and_tells_the_owner(
    scene: Scene,
) -> None:
    apply(acts.BreakGlass(BOX, "cannot wait"), scene)

    member = box(scene).members[1]
    assert (member.person, member.kind) == (UUID(int=7), "break-glass")
    assert member.until == NOW + 30 * 60 * 1_000_000
    assert person(scene).notices[-1].kind == "break-glass"
    assert person(scene, BEN).notices[-1].kind == "break-glass", "a member is told too"
    shared = uuid4()
    apply(acts.OpenTenure(shared, uuid4(), None), scene)
    scene.draft.put(
        msgspec.structs.replace(
            scene.mailbox(shared), members=(Member(uuid4(), 0, None, "member"),)
        )
    )
    apply(acts.BreakGlass(shared, "cannot wait"), scene)
    for reason in ("", "  a ", "x" * 501):
        with pytest.raises(No, match="reason"):
            apply(acts.BreakGlass(BOX, reason), scene)
    end = acts.EndBreakGlass(BOX, UUID(int=7))
    apply(end, scene)
    assert [held.person for held in box(scene).members] == [BEN]
    with pytest.raises(No, match="no break-glass"):
        apply(end, scene)


def test_holds_are_kept_one_by_one(scene: Scene) -> None:
    one, two = uuid4(), uuid4()
    for hold in (one, two, one):
        apply(acts.Hold(BOX, hold), scene)
    assert set(box(scene).holds) == {one, two}
    apply(acts.ReleaseHold(BOX, one), scene)
    assert box(scene).holds == (two,)


def test_without_settings_nothing_is_issued(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "other", b"k" * 32, b"w", Position())
    scene = Scene(Draft(store), NOW, ANN, None, bytearray())

    with pytest.raises(No):
        scene.settings()


def test_an_end_comes_earlier_by_one_person_and_later_by_two(scene: Scene) -> None:
    apply(acts.SetEnd(ANN, 50), scene)
    apply(acts.SetEnd(ANN, 40), scene)
    assert person(scene).until == 40
    with pytest.raises(No, match="two people"):
        apply(acts.SetEnd(ANN, 41), scene)
    apply(acts.Reinstate(ANN, until=41), scene)
    assert (person(scene).until, person(scene).last_seen) == (41, NOW)


def test_what_gives_way_closes_with_the_act(scene: Scene) -> None:
    made, tenure, last = uuid4(), uuid4(), uuid4()
    scene.operation = uuid4()
    apply(acts.OpenTenure(made, tenure, ANN, closes=(BOX,)), scene)
    assert box(scene).closed == NOW
    assert scene.mailbox(made).operation == scene.operation
    apply(acts.ReopenTenure(BOX, closes=(made,)), scene)
    assert (box(scene).closed, scene.mailbox(made).closed) == (None, NOW)
    apply(acts.OpenTenure(last, uuid4(), ANN), scene)
    apply(acts.CloseTenure(last, closes=(BOX,)), scene)
    assert (scene.mailbox(last).closed, box(scene).closed) == (NOW, NOW)


@pytest.mark.parametrize(
    "act",
    [
        acts.Leave(ANN),
        acts.Suspend(ANN),
        acts.SetEnd(ANN, NOW),
        acts.RevokeRole(UUID(int=10), ANN),
    ],
)
def test_the_last_who_can_administer_stays(scene: Scene, act: acts.Act) -> None:
    grant = Grant(UUID(int=10), Role.SYSTEM_ADMINISTRATOR, 0, None, None, None)
    scene.draft.put(msgspec.structs.replace(person(scene), grants=(grant,)))

    with pytest.raises(No, match="nobody could administer"):
        apply(act, scene)
