"""What ends by itself: the key holder's own table and clock decide, the exchange only asks.

People past their date leave; who has not been seen for too long is suspended; tenures past their
date close. So an exchange that was taken over can end nobody, and one that forgets to ask lets
nobody in: every decision looks at the dates again.
"""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from storage.keyholder import decisions, effects
from storage.keyholder.clock import SECOND
from storage.keyholder.core import Core, No
from storage.keyholder.journal import Entry, Event
from storage.keyholder.protocol import AbandonTenure, Done, Ending, Evidence, Ran, RunDue
from storage.keyholder.records import KeyRow, Mailbox, MessageSecret, Person, Standing

LEAVE, SUSPEND, CLOSE, GLASS = "leave", "suspend", "close-tenure", "end-break-glass"
ABANDONED = 900 * SECOND
"""How long after its opening a mailbox may be abandoned by the operation that opened it."""


def endings_of_people(people: Iterable[Person], now: int, idle_days: int) -> list[Ending]:
    """Nobody without whom nobody could administer: no date and no holiday locks the last out."""
    everybody = list(people)
    found = [
        Ending(LEAVE, one.id, "end date")
        for one in everybody
        if one.standing is not Standing.LEFT and one.until is not None and one.until <= now
    ]
    gone = {ending.subject for ending in found}
    found += [
        Ending(SUSPEND, one.id, "unused")
        for one in everybody
        if one.id not in gone and decisions.is_unused(one, now, idle_days)
    ]
    return found


def endings_of_mailboxes(mailboxes: Iterable[Mailbox], now: int) -> list[Ending]:
    return [
        Ending(CLOSE, box.id, "end date")
        for box in mailboxes
        if box.closed is None and box.until is not None and box.until <= now
    ]


def endings_of_break_glass(mailboxes: Iterable[Mailbox], now: int) -> list[Ending]:
    """It opens nothing any more from its last moment on; here the row goes too."""
    return [
        Ending(GLASS, box.id, "end date", member.person)
        for box in mailboxes
        for member in box.members
        if member.kind == decisions.BREAK_GLASS and (member.until or 0) <= now
    ]


class Due:
    def __init__(self, core: Core) -> None:
        self._core = core

    async def run(self, request: RunDue) -> Ran:
        """Each ending is a change and an entry of its own, so that a crash loses none."""
        core, ended = self._core, []
        async with core.books.turn:
            now = core.clock()
            for ending in endings_of_people(core.store.all(Person), now, core.config.idle_days):
                stays = decisions.is_missed if ending.act == SUSPEND else decisions.is_indispensable
                if not stays(core.store.all(Person), ending.subject, now):
                    ended.append(await self._end(ending, request.evidence))
            for ending in endings_of_mailboxes(core.store.all(Mailbox), now):
                ended.append(await self._end(ending, request.evidence))
            for ending in endings_of_break_glass(core.store.all(Mailbox), now):
                ended.append(await self._end(ending, request.evidence))
        return Ran(tuple(ended))

    async def _end(self, ending: Ending, evidence: Evidence) -> Ending:
        """Sessions end before the disk is asked: taking away does not wait."""
        draft, now = self._core.draft(), self._core.clock()
        box = draft.get(Mailbox, ending.subject)
        if ending.person is not None and box is not None:
            draft.put(effects.without_break_glass(box, ending.person))
        elif box is not None:
            effects.close_mailbox(draft, ending.subject, now)
        else:
            self._core.sessions.end_of(ending.subject)
            effects.suspend_person(draft, ending.subject, leave=ending.act == LEAVE, now=now)
        entry = msgspec.structs.replace(
            _entry(ending.act, ending.subject, ending.reason, evidence), person=ending.person
        )
        await self._core.books.write(entry, draft.change())
        return ending

    async def abandon(self, request: AbandonTenure) -> Done:
        """No deposit key was ever given out for it, so nothing can have been deposited."""
        core, operation = self._core, request.evidence.operation
        async with core.books.turn:
            box = core.store.get(Mailbox, request.mailbox)
            if box is None or box.operation != operation or box.members or self._is_used(box.id):
                raise No("not a mailbox that may be abandoned")
            if core.clock() > box.opened + ABANDONED:
                raise No("too late to be abandoned")
            draft = core.draft()
            effects.close_mailbox(draft, box.id, core.clock())
            entry = _entry(CLOSE, box.id, "abandoned", request.evidence)
            await core.books.write(entry, draft.change())
        return Done()

    def _is_used(self, mailbox: UUID) -> bool:
        store = self._core.store
        return any(row.signed.mailbox == mailbox for row in store.all(KeyRow)) or any(
            secret.mailbox == mailbox for secret in store.all(MessageSecret)
        )


def _entry(act: str, subject: UUID, reason: str, evidence: Evidence) -> Entry:
    return Entry(
        event=Event.CHANGED,
        act=act,
        subject=subject,
        operation=evidence.operation,
        ledger_row=evidence.ledger_row,
        reason=reason,
    )
