"""Message secrets, tickets, records keys and the patient-number index.

Every opening is decided from the key holder's own table and is in the journal, durably, before
the key leaves.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from storage.keyholder import decisions, protocol, signing, slots, vouchers
from storage.keyholder.alarms import Alarms
from storage.keyholder.clock import DAY, SECOND
from storage.keyholder.core import Core, No
from storage.keyholder.deposit_keys import DepositKeys
from storage.keyholder.journal import Entry, Event
from storage.keyholder.keyring import DEPOSIT, RECORDS, Keyring
from storage.keyholder.protocol import Evidence
from storage.keyholder.records import Mailbox, MessageSecret, Person, Tombstone
from storage.keyholder.signing import SignedStatement
from storage.keyholder.vouchers import Vouched
from storage.sealed import primitives

TICKET_LIFE = 60 * SECOND
MAX_TICKETS = 10_000
MAX_COUNTED = 1_000
LOOK_UPS = 20
"""Look-ups of one session in a minute: all North American numbers are tried in no useful time."""

INDEXED_AN_HOUR = 5_000
"""Numbers indexed in an hour: the calls of a large site, and for all North American numbers more
than a hundred years."""
HOUR = 3_600 * SECOND
MANY_DESTROYED = 100
"""In an hour, or a tenth of those held: more, on the exchange's word, are an alarm."""
DELETION_WINDOW = DAY
"""No message is destroyed younger than this on the exchange's word alone."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a ticket stands for."""

    session: bytes
    message: UUID
    evidence: Evidence
    expires: int


class Messages:
    def __init__(
        self, core: Core, keyring: Keyring, deposit_keys: DepositKeys, alarms: Alarms
    ) -> None:
        self._core = core
        self._keyring = keyring
        self._tickets: OrderedDict[bytes, Pass] = OrderedDict()
        self._look_ups: OrderedDict[bytes, list[int]] = OrderedDict()
        self._indexed = (0, 0)
        """The hour, and how many numbers were indexed in it."""
        self._deposit_keys = deposit_keys
        self._destroyed = (0, 0)
        """The hour, and how many messages were destroyed in it on the exchange's word alone."""
        self._alarms = alarms
        self._holding = {
            content: secret.id
            for secret in core.store.all(MessageSecret)
            for content in secret.contents
        }
        """Content -> the one message it belongs to."""

    async def adopt(self, request: protocol.AdoptMessage) -> protocol.Wrapped:
        """From now on the message opens only with a secret that exists here and nowhere else."""
        async with self._core.books.turn:
            store = self._core.store
            row = self._keyring.private(request.key)
            known = store.get(MessageSecret, request.message)
            if row.signed.purpose != DEPOSIT or row.signed.mailbox != request.mailbox:
                raise No("not a key of this mailbox")
            for dead in (request.message, content_id(request.content)):
                if store.get(Tombstone, dead) is not None:
                    raise No("destroyed already")
            if known is not None and known.mailbox != request.mailbox:
                raise No("belongs to another mailbox")
            if self._holding.get(request.content, request.message) != request.message:
                raise No("belongs to another message")
            key = slots.open_deposit_slot(row.signed, row.private, request.content, request.slot)
            secret = known or MessageSecret(
                request.message,
                request.mailbox,
                bytearray(primitives.random(32)),
                self._core.clock(),
            )
            slot = slots.adopted_slot(secret.secret, request.message, request.content, key)
            primitives.wipe(key)
            if request.content not in secret.contents:
                # Asked again after a crash: the same secret, no second entry.
                contents = (*secret.contents, request.content)
                deposits = (*secret.deposits, request.key)
                draft = self._core.draft()
                draft.put(msgspec.structs.replace(secret, contents=contents, deposits=deposits))
                entry = _entry(Event.MESSAGE_ADOPTED, request.evidence, request.message)
                await self._core.books.write(entry, draft.change())
                self._holding[request.content] = request.message
            self._deposit_keys.adopted(request.key)
        return protocol.Wrapped(slot)

    async def ticket(self, request: protocol.AskTicket) -> protocol.Ticket:
        session, person = self._core.session(request.session)
        if session.must_change:
            raise No("the PIN has expired")
        secret, now = self._may_open(person, request.message), self._core.clock()
        if not request.evidence.ledger_row and not self._is_break_glass(person, secret):
            raise No("no ledger row")  # break-glass alone may do without: its record is here
        ticket = primitives.random(32)
        expires = now + TICKET_LIFE
        self._tickets[primitives.sha256(ticket)] = Pass(
            request.session, request.message, request.evidence, expires
        )
        if len(self._tickets) > MAX_TICKETS:
            self._tickets.popitem(last=False)
        return protocol.Ticket(ticket, expires)

    def _may_open(self, person: Person, message: UUID) -> MessageSecret:
        secret = self._core.store.get(MessageSecret, message)
        mailbox = self._core.store.get(Mailbox, secret.mailbox) if secret else None
        if secret is None or mailbox is None:
            raise No("no such message")
        if not decisions.may_open(person, mailbox, self._core.clock()):
            raise No("not a reader of this mailbox")
        return secret

    def _is_break_glass(self, person: Person, secret: MessageSecret) -> bool:
        mailbox = self._core.store.get(Mailbox, secret.mailbox)
        now = self._core.clock()
        return mailbox is not None and decisions.opens_by_break_glass(person, mailbox, now)

    async def open(self, request: protocol.OpenMessage) -> protocol.MessageKey:
        """On the worker's edge. Everything is decided again: a minute is long."""
        held = self._tickets.pop(primitives.sha256(request.ticket), None)
        if held is None or self._core.clock() >= held.expires:
            raise No("no such ticket")
        async with self._core.books.turn:
            session, person = self._core.session(held.session)
            secret = self._may_open(person, held.message)
            if not vouchers.is_good(
                session.binding,
                Vouched(request.voucher, request.asker),
                ticket=request.ticket,
                content=request.content,
                message=held.message,
            ):
                raise No("not vouched for by who signed in")
            key = slots.open_adopted_slot(
                secret.secret, held.message, request.content, request.slot
            )
            entry = msgspec.structs.replace(
                _entry(Event.MESSAGE_OPENED, held.evidence, held.message),
                act=decisions.BREAK_GLASS if self._is_break_glass(person, secret) else "",
                person=person.id,
                second=session.id,
            )
            await self._core.books.write(entry)
        return protocol.MessageKey(bytearray(key))

    async def destroy(self, request: protocol.DestroyMessage) -> protocol.Statement:
        """The secret is overwritten, a tombstone stays; the certificate names the last copy."""
        async with self._core.books.turn:
            store, now = self._core.store, self._core.clock()
            buried = store.get(Tombstone, request.message)
            if buried is not None and buried.certificate is not None:
                return protocol.Statement(buried.certificate)
            secret = store.get(MessageSecret, request.message)
            mailbox = store.get(Mailbox, secret.mailbox) if secret else None
            if secret is None or mailbox is None:
                raise No("no such message")
            if mailbox.holds:
                raise No("on hold")
            if now < secret.adopted + DELETION_WINDOW:
                self._check_wish(request)
            else:
                self._count_destroyed(now)
            statement = self._certificate(request, secret, now)
            await self._bury(request, secret, Tombstone(request.message, now, statement))
        return protocol.Statement(statement)

    def _check_wish(self, request: protocol.DestroyMessage) -> None:
        """A young message goes only if somebody who may open it wants it so."""
        if not request.session:
            raise No("too young to be destroyed without a session of its mailbox")
        _, person = self._core.session(request.session)
        self._may_open(person, request.message)

    def _count_destroyed(self, now: int) -> None:
        """Retention lets a few go every day; whoever took the exchange over could destroy all."""
        hour = now // HOUR
        count = self._destroyed[1] + 1 if hour == self._destroyed[0] else 1
        self._destroyed = (hour, count)
        if count > max(MANY_DESTROYED, len(self._holding) // 10):
            self._alarms.add("unusually many messages were destroyed in an hour")

    async def _bury(
        self, request: protocol.DestroyMessage, secret: MessageSecret, tomb: Tombstone
    ) -> None:
        dead = [content_id(content) for content in secret.contents]
        draft = self._core.draft()
        draft.delete(MessageSecret, request.message)
        for row in (tomb, *(Tombstone(one, tomb.at) for one in dead)):
            draft.put(row)
        entry = _entry(Event.MESSAGE_DESTROYED, request.evidence, request.message)
        contents = b"".join(one.bytes for one in dead)
        await self._core.books.write(
            msgspec.structs.replace(entry, digest=contents), draft.change()
        )

    def _certificate(
        self, request: protocol.DestroyMessage, secret: MessageSecret, now: int
    ) -> SignedStatement:
        settings = self._core.settings()
        backup, lapses = settings.last_backup, now
        if backup is not None and backup >= secret.adopted:
            lapses = max(now, backup + self._core.config.backup_days * DAY)
        lapses = max(lapses, *map(self._deposit_keys.gone_by, secret.deposits), now)
        facts = {
            "what": f"voicemail message {request.message}",
            "content": " ".join(str(content_id(content)) for content in secret.contents),
            "how": "cryptographic erase (NIST SP 800-88 Rev. 1): the only key was destroyed",
            "policy": request.policy,
            "by": str(request.by) if request.by is not None else "retention",
            "destroyed": _date(now),
            "last backup that could open it lapses": _date(lapses),
        }
        statement = SignedStatement(
            "certificate of destruction", msgspec.json.encode(facts).decode()
        )
        return signing.signed_statement(settings.signing_key, statement)

    async def open_records(self, request: protocol.OpenRecordsKey) -> protocol.RecordsKey:
        async with self._core.books.turn:
            person = self._reader(request.session)
            row = self._keyring.private(request.key)
            if row.signed.purpose != RECORDS:
                raise No("not a records key")
            key = slots.open_records_key(row.signed, row.private, request.sealed)
            entry = _entry(Event.RECORDS_OPENED, request.evidence, row.id)
            await self._core.books.write(msgspec.structs.replace(entry, person=person.id))
        return protocol.RecordsKey(key)

    def _reader(self, handle: bytes) -> Person:
        session, person = self._core.session(handle)
        if session.must_change:
            raise No("the PIN has expired")
        if not decisions.may_read_records(person, self._core.clock()):
            raise No("not a reader of records")
        return person

    async def index(self, request: protocol.IndexNumbers) -> protocol.Indexed:
        """Fills the column; what comes back is only comparable, and the batch is journalled."""
        if len(request.numbers) > 1000:
            raise No("too many at a time")
        self._spend(len(request.numbers))
        key = self._core.settings().index_key
        values = tuple(_index(key, number) for number in request.numbers)
        async with self._core.books.turn:
            entry = _entry(Event.NUMBERS_INDEXED, request.evidence)
            await self._core.books.write(msgspec.structs.replace(entry, head_sequence=len(values)))
        return protocol.Indexed(values)

    def _spend(self, count: int) -> None:
        """A clinic's calls need few; whoever took the exchange over would need every number."""
        hour = self._core.clock() // HOUR
        if hour != self._indexed[0]:
            self._indexed = (hour, 0)
        spent = self._indexed[1] + count
        if spent > INDEXED_AN_HOUR:
            self._alarms.add("more numbers were to be indexed in an hour than a site calls")
            raise No("too many numbers this hour")
        self._indexed = (hour, spent)

    async def look_up(self, request: protocol.LookUpNumber) -> protocol.Indexed:
        async with self._core.books.turn:
            person = self._reader(request.session)
            if len(request.reason) != 32:
                raise No("no reason stated")
            self._limit(request.session)
            value = _index(self._core.settings().index_key, request.number)
            entry = _entry(Event.NUMBER_LOOKED_UP, request.evidence)
            await self._core.books.write(
                msgspec.structs.replace(entry, person=person.id, digest=request.reason)
            )
        return protocol.Indexed((value,))

    def _limit(self, session: bytes) -> None:
        now, key = self._core.clock(), primitives.sha256(session)
        recent = [at for at in self._look_ups.pop(key, []) if at > now - 60 * SECOND]
        if len(self._look_ups) >= MAX_COUNTED:
            self._look_ups.popitem(last=False)
        self._look_ups[key] = recent
        if len(recent) >= LOOK_UPS:
            raise No("too many look-ups")
        recent.append(now)


def content_id(content: bytes) -> UUID:
    """What stands for a content among tombstones."""
    return UUID(bytes=primitives.sha256(b"hipaa-pbx content v1\0", content)[:16])


def _index(key: primitives.Bytes, number: str) -> bytes:
    digits = "".join(c for c in number if c in "0123456789")
    return primitives.mac(key, "patient number index v1", digits.encode())


def _entry(event: Event, evidence: Evidence, subject: UUID | None = None) -> Entry:
    return Entry(
        event=event,
        operation=evidence.operation,
        ledger_row=evidence.ledger_row,
        subject=subject,
    )


def _date(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).isoformat()
