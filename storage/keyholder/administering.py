"""Acts on the table of people and mailboxes: entitled, present, and where needed two people.

The asker proves presence with a time-based code sealed over exactly this act. If a second person
is needed the act waits as a proposal; the second proves presence over the digest of the same
bytes, and whether both may is decided again at that moment.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import msgspec

from storage.keyholder import acts, decisions, factors
from storage.keyholder.asking import Ask, spend_code
from storage.keyholder.attempts import Attempts
from storage.keyholder.clock import DAY, SECOND
from storage.keyholder.core import COMMAND_LINE, Core, No
from storage.keyholder.draft import Draft
from storage.keyholder.effects import EFFECTS, Scene
from storage.keyholder.journal import Event
from storage.keyholder.proposals import statement_of
from storage.keyholder.protocol import Answer, Done, HalfCode, ProposalView, Waiting
from storage.keyholder.records import Mailbox, Person, Proposal

PROPOSAL_LIFE = DAY
URGENT_LIFE = 3_600 * SECOND
"""What cannot wait is asked again rather than approved the next day."""

_acts = msgspec.msgpack.Decoder(acts.AnyAct)

Special = Callable[[Ask, acts.AnyAct, Scene], Awaitable[msgspec.Struct | None]]
"""Work that is no plain change of rows: recovery before the commit, rotation and backup after."""


class Written(No):
    """Refused, and already in the journal together with the code that was used."""


class Administering:
    """Every act of `decisions.RULES`, and the approval of proposals."""

    def __init__(self, core: Core, attempts: Attempts) -> None:
        self._core = core
        self._attempts = attempts
        self.contributions: dict[type[acts.Act], Callable[[Ask], Awaitable[bytearray]]] = {}
        self.before: dict[type[acts.Act], Special] = {}
        self.after: dict[type[acts.Act], Special] = {}

    async def perform(self, ask: Ask) -> Answer:
        session, person = self._core.session(ask.session)
        if session.kind != COMMAND_LINE:
            raise No("not from this kind of session")
        first = await self._contribution(ask)
        async with self._attempts.turn(ask.origin, person.id):
            async with self._core.books.turn:
                draft = self._core.draft()
                proved = self._prove(ask, draft, person.id)
                if proved is not None:
                    return await self._decided(ask, draft, proved, first)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    async def _contribution(self, ask: Ask) -> bytearray:
        """What the first of two people brings, kept with the proposal."""
        if isinstance(ask.act, acts.IssueEnrolment):
            return bytearray(factors.one_time_code(10).encode())
        make = self.contributions.get(type(ask.act))
        return await make(ask) if make is not None else bytearray()

    def _prove(self, ask: Ask, draft: Draft, identifier: UUID) -> Person | None:
        person = draft.get(Person, identifier)
        proved = person and spend_code(self._core, person, ask.proof, recovery=False)
        if proved is not None:
            draft.put(proved)
            self._attempts.clear(draft, identifier)
        return proved

    async def _decided(self, ask: Ask, draft: Draft, person: Person, first: bytearray) -> Answer:
        try:
            if isinstance(ask.act, acts.Approve | acts.Decline):
                return await self._second(ask, ask.act, draft, person)
            return await self._first(ask, draft, person, first)
        except No as no:
            used = self._core.draft()
            used.put(person)  # the code is used up all the same
            entry = ask.entry(Event.REFUSED, person=person.id, reason=str(no))
            await self._core.books.write(entry, used.change())
            raise Written(str(no)) from None

    async def _first(self, ask: Ask, draft: Draft, person: Person, first: bytearray) -> Answer:
        now, act = self._core.clock(), ask.act
        mailbox = _mailbox_of(act, draft)
        if not decisions.may_ask(act, person, mailbox, now):
            raise No("not entitled")
        scene = Scene(draft, now, person.id, None, first, ask.evidence.operation)
        if not decisions.needs_second(act, person, mailbox, now):
            return await self._carry_out(ask, act, scene, sole=False)
        if decisions.may_go_alone(act, had_second=scene.settings().had_second):
            return await self._carry_out(ask, act, scene, sole=True)
        return await self._propose(ask, draft, person, first)

    async def _propose(self, ask: Ask, draft: Draft, person: Person, first: bytearray) -> Waiting:
        now = self._core.clock()
        for old in [held.id for held in draft.all(Proposal) if held.until <= now]:
            draft.delete(Proposal, old)
        digest = acts.digest(ask.act)
        proposal = Proposal(
            uuid4(), acts.canonical(ask.act), digest, person.id, now + _life(ask.act), first
        )
        answer = b""
        if isinstance(ask.act, acts.IssueEnrolment):
            answer = ask.seal(HalfCode(first.decode(), 1))
        draft.put(proposal)
        entry = ask.entry(Event.PROPOSED, person=person.id, subject=proposal.id)
        await self._core.books.write(entry, draft.change())
        return Waiting(proposal.id, digest, proposal.until, answer)

    async def _second(
        self, ask: Ask, act: acts.Approve | acts.Decline, draft: Draft, person: Person
    ) -> Answer:
        proposal, now = draft.get(Proposal, act.proposal), self._core.clock()
        if proposal is None or now >= proposal.until or proposal.digest != act.digest:
            raise No("no such proposal")
        proposed = _acts.decode(proposal.act)
        mailbox = _mailbox_of(proposed, draft)
        requester = draft.get(Person, proposal.requester)
        if requester is None or not decisions.may_approve(
            proposed, requester.id, person, mailbox, now
        ):
            raise No("not entitled")
        draft.delete(Proposal, proposal.id)
        if isinstance(act, acts.Decline):
            entry = ask.entry(Event.CHANGED, person=person.id, subject=proposal.id)
            await self._core.books.write(entry, draft.change())
            return Done(person=person.id, second=requester.id)
        if not decisions.may_ask(proposed, requester, mailbox, now):
            raise No("the requester is not entitled any more")
        operation = ask.evidence.operation
        scene = Scene(draft, now, requester.id, person.id, proposal.secret, operation)
        return await self._carry_out(ask, proposed, scene, sole=False)

    async def _carry_out(self, ask: Ask, act: acts.AnyAct, scene: Scene, *, sole: bool) -> Answer:
        answer: msgspec.Struct | None = None
        if (effect := EFFECTS.get(type(act))) is not None:
            answer = effect(act, scene)
        elif (before := self.before.get(type(act))) is not None:
            answer = await before(ask, act, scene)
        self._core.note_second(scene.draft)
        sealed = ask.seal(answer) if answer is not None else b""
        entry = ask.entry(
            Event.CHANGED,
            act=acts.name(act),
            person=scene.requester,
            second=scene.approver,
            subject=subject_id(act),
            also=getattr(act, "closes", ()),
            sole=sole,
        )
        await self._core.books.write(entry, scene.draft.change())
        for ended in scene.ended:
            self._core.sessions.end_of(ended)
        if (after := self.after.get(type(act))) is not None:
            await after(ask, act, scene)
        # Each is told who the other was; the act is the requester's.
        return Done(scene.requester, sealed, scene.approver, sole)

    def proposals(self) -> tuple[ProposalView, ...]:
        now, rows, settings = self._core.clock(), self._core.draft(), self._core.settings()
        return tuple(
            ProposalView(
                p.id,
                p.digest,
                _acts.decode(p.act),
                p.requester,
                p.until,
                statement_of(settings, rows, p),
            )
            for p in self._core.store.all(Proposal)
            if now < p.until
        )


def _life(act: acts.Act) -> int:
    return URGENT_LIFE if isinstance(act, acts.BreakGlass) else PROPOSAL_LIFE


def subject_id(act: acts.Act) -> UUID | None:
    """What the act is about, for the journal: a mailbox, else a person."""
    mailbox = getattr(act, "mailbox", None)
    return mailbox if isinstance(mailbox, UUID) else decisions.subject_of(act)


def _mailbox_of(act: acts.Act, draft: Draft) -> Mailbox | None:
    mailbox = getattr(act, "mailbox", None)
    return draft.get(Mailbox, mailbox) if isinstance(mailbox, UUID) else None
