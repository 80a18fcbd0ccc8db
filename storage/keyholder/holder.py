"""The key holder once it is unlocked: every question finds its part, every refusal its entry."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from storage.keyholder import acts, protocol, recovery
from storage.keyholder.administering import Administering, Written
from storage.keyholder.alarms import Alarms
from storage.keyholder.asking import Ask
from storage.keyholder.attempts import Attempts, Counted, Slowed
from storage.keyholder.books import CannotWrite
from storage.keyholder.core import Core, No
from storage.keyholder.deposit_keys import DepositKeys
from storage.keyholder.due import Due
from storage.keyholder.factors import WeakSecret
from storage.keyholder.heads import Heads
from storage.keyholder.journal import Entry, Event
from storage.keyholder.keyring import PROOF, Keyring
from storage.keyholder.keystores import KeyStore
from storage.keyholder.logins import Logins
from storage.keyholder.messages import Messages
from storage.keyholder.proofs import open_proof
from storage.keyholder.protocol import Answer, Evidence, State
from storage.keyholder.records import Mailbox, Person, Share
from storage.keyholder.segments import Pages
from storage.keyholder.store import StoreError
from storage.keyholder.surroundings import Surroundings
from storage.keyholder.upkeep import Upkeep
from storage.keyholder.views import mailbox_view, person_view
from storage.sealed import primitives
from storage.sealed.primitives import SealedError

Handler = Callable[[Any], Awaitable[Answer]]
MOST_OPERATIONS = 100_000


class Holder:
    """Answers one question at a time or many: order is kept by `books.turn` alone."""

    def __init__(self, core: Core, keystore: KeyStore, directory: Path) -> None:
        self._core = core
        self._keystore = keystore
        self.alarms = Alarms()
        self._attempts = Attempts(core)
        self._keyring = Keyring(core)
        self._logins = Logins(core, self._attempts)
        self._heads = Heads(core, self.alarms)
        self._administering = Administering(core, self._attempts)
        self._add_special_acts(Upkeep(core, self._keyring, keystore, directory))
        self.deposit_keys = DepositKeys(core, self._keyring)
        self._messages = Messages(core, self._keyring, self.deposit_keys, self.alarms)
        self._due = Due(core)
        self._pages = Pages(core.books.journal)
        self._operations: OrderedDict[UUID, None] = OrderedDict()
        self._handlers = self._table(self._messages)

    def _add_special_acts(self, upkeep: Upkeep) -> None:
        recovering, table = recovery.Recovering(self._core), self._administering
        table.contributions[acts.SetRecovery] = recovering.contribution
        table.before |= {
            acts.SetRecovery: recovering.set,
            acts.CollectShare: recovering.collect,
            acts.Backup: upkeep.check_backup,
        }
        table.after |= {acts.Rotate: upkeep.rotate, acts.Backup: upkeep.back_up}

    def _table(self, messages: Messages) -> dict[type[protocol.Request], Handler]:
        return {
            protocol.Ping: self._ping,
            protocol.AskChallenge: self._keyring.challenge,
            protocol.Perform: self._perform,
            protocol.PublicKeys: self._keyring.public_keys,
            protocol.Touch: self._touch,
            protocol.EndSession: self._end_session,
            protocol.EndSessions: self._end_sessions,
            protocol.ListSessions: self._list_sessions,
            protocol.RunDue: self._due.run,
            protocol.AbandonTenure: self._due.abandon,
            protocol.ListPeople: self._list_people,
            protocol.ListMailboxes: self._list_mailboxes,
            protocol.ListProposals: self._list_proposals,
            protocol.AdoptMessage: messages.adopt,
            protocol.AskTicket: messages.ticket,
            protocol.OpenMessage: messages.open,
            protocol.DestroyMessage: messages.destroy,
            protocol.SpentKeys: self.deposit_keys.spent,
            protocol.DestroyDepositKey: self.deposit_keys.destroy,
            protocol.OpenRecordsKey: messages.open_records,
            protocol.IndexNumbers: messages.index,
            protocol.LookUpNumber: messages.look_up,
            protocol.SignHead: self._heads.sign,
            protocol.ReadJournal: self._read_journal,
        }

    async def answer(self, request: protocol.Request) -> Answer:
        try:
            return await self._handlers[type(request)](request)
        except WeakSecret as rule:
            return protocol.Invalid(str(rule))
        except (No, SealedError) as no:
            return await self._refused(request, no)
        except CannotWrite:
            return protocol.Shut(State.FULL)
        except StoreError:
            self.alarms.add("the key store was altered while in use")
            return protocol.Shut(State.ALARMED)

    async def _refused(self, request: protocol.Request, no: Exception) -> Answer:
        quiet = isinstance(no, Written | Counted) or (isinstance(no, Slowed) and no.quiet)
        if not quiet and not isinstance(request, protocol.Touch | protocol.EndSession):
            evidence = getattr(request, "evidence", None)
            act = acts.name(request.act) if isinstance(request, protocol.Perform) else ""
            try:
                await self._core.books.write(_refusal(act or _tag(request), evidence, str(no)))
            except CannotWrite:
                return protocol.Shut(State.FULL)
        return protocol.Refusal()

    async def _perform(self, request: protocol.Perform) -> Answer:
        key = self._keyring.newest(PROOF)
        if key is None:
            raise No("no proof key")
        row = self._keyring.private(key.id)
        proof = open_proof(row.signed, row.private, request.proof.sealed)
        primitives.wipe(row.private)
        try:
            if not self._core.challenges.take(proof.challenge, self._core.clock()):
                raise No("the challenge is not open")
            if proof.digest != acts.digest(request.act):
                raise No("the proof is for another act")
            if proof.session != request.proof.session:
                raise No("the proof is for another session")
            self._check_new(request.evidence.operation)
            ask = Ask(
                request.act, proof, request.proof.origin, request.evidence, request.proof.session
            )
            answer = await self._logins.perform(ask)
            return answer if answer is not None else await self._administering.perform(ask)
        finally:
            proof.secrets.wipe()

    def _check_new(self, operation: UUID) -> None:
        """An operation of the ledger stands for one act: it cannot be told a second time."""
        if operation in self._operations:
            raise No("the operation is not new")
        self._operations[operation] = None
        if len(self._operations) > MOST_OPERATIONS:
            self._operations.popitem(last=False)

    async def _ping(self, _: protocol.Ping) -> Answer:
        return protocol.Pong(State.READY, self._core.books.journal.position.sequence)

    async def _touch(self, request: protocol.Touch) -> Answer:
        session, person = self._core.session(request.session, activity=request.activity)
        return protocol.SessionState(session.view(), self._core.roles(person))

    async def _end_session(self, request: protocol.EndSession) -> Answer:
        session = self._core.sessions.end(request.session)
        if session is None:
            raise No("no such session")
        entry = Entry(event=Event.SESSION_ENDED, person=session.person, subject=session.id)
        await self._core.books.write(entry)
        return protocol.Done(person=session.person)

    async def _end_sessions(self, request: protocol.EndSessions) -> Answer:
        ended = self._core.sessions.end_of(request.person, request.id)
        for session in ended:
            entry = Entry(
                event=Event.SESSION_ENDED,
                person=session.person,
                subject=session.id,
                operation=request.evidence.operation,
                ledger_row=request.evidence.ledger_row,
            )
            await self._core.books.write(entry)
        return protocol.Done(person=request.person)

    async def _list_sessions(self, request: protocol.ListSessions) -> Answer:
        views = self._core.sessions.views(request.person, self._core.clock())
        return protocol.SessionList(views)

    async def _list_people(self, _: protocol.ListPeople) -> Answer:
        locked = self._attempts.locked_until
        people = self._core.store.all(Person)
        return protocol.PersonList(tuple(person_view(one, locked(one.id)) for one in people))

    async def _list_mailboxes(self, _: protocol.ListMailboxes) -> Answer:
        boxes = self._core.store.all(Mailbox)
        return protocol.MailboxList(tuple(mailbox_view(box) for box in boxes))

    async def _list_proposals(self, _: protocol.ListProposals) -> Answer:
        return protocol.ProposalList(self._administering.proposals())

    async def _read_journal(self, request: protocol.ReadJournal) -> Answer:
        entries = self._pages.page(request.start)
        return protocol.JournalPage(entries, self._core.books.journal.position.sequence)

    def report(self, surroundings: Surroundings) -> protocol.KeyReport:
        settings, state = self._core.settings(), self._core.store.state
        waiting = sum(1 for _ in self._core.store.all(Share))
        position = self._core.books.journal.position
        alarms = tuple(self.alarms)
        return protocol.KeyReport(
            state=State.READY,
            keystore=self._keystore.name,
            generation=state.generation,
            journal=position.sequence,
            journal_head=position.chain,
            last_backup=settings.last_backup,
            recovery=recovery.describe(settings.recovery, waiting),
            same_device=surroundings.same_device,
            same_account=surroundings.same_account,
            root_beside=surroundings.root_beside,
            alarms=alarms,
        )

    def close(self) -> None:
        self._core.sessions.clear()
        self._pages.close()
        self._core.stretcher.close()
        self._core.books.close()


def _refusal(act: str, evidence: Evidence | None, reason: str) -> Entry:
    return Entry(
        event=Event.REFUSED,
        act=act,
        operation=evidence.operation if evidence is not None else None,
        ledger_row=evidence.ledger_row if evidence is not None else b"",
        reason=reason,
    )


def _tag(request: protocol.Request) -> str:
    return str(request.__struct_config__.tag)
