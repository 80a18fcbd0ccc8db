"""What every part of the key holder works with: books, clock, sessions, limits."""

from dataclasses import dataclass

import msgspec

from storage.keyholder import decisions
from storage.keyholder.acts import Role
from storage.keyholder.books import Books
from storage.keyholder.clock import DAY, SECOND, SafeClock
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.draft import Draft
from storage.keyholder.factors import Stretcher
from storage.keyholder.protocol import Notice, Opened
from storage.keyholder.records import SETTINGS, Person, Settings
from storage.keyholder.sessions import Challenges, Session, Sessions
from storage.keyholder.store import Store, StoreError
from storage.sealed import primitives


class No(Exception):
    """Refused; the reason goes to the journal and nowhere else."""


PHONE, COMMAND_LINE = "phone", "command-line"


@dataclass(frozen=True, slots=True)
class Core:
    """Shared by the parts; constructed once by `Holder`."""

    books: Books
    clock: SafeClock
    config: KeyHolderConfig
    stretcher: Stretcher
    sessions: Sessions
    challenges: Challenges

    @property
    def store(self) -> Store:
        return self.books.store

    def settings(self) -> Settings:
        settings = self.store.get(Settings, SETTINGS)
        if settings is None:
            raise StoreError("key store: was not created completely")
        return settings

    def verifying_key(self) -> bytes:
        """What everybody else has pinned."""
        return primitives.verifying_key(self.settings().signing_key)

    def draft(self) -> Draft:
        return Draft(self.store)

    def person_with(self, login: str) -> Person | None:
        folded = login.casefold()
        return next((p for p in self.store.all(Person) if p.login.casefold() == folded), None)

    def session(self, handle: bytes, *, activity: bool = True) -> tuple[Session, Person]:
        """A live session of a person who is still active, else `No`."""
        now = self.clock()
        session = self.sessions.find(handle, now, activity=activity)
        if session is None:
            raise No("no such session")
        person = self.store.get(Person, session.person)
        if person is None or not decisions.is_current(person, now):
            self.sessions.end(handle)
            raise No("not active")
        return session, person

    def roles(self, person: Person) -> tuple[Role, ...]:
        return tuple(sorted(decisions.roles_of(person, self.clock())))

    def open_session(
        self, person: Person, kind: str, device: str, binding: bytes, told: tuple[Notice, ...]
    ) -> Opened:
        """To be called after the journal entry is durable."""
        must_change = kind == PHONE and self._has_expired(person)
        idle = self._idle_seconds(person, kind)
        handle, session = self.sessions.open(
            person.id,
            kind,
            device,
            now=self.clock(),
            idle=idle * SECOND,
            life=self.config.session_seconds * SECOND,
            binding=binding,
            must_change=must_change,
        )
        return Opened(
            person=person.id,
            session=handle,
            id=session.id,
            kind=kind,
            roles=self.roles(person),
            idle_seconds=idle,
            ends_at=session.ends_at,
            notices=told,
            must_change=must_change,
        )

    def _has_expired(self, person: Person) -> bool:
        days = self.config.pin_days
        return days > 0 and self.clock() >= person.pin_set + days * DAY

    def _idle_seconds(self, person: Person, kind: str) -> int:
        if kind == PHONE:
            return self.config.phone_idle_seconds
        if decisions.roles_of(person, self.clock()) & decisions.SENSITIVE_ROLES:
            return self.config.sensitive_idle_seconds
        return self.config.idle_seconds

    def note_second(self, draft: Draft) -> None:
        """Once there are two who can approve for one another, nobody ever acts alone again."""
        settings = draft.get(Settings, SETTINGS)
        if settings is None or settings.had_second:
            return
        if decisions.have_second(draft.all(Person), self.clock()):
            draft.put(msgspec.structs.replace(settings, had_second=True))
