"""What every noun of the administration plane works with: stores, ledger, key holder, clock.

A change that concerns the key holder goes in three steps (SECURITY: changes across both stores):
the intent is committed to the ledger, the key holder performs the act on the person's own proof,
and the exchange's copy follows with the row that says it is done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog

from pbx.access.errors import Denied
from pbx.access.floods import Floods
from pbx.access.roles import Role
from pbx.access.sessions import Terminal
from pbx.admin.enders import Enders
from pbx.admin.models import Fact
from storage.database import Database
from storage.deeds import Deed
from storage.devices import Devices
from storage.errors import LedgerUnavailable, StorageUnavailable
from storage.exceptions import Exceptions
from storage.extensions import Extensions
from storage.grants import Grants
from storage.groups import Groups
from storage.holds import Holds
from storage.identifiers import Clock, new_id
from storage.intents import intend
from storage.keyholder import acts
from storage.keyholder.acts import AnyAct
from storage.keyholder.client import (
    InvalidRequest,
    KeyHolder,
    KeyHolderUnavailable,
    Refused,
)
from storage.keyholder.protocol import Done, Evidence, Opened, Origin, Proof, Waiting
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import NOBODY, SYSTEM, Actor, ActorKind, Subject
from storage.ledger.unit import Unit
from storage.mailboxes import SharedMailboxes
from storage.people import People
from storage.reach import Reaches
from storage.sealed.fields import FieldKey
from storage.sites import Sites

log = structlog.get_logger()
Stranger = tuple[Action, Terminal]
"""An act that needs no session, and the account or certificate it was tried from."""
T = TypeVar("T")
P = ParamSpec("P")

REFUSED = "the key holder refused: check what you typed, and whether you are entitled to this"


@dataclass(slots=True)
class Caller:
    """Whoever makes a request: the person behind the session, or nobody yet."""

    deed: Deed
    terminal: Terminal
    person: UUID | None = None
    session: UUID | None = None
    handle: bytes = b""
    roles: frozenset[Role] = frozenset()
    locks_at: int = 0
    """When the session runs out if its person does nothing more."""
    is_refusal_recorded: bool = False

    @property
    def is_stranger(self) -> bool:
        """Nobody is signed in: anybody with the socket can be this caller."""
        return self.deed.actor is NOBODY

    @property
    def someone(self) -> UUID:
        """The signed-in person; routes that need one are guarded."""
        if self.person is None:
            raise Denied("sign in first: pbx login")
        return self.person

    def origin(self) -> Origin:
        return Origin(device="command-line", source=str(self.terminal))


@dataclass(slots=True)
class Plane:
    """Handed to the handlers through `AdminContext.plane`."""

    database: Database
    committer: Committer
    keyholder: KeyHolder
    fields: FieldKey
    clock: Clock
    enders: Enders = field(default_factory=Enders)
    is_behind: bool = True
    """Something we took away may not have reached the key holder yet."""
    catch_up: Callable[[], Awaitable[object]] | None = None
    """Applies what waits; nothing is asked of a key holder that came back before that."""
    floods: Floods[Stranger] = field(
        default_factory=lambda: Floods(lambda kind: (kind[0], Terminal()))
    )
    """Refusals of whoever is not signed in: anybody can cause them, so they are counted."""
    sign_heads: Callable[[], Awaitable[object]] | None = None
    """Has the key holder sign the ends of our chains now."""
    waiting: tuple[str, ...] = ()
    """What ended here and waits for somebody's proof at the key holder, as of the last look."""
    pinned: bytes = b""
    """The key holder's pinned signing key: what details are sealed to is checked against it."""
    key_memory: str = "unknown"
    """Whether it is locked, as the key holder says."""
    key_alarms: tuple[str, ...] = ()
    look_at: int = 0
    """When both tables are to be compared next."""
    watchers: dict[UUID, int] = field(default_factory=dict)
    """Sessions that look at the live console, and when that was last written down."""
    sole_grants: int = 0
    """Grants in force that nobody approved, as of the last look."""
    people: People = field(init=False)
    grants: Grants = field(init=False)
    extensions: Extensions = field(init=False)
    devices: Devices = field(init=False)
    exceptions: Exceptions = field(init=False)
    mailboxes: SharedMailboxes = field(init=False)
    holds: Holds = field(init=False)
    sites: Sites = field(init=False)
    reaches: Reaches = field(init=False)
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        self.people = People(self.fields)
        self.grants = Grants(self.fields)
        self.extensions = Extensions(self.fields)
        self.devices = Devices(self.fields)
        self.exceptions = Exceptions(self.fields)
        self.mailboxes = SharedMailboxes(self.fields)
        self.holds = Holds(self.fields)
        self.sites = Sites(self.fields)
        self.reaches = Reaches(self.fields)
        self.groups = Groups(self.fields)

    def deed(self, actor: Actor = SYSTEM) -> Deed:
        return Deed(actor, new_id(self.clock), self.clock())

    def caller(self, terminal: Terminal) -> Caller:
        return Caller(self.deed(NOBODY), terminal)

    async def run(
        self,
        verb: Callable[Concatenate[Unit, Deed, P], Awaitable[T]],
        deed: Deed,
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """One verb of a store in one unit of work: committed with its rows, or not at all."""

        async def work(unit: Unit) -> T:
            return await verb(unit, deed, *arguments, **named)

        return await self.committer.run(work)

    async def intend(self, deed: Deed, action: Action, subject: Subject | None) -> Evidence:
        """Commits the intent and answers what ties the key holder's journal to it."""
        return await intend(self.committer, deed, action, subject)

    async def begun(self, deed: Deed, person: UUID | None, act: acts.Act) -> None:
        """The row that says the first half of an enrolment is done; nothing of ours has changed
        yet. What a crash leaves open the hourly comparison closes."""
        subject = None if person is None else Subject("person", person)

        async def work(unit: Unit) -> None:
            unit.record(deed.entry(Action.ENROLMENT_BEGUN, subject, after={"act": acts.name(act)}))

        await self.committer.run(work)

    async def perform(
        self,
        caller: Caller,
        act: AnyAct,
        proof: bytes,
        *,
        action: Action,
        subject: Subject | None = None,
        without_ledger: bool = False,
    ) -> Opened | Done | Waiting:
        """Intent, then the act on the caller's proof; a refusal leaves its own row.

        In a flood of failed sign-ins the intent is left out: only what succeeds has rows then.
        `without_ledger`: break-glass, and signing in for it, which the ledger does not stop.
        """
        if self.is_behind and self.catch_up is not None:
            try:
                await self.catch_up()
            except StorageUnavailable:
                if not without_ledger:
                    raise
        if caller.is_stranger and self.floods.is_flooded((action, caller.terminal), self.clock()):
            evidence = Evidence(caller.deed.operation)
        else:
            evidence = await self._evidence(caller.deed, action, subject, optional=without_ledger)
        sealed = Proof(proof, caller.origin(), caller.handle)
        try:
            answer = await self.keyholder.perform(act, sealed, evidence)
        except Refused:
            await self.note_refusal(caller, action, subject, Outcome.REFUSED)
            raise Denied(REFUSED) from None
        except (InvalidRequest, KeyHolderUnavailable):
            await self.note_refusal(caller, action, subject, Outcome.FAILED)
            raise
        if isinstance(answer, Waiting):
            made = Subject("proposal", answer.proposal)
            after = {"act": acts.name(act), "until": answer.until}
            await self.committer.note(caller.deed.entry(Action.PROPOSAL_MADE, made, after=after))
        return answer

    async def _evidence(
        self, deed: Deed, action: Action, subject: Subject | None, *, optional: bool
    ) -> Evidence:
        try:
            return await self.intend(deed, action, subject)
        except LedgerUnavailable:
            if not optional:
                raise
            entry = deed.entry(action, subject, outcome=Outcome.INTENDED)
            await self.committer.note(entry)  # to the spool; the key holder's journal is the record
            return Evidence(deed.operation)

    async def abandon_mailbox(self, mailbox: UUID, operation: UUID) -> None:
        """What this operation opened at the key holder and could not write down here closes."""
        try:
            await self.keyholder.abandon_tenure(mailbox, Evidence(operation))
        except (Refused, KeyHolderUnavailable):
            self.is_behind = True  # the next look at both tables tells

    def alarms(self) -> list[str]:
        return [*self.waiting, *(f"Key holder: {alarm}." for alarm in self.key_alarms)]

    def section(self) -> dict[str, Fact]:
        """For `pbx status`: what one person alone granted stays in sight until it ends."""
        return {
            "roles granted by one person alone": self.sole_grants,
            "key holder's memory": self.key_memory,
        }

    async def report_floods(self, *, all_: bool = False) -> None:
        """One row with its number for refusals that had none of their own."""
        for counted in self.floods.due(self.clock(), all_=all_):
            action, terminal = counted.kind
            deed = self.deed(NOBODY)
            after = {"from": str(terminal), **counted.number}
            await self.committer.note(deed.entry(action, after=after, outcome=Outcome.REFUSED))

    async def note_refusal(
        self, caller: Caller, action: Action, subject: Subject | None, outcome: Outcome
    ) -> None:
        """A row of its own, or one more of many."""
        if caller.is_refusal_recorded:
            return
        caller.is_refusal_recorded = True
        kind = (action, caller.terminal)
        if caller.is_stranger and not self.floods.stands_alone(kind, self.clock()):
            return
        await self.committer.note(caller.deed.entry(action, subject, outcome=outcome))


def actor_of(person: UUID, session: UUID) -> Actor:
    return Actor(ActorKind.PERSON, person, session)
