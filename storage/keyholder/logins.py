"""Log-in, enrolment and one's own factors: each proved by the person, nobody else."""

from uuid import UUID, uuid4

import msgspec

from storage.keyholder import acts, decisions, factors
from storage.keyholder.asking import Ask, spend_code
from storage.keyholder.attempts import Attempts
from storage.keyholder.core import COMMAND_LINE, PHONE, Core, No
from storage.keyholder.journal import Event
from storage.keyholder.protocol import Answer, Done, Enrolment, Notice, Opened
from storage.keyholder.records import Factors, Grant, Person, Standing
from storage.keyholder.security_keys import Change, adding, removing
from storage.keyholder.sessions import Session
from storage.sealed import primitives

SPOKEN = frozenset({"locked", "break-glass"})
"""Kinds of notices that a telephone has words for."""


class Logins:
    """Acts without a session, and acts on one's own factors with one."""

    def __init__(self, core: Core, attempts: Attempts) -> None:
        self._core = core
        self._attempts = attempts

    async def perform(self, ask: Ask) -> Answer | None:
        """None for an act that is not one's own affair (`administering`)."""
        match ask.act:
            case acts.Bootstrap() as act:
                return await self._bootstrap(ask, act)
            case acts.LogIn(login=login):
                return await self._log_in(ask, login)
            case acts.PhoneLogIn() as act:
                return await self._phone_log_in(ask, act)
            case acts.Enrol(login=login):
                return await self._enrol(ask, login)
            case acts.ConfirmEnrolment(login=login):
                return await self._confirm_enrolment(ask, login)
            case acts.ChangePassword():
                return await self._change_password(ask)
            case acts.ReplaceTotp():
                return await self._replace_totp(ask)
            case acts.ConfirmTotp():
                return await self._confirm_totp(ask)
            case acts.AddSecurityKey() as act:
                change = adding(ask.proof, act, self._core.verifying_key(), self._core.clock())
                return await self._change_own(ask, self._own(ask), change)
            case acts.RemoveSecurityKey() as act:
                change = removing(act, self._core.clock())
                return await self._change_own(ask, self._own(ask), change)
            case acts.SetPin(extensions=extensions):
                return await self._set_pin(ask, extensions)
            case acts.StepUp():
                return await self._step_up(ask)
            case _:
                return None

    async def _bootstrap(self, ask: Ask, act: acts.Bootstrap) -> Answer:
        factors.check_new_password(ask.secrets.password, act.login)
        made, enrolment = await self._new_factors(ask.secrets.password, act.login)
        async with self._core.books.turn:
            draft, now = self._core.draft(), self._core.clock()
            for other in list(draft.all(Person)):
                if other.pending is None or other.standing is not Standing.INVITED:
                    raise No("somebody is enrolled already")
                draft.delete(Person, other.id)  # an installation that was not finished
            role = acts.Role.SYSTEM_ADMINISTRATOR
            grant = Grant(uuid4(), role, now, None, None, None, sole=True)
            draft.put(
                Person(act.person, act.login, Standing.INVITED, now, pending=made, grants=(grant,))
            )
            answer = ask.seal(enrolment)
            entry = ask.entry(Event.CHANGED, subject=act.person, sole=True)
            await self._core.books.write(entry, draft.change())
        return Done(person=act.person, answer=answer, sole=True)

    async def _log_in(self, ask: Ask, login: str) -> Answer:
        found = self._core.person_with(login)
        async with self._attempts.turn(ask.origin, found.id if found else None):
            # Read again: an earlier attempt of the same person may have been waited for.
            person = found and self._core.store.get(Person, found.id)
            held = person.factors.password if person and person.factors else None
            if await self._core.stretcher.matches(ask.secrets.password, held) and person:
                async with self._core.books.turn:
                    spent = self._spend(ask, person.id, recovery=True)
                    if spent is not None:
                        return await self._open(ask, spent, COMMAND_LINE)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    async def _phone_log_in(self, ask: Ask, act: acts.PhoneLogIn) -> Answer:
        async with self._attempts.turn(ask.origin, act.person):
            person = self._core.store.get(Person, act.person)
            held = person.pin if person else None
            if await self._core.stretcher.matches(ask.secrets.pin, held):
                async with self._core.books.turn:
                    read = self._spend if act.second else self._current_of
                    current = read(ask, act.person)
                    if current is not None:
                        return await self._open(ask, current, PHONE)
            entry = ask.entry(Event.REFUSED)
            await self._attempts.failed(ask.origin, person, entry, act.person)

    def _current(self, identifier: UUID) -> Person | None:
        person = self._core.store.get(Person, identifier)
        if person is None or not decisions.is_current(person, self._core.clock()):
            return None
        return None if self._is_unused(person) else person

    def _is_unused(self, person: Person) -> bool:
        """Out by disuse, whether or not anybody has asked for what is due."""
        core, now = self._core, self._core.clock()
        return decisions.is_unused(person, now, core.config.idle_days) and not decisions.is_missed(
            core.store.all(Person), person.id, now
        )

    def _current_of(self, _: Ask, identifier: UUID) -> Person | None:
        return self._current(identifier)

    def _spend(self, ask: Ask, identifier: UUID, *, recovery: bool = False) -> Person | None:
        """Within `books.turn`."""
        person = self._current(identifier)
        return person and spend_code(self._core, person, ask.proof, recovery=recovery)

    async def _open(self, ask: Ask, person: Person, kind: str) -> Opened:
        """Within `books.turn`: journal first, then the session. A telephone tells what it has
        words for; the rest waits for a terminal."""
        draft, now = self._core.draft(), self._core.clock()
        told = tuple(one for one in person.notices if kind != PHONE or one.kind in SPOKEN)
        kept = tuple(one for one in person.notices if one not in told)
        draft.put(msgspec.structs.replace(person, notices=kept, last_seen=now))
        self._attempts.clear(draft, person.id)
        self._core.note_second(draft)
        entry = ask.entry(Event.SESSION_OPENED, person=person.id)
        await self._core.books.write(entry, draft.change())
        binding = bytes(ask.secrets.binding)
        return self._core.open_session(person, kind, ask.origin.device, binding, told)

    async def _new_factors(self, password: bytearray, login: str) -> tuple[Factors, Enrolment]:
        stretched = await self._core.stretcher.stretch(password)
        totp, codes, hashes = self._new_codes()
        enrolment = Enrolment(factors.base32(totp), factors.totp_uri(totp, login), codes)
        return Factors(stretched, totp, hashes), enrolment

    def _new_codes(self) -> tuple[bytes, tuple[str, ...], tuple[bytes, ...]]:
        key = self._core.settings().code_key
        codes = tuple(factors.one_time_code(10) for _ in range(factors.RECOVERY_CODES))
        hashes = tuple(factors.code_hash(key, "recovery", code.encode()) for code in codes)
        return primitives.random(20), codes, hashes

    async def _enrol(self, ask: Ask, login: str) -> Answer:
        factors.check_new_password(ask.secrets.new_password, login)
        found = self._core.person_with(login)
        async with self._attempts.turn(ask.origin, found.id if found else None):
            # Also for a wrong code, so that the time does not tell whether there is such a person.
            made, enrolment = await self._new_factors(ask.secrets.new_password, login)
            async with self._core.books.turn:
                person = self._is_invited(ask, found.id) if found else None
                if person is not None:
                    answer = ask.seal(enrolment)
                    await self._put(ask, msgspec.structs.replace(person, pending=made))
                    return Done(person=person.id, answer=answer)
            await self._attempts.failed(ask.origin, found, ask.entry(Event.REFUSED))

    def _may_enrol(self, person: Person) -> bool:
        is_here = person.standing in (Standing.INVITED, Standing.ACTIVE)
        return is_here and not self._is_unused(person)

    def _is_invited(self, ask: Ask, identifier: UUID) -> Person | None:
        person = self._core.store.get(Person, identifier)
        if person is None or person.invitation is None or not self._may_enrol(person):
            return None
        key = self._core.settings().code_key
        code = factors.code_hash(key, "enrolment", ask.secrets.enrolment_code)
        is_right = primitives.equal(code, person.invitation.code)
        return person if is_right and self._core.clock() < person.invitation.until else None

    async def _confirm_enrolment(self, ask: Ask, login: str) -> Answer:
        found = self._core.person_with(login)
        async with self._attempts.turn(ask.origin, found.id if found else None):
            person = found and self._core.store.get(Person, found.id)
            held = person.pending.password if person and person.pending else None
            if await self._core.stretcher.matches(ask.secrets.password, held) and person:
                async with self._core.books.turn:
                    enrolled = self._enrolled(ask, person.id)
                    if enrolled is not None:
                        self._core.sessions.end_of(person.id)
                        return await self._open(ask, enrolled, COMMAND_LINE)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    def _enrolled(self, ask: Ask, identifier: UUID) -> Person | None:
        """The new factors are the person's from now on; the old ones and the PIN are gone. A new
        app alone (`ReplaceTotp`) was begun in a session, and is confirmed in one."""
        person = self._core.store.get(Person, identifier)
        if person is None or person.pending is None or not self._may_enrol(person):
            return None
        if person.invitation is None and person.standing is not Standing.INVITED:
            return None
        confirmed = self._confirmed(ask, person.pending)
        if confirmed is None:
            return None
        return msgspec.structs.replace(
            person,
            standing=Standing.ACTIVE,
            factors=confirmed,
            pending=None,
            invitation=None,
            pin=None,
            notices=(*person.notices, Notice("enrolled", self._core.clock())),
        )

    def _confirmed(self, ask: Ask, pending: Factors) -> Factors | None:
        step = factors.accepted_step(
            pending.totp, ask.secrets.totp, pending.totp_step, self._core.clock.wall()
        )
        return None if step is None else msgspec.structs.replace(pending, totp_step=step)

    async def _change_password(self, ask: Ask) -> Answer:
        session, person = self._own_session(ask)
        factors.check_new_password(ask.secrets.new_password, person.login)
        stretched = await self._core.stretcher.stretch(ask.secrets.new_password)

        def change(proved: Person, held: Factors) -> Person:
            # Who knew the old password may have begun a new app with it: that is over too.
            return msgspec.structs.replace(
                proved, factors=msgspec.structs.replace(held, password=stretched), pending=None
            )

        answer = await self._change_own(ask, person, change)
        self._core.sessions.end_others(session)
        return answer

    async def _change_own(self, ask: Ask, person: Person, change: Change) -> Answer:
        """One's own factors, changed by password and present second factor."""
        async with self._attempts.turn(ask.origin, person.id):
            if await self._knows_password(ask, person.id):
                async with self._core.books.turn:
                    proved = self._spend(ask, person.id)
                    if proved is not None and proved.factors is not None:
                        await self._put(ask, change(proved, proved.factors))
                        return Done(person=person.id)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    async def _knows_password(self, ask: Ask, identifier: UUID) -> bool:
        person = self._core.store.get(Person, identifier)
        held = person.factors.password if person and person.factors else None
        return await self._core.stretcher.matches(ask.secrets.password, held)

    async def _replace_totp(self, ask: Ask) -> Answer:
        person = self._own(ask)
        async with self._attempts.turn(ask.origin, person.id):
            if await self._knows_password(ask, person.id):
                async with self._core.books.turn:
                    proved = self._spend(ask, person.id, recovery=True)
                    if proved is not None and proved.factors is not None:
                        totp, codes, hashes = self._new_codes()
                        pending = Factors(proved.factors.password, totp, hashes)
                        uri = factors.totp_uri(totp, proved.login)
                        answer = ask.seal(Enrolment(factors.base32(totp), uri, codes))
                        await self._put(ask, msgspec.structs.replace(proved, pending=pending))
                        return Done(person=person.id, answer=answer)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    async def _confirm_totp(self, ask: Ask) -> Answer:
        session, own = self._own_session(ask)
        async with self._attempts.turn(ask.origin, own.id):
            async with self._core.books.turn:
                person = self._current(own.id)
                confirmed = person and person.pending and self._confirmed(ask, person.pending)
                if person is not None and confirmed:
                    held = person.factors.keys if person.factors is not None else ()
                    confirmed = msgspec.structs.replace(confirmed, keys=held)
                    notices = (*person.notices, Notice("totp-replaced", self._core.clock()))
                    await self._put(
                        ask,
                        msgspec.structs.replace(
                            person, factors=confirmed, pending=None, notices=notices
                        ),
                    )
                    self._core.sessions.end_others(session)
                    return Done(person=own.id)
            await self._attempts.failed(ask.origin, own, ask.entry(Event.REFUSED))

    async def _set_pin(self, ask: Ask, extensions: tuple[str, ...]) -> Answer:
        session, person = self._core.session(ask.session)
        factors.check_new_pin(ask.secrets.new_pin, extensions)
        by_pin = session.kind == PHONE
        if by_pin and ask.secrets.pin == ask.secrets.new_pin:
            raise factors.WeakSecret("PIN: the present one again")
        stretched = await self._core.stretcher.stretch(ask.secrets.new_pin)
        async with self._attempts.turn(ask.origin, person.id):
            if not by_pin or await self._core.stretcher.matches(ask.secrets.pin, person.pin):
                async with self._core.books.turn:
                    proved = self._current(person.id) if by_pin else self._spend(ask, person.id)
                    if proved is not None:
                        now = self._core.clock()
                        changed = msgspec.structs.replace(proved, pin=stretched, pin_set=now)
                        await self._put(ask, changed)
                        session.must_change = False
                        return Done(person=person.id)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    async def _step_up(self, ask: Ask) -> Answer:
        person = self._own(ask)
        async with self._attempts.turn(ask.origin, person.id):
            async with self._core.books.turn:
                proved = self._spend(ask, person.id)
                if proved is not None:
                    await self._put(ask, proved, Event.PRESENCE_PROVED)
                    return Done(person=person.id)
            await self._attempts.failed(ask.origin, person, ask.entry(Event.REFUSED))

    def _own(self, ask: Ask) -> Person:
        return self._own_session(ask)[1]

    def _own_session(self, ask: Ask) -> tuple[Session, Person]:
        """Of the command line: factors are nothing for a telephone."""
        session, person = self._core.session(ask.session)
        if session.kind != COMMAND_LINE:
            raise No("not from this kind of session")
        return session, person

    async def _put(self, ask: Ask, person: Person, event: Event = Event.CHANGED) -> None:
        """Within `books.turn`."""
        draft = self._core.draft()
        draft.put(person)
        self._attempts.clear(draft, person.id)
        entry = ask.entry(event, person=person.id, subject=person.id)
        await self._core.books.write(entry, draft.change())
