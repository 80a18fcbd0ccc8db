"""What an approved act does to the table; each effect sees the draft and who stands behind it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from storage.keyholder import acts, decisions, factors
from storage.keyholder.clock import DAY
from storage.keyholder.core import No
from storage.keyholder.draft import Draft
from storage.keyholder.protocol import HalfCode, Notice
from storage.keyholder.records import (
    SETTINGS,
    Failures,
    Grant,
    Invitation,
    Mailbox,
    Member,
    Person,
    Settings,
    Standing,
)

CODE_LIFE = DAY
BREAK_GLASS_LIFE = 30 * 60 * 1_000_000
REASON = (3, 500)
"""Characters of a stated reason."""


@dataclass(slots=True)
class Scene:
    """Everything an effect may look at and change."""

    draft: Draft
    now: int
    requester: UUID
    approver: UUID | None
    first: bytearray
    """What the first person contributed when asking (half a code)."""
    operation: UUID | None = None
    ended: set[UUID] = field(default_factory=set)
    """People whose sessions end with the act."""

    @property
    def sole(self) -> bool:
        return self.approver is None

    def person(self, identifier: UUID) -> Person:
        person = self.draft.get(Person, identifier)
        if person is None or person.standing is Standing.LEFT:
            raise No("no such person")
        return person

    def mailbox(self, identifier: UUID) -> Mailbox:
        mailbox = self.draft.get(Mailbox, identifier)
        if mailbox is None:
            raise No("no such mailbox")
        return mailbox

    def settings(self) -> Settings:
        settings = self.draft.get(Settings, SETTINGS)
        if settings is None:
            raise No("no settings")
        return settings


def add_person(act: acts.AddPerson, scene: Scene) -> None:
    for other in scene.draft.all(Person):
        if other.id == act.person or other.login.casefold() == act.login.casefold():
            raise No("exists already")
    scene.draft.put(Person(act.person, act.login, Standing.INVITED, scene.now, act.until))


def issue_enrolment(act: acts.IssueEnrolment, scene: Scene) -> HalfCode:
    """The requester has the first half since asking; the approver gets the second. Who acts
    alone, before there is a second person, gets the whole."""
    person = scene.person(act.person)
    if person.standing is Standing.SUSPENDED:
        raise No("suspended")
    second = factors.one_time_code(10)
    code = scene.first + second.encode()
    hashed = factors.code_hash(scene.settings().code_key, "enrolment", code)
    scene.draft.put(
        msgspec.structs.replace(
            person,
            invitation=Invitation(hashed, scene.now + CODE_LIFE),
            pending=None,
            notices=(*person.notices, Notice("enrolment-issued", scene.now)),
        )
    )
    if scene.sole:
        return HalfCode(f"{scene.first.decode()}-{second}", 0)
    return HalfCode(second, 2)


def grant_role(act: acts.GrantRole, scene: Scene) -> None:
    person = scene.person(act.person)
    if any(grant.id == act.grant for grant in person.grants):
        raise No("exists already")
    grant = Grant(
        act.grant, act.role, act.start, act.until, scene.requester, scene.approver, scene.sole
    )
    scene.draft.put(msgspec.structs.replace(person, grants=(*person.grants, grant)))


def revoke_role(act: acts.RevokeRole, scene: Scene) -> None:
    person = scene.person(act.person)
    left = tuple(grant for grant in person.grants if grant.id != act.grant)
    if left == person.grants:
        raise No("no such grant")
    _put_still_administered(msgspec.structs.replace(person, grants=left), scene)
    scene.ended.add(person.id)


def _put_still_administered(changed: Person, scene: Scene) -> None:
    """Who was invited and has not enrolled does not count: nobody might ever come."""
    before = decisions.is_administered(scene.draft.all(Person), scene.now)
    scene.draft.put(changed)
    if before and not decisions.is_administered(scene.draft.all(Person), scene.now):
        raise No("nobody could administer without this person")


def suspend(act: acts.Suspend, scene: Scene) -> None:
    suspend_person(scene.draft, act.person, leave=False, now=scene.now)
    scene.ended.add(act.person)


def leave(act: acts.Leave, scene: Scene) -> None:
    suspend_person(scene.draft, act.person, leave=True, now=scene.now)
    scene.ended.add(act.person)


def suspend_person(draft: Draft, identifier: UUID, *, leave: bool, now: int) -> None:
    """Taking away; on leaving, factors, grants, memberships and tenures end too."""
    person = draft.get(Person, identifier)
    if person is None or person.standing is Standing.LEFT:
        raise No("no such person")
    if decisions.is_indispensable(draft.all(Person), identifier, now):
        raise No("nobody could administer without this person")
    if not leave:
        held = Standing.SUSPENDED
        draft.put(msgspec.structs.replace(person, standing=held, invitation=None, pending=None))
        return
    draft.put(
        Person(person.id, person.login, Standing.LEFT, person.created, last_seen=person.last_seen)
    )
    for mailbox in list(draft.all(Mailbox)):
        members = tuple(member for member in mailbox.members if member.person != identifier)
        closed = mailbox.closed
        if mailbox.owner == identifier and closed is None:
            closed = now
        if members != mailbox.members or closed != mailbox.closed:
            draft.put(msgspec.structs.replace(mailbox, members=members, closed=closed))


def set_end(act: acts.SetEnd, scene: Scene) -> None:
    person = scene.person(act.person)
    if person.until is not None and act.until > person.until:
        raise No("a later end takes two people")
    if decisions.is_indispensable(scene.draft.all(Person), act.person, scene.now):
        raise No("nobody could administer without this person")
    scene.draft.put(msgspec.structs.replace(person, until=act.until))


def reinstate(act: acts.Reinstate, scene: Scene) -> None:
    """Counts as activity: whoever is let back in is not suspended again for the time away."""
    person = scene.person(act.person)
    standing = Standing.ACTIVE if person.factors is not None else Standing.INVITED
    scene.draft.put(
        msgspec.structs.replace(person, standing=standing, until=act.until, last_seen=scene.now)
    )


def lift_lock(act: acts.LiftLock, scene: Scene) -> None:
    scene.person(act.person)
    scene.draft.delete(Failures, act.person)


def open_tenure(act: acts.OpenTenure, scene: Scene) -> None:
    if any(act.mailbox == box.id or act.tenure == box.tenure for box in scene.draft.all(Mailbox)):
        raise No("exists already")
    if act.owner is not None:
        scene.person(act.owner)
    _close_others(act.closes, scene)
    made = Mailbox(act.mailbox, act.tenure, act.owner, scene.now, until=act.until)
    scene.draft.put(msgspec.structs.replace(made, operation=scene.operation))


def close_tenure(act: acts.CloseTenure, scene: Scene) -> None:
    close_mailbox(scene.draft, act.mailbox, scene.now)
    _close_others(act.closes, scene)


def _close_others(mailboxes: tuple[UUID, ...], scene: Scene) -> None:
    for mailbox in mailboxes:
        close_mailbox(scene.draft, mailbox, scene.now)


def close_mailbox(draft: Draft, identifier: UUID, now: int) -> None:
    mailbox = draft.get(Mailbox, identifier)
    if mailbox is None:
        raise No("no such mailbox")
    if mailbox.closed is None:
        draft.put(msgspec.structs.replace(mailbox, closed=now, members=()))


def reopen_tenure(act: acts.ReopenTenure, scene: Scene) -> None:
    mailbox = scene.mailbox(act.mailbox)
    if mailbox.owner is not None and not decisions.is_current(
        scene.person(mailbox.owner), scene.now
    ):
        raise No("the owner is not active")
    _close_others(act.closes, scene)
    scene.draft.put(msgspec.structs.replace(mailbox, closed=None, until=act.until))


def add_member(act: acts.AddMember, scene: Scene) -> None:
    scene.person(act.person)
    member = Member(act.person, act.start, act.until, "member", scene.requester, scene.approver)
    _put_member(scene, act.mailbox, member)


def break_glass(act: acts.BreakGlass, scene: Scene) -> None:
    """Whoever can open the mailbox otherwise is told at the next log-in."""
    if not REASON[0] <= len(act.reason.strip()) <= REASON[1]:
        raise No("no reason stated")
    until = scene.now + BREAK_GLASS_LIFE
    kind = decisions.BREAK_GLASS
    member = Member(scene.requester, scene.now, until, kind, scene.requester, scene.approver)
    mailbox = _put_member(scene, act.mailbox, member)
    told = {mailbox.owner, *(held.person for held in mailbox.members)} - {scene.requester}
    for person in (scene.draft.get(Person, one) for one in told if one is not None):
        if person is not None:
            notices = (*person.notices, Notice(kind, scene.now))[-20:]
            scene.draft.put(msgspec.structs.replace(person, notices=notices))


def end_break_glass(act: acts.EndBreakGlass, scene: Scene) -> None:
    scene.draft.put(without_break_glass(scene.mailbox(act.mailbox), act.person))


def without_break_glass(mailbox: Mailbox, person: UUID) -> Mailbox:
    gone = (person, decisions.BREAK_GLASS)
    left = tuple(member for member in mailbox.members if (member.person, member.kind) != gone)
    if left == mailbox.members:
        raise No("no break-glass of this person")
    return msgspec.structs.replace(mailbox, members=left)


def _put_member(scene: Scene, identifier: UUID, member: Member) -> Mailbox:
    mailbox = scene.mailbox(identifier)
    others = tuple(
        held for held in mailbox.members if (held.person, held.kind) != (member.person, member.kind)
    )
    scene.draft.put(msgspec.structs.replace(mailbox, members=(*others, member)))
    return mailbox


def remove_member(act: acts.RemoveMember, scene: Scene) -> None:
    mailbox = scene.mailbox(act.mailbox)
    left = tuple(member for member in mailbox.members if member.person != act.person)
    if left == mailbox.members:
        raise No("no such member")
    scene.draft.put(msgspec.structs.replace(mailbox, members=left))


def hold(act: acts.Hold, scene: Scene) -> None:
    mailbox = scene.mailbox(act.mailbox)
    holds = (*(held for held in mailbox.holds if held != act.hold), act.hold)
    scene.draft.put(msgspec.structs.replace(mailbox, holds=holds))


def release_hold(act: acts.ReleaseHold, scene: Scene) -> None:
    mailbox = scene.mailbox(act.mailbox)
    left = tuple(held for held in mailbox.holds if held != act.hold)
    if left == mailbox.holds:
        raise No("no such hold")
    scene.draft.put(msgspec.structs.replace(mailbox, holds=left))


Effect = Callable[..., HalfCode | None]

EFFECTS: dict[type[acts.Act], Effect] = {
    acts.AddPerson: add_person,
    acts.IssueEnrolment: issue_enrolment,
    acts.GrantRole: grant_role,
    acts.RevokeRole: revoke_role,
    acts.Suspend: suspend,
    acts.SetEnd: set_end,
    acts.Reinstate: reinstate,
    acts.Leave: leave,
    acts.LiftLock: lift_lock,
    acts.OpenTenure: open_tenure,
    acts.CloseTenure: close_tenure,
    acts.ReopenTenure: reopen_tenure,
    acts.AddMember: add_member,
    acts.RemoveMember: remove_member,
    acts.BreakGlass: break_glass,
    acts.EndBreakGlass: end_break_glass,
    acts.Hold: hold,
    acts.ReleaseHold: release_hold,
}
