"""Sessions and challenges: in memory only, so a restart ends them; time never revives one."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID, uuid4

from storage.keyholder.clock import SECOND
from storage.keyholder.protocol import SessionView
from storage.sealed.primitives import random, sha256

CHALLENGE_LIFE = 120 * SECOND
MAX_CHALLENGES = 4096
"""The oldest go first: a flood of questions delays log-ins, it does not fill the memory."""


@dataclass(slots=True)
class Session:
    id: UUID
    person: UUID
    kind: str
    """command-line or phone."""
    device: str
    opened: int
    idle: int
    idle_at: int
    ends_at: int
    binding: bytes = b""
    """Known to who signed in, and never to the exchange (`vouchers`)."""
    must_change: bool = False
    """Opened with a PIN that has expired: it opens nothing else before a new one is set."""

    def view(self) -> SessionView:
        return SessionView(
            self.id,
            self.person,
            self.kind,
            self.device,
            self.opened,
            min(self.idle_at, self.ends_at),
            self.ends_at,
        )


class Sessions:
    """Found by the hash of the handle, so that the table holds nothing usable."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def open(
        self,
        person: UUID,
        kind: str,
        device: str,
        *,
        now: int,
        idle: int,
        life: int,
        binding: bytes = b"",
        must_change: bool = False,
    ) -> tuple[bytes, Session]:
        """The person's oldest session gives way when there are too many."""
        self._drop_expired(now)
        own = [key for key, held in self._sessions.items() if held.person == person]
        for key in own[: max(0, len(own) - self._limit + 1)]:
            del self._sessions[key]
        handle = random(32)
        session = Session(
            uuid4(), person, kind, device, now, idle, now + idle, now + life, binding, must_change
        )
        self._sessions[sha256(handle)] = session
        return handle, session

    def find(self, handle: bytes, now: int, *, activity: bool) -> Session | None:
        self._drop_expired(now)
        session = self._sessions.get(sha256(handle))
        if session is not None and activity:
            session.idle_at = now + session.idle
        return session

    def end(self, handle: bytes) -> Session | None:
        return self._sessions.pop(sha256(handle), None)

    def end_of(self, person: UUID, id: UUID | None = None) -> list[Session]:
        ending = [
            key
            for key, held in self._sessions.items()
            if held.person == person and id in (None, held.id)
        ]
        return [self._sessions.pop(key) for key in ending]

    def end_others(self, kept: Session) -> None:
        """Those of the same person: who changed a password or an app thinks that somebody else may
        know it."""
        for key, held in tuple(self._sessions.items()):
            if held.person == kept.person and held.id != kept.id:
                del self._sessions[key]

    def views(self, person: UUID | None, now: int) -> tuple[SessionView, ...]:
        self._drop_expired(now)
        held = self._sessions.values()
        return tuple(one.view() for one in held if person in (None, one.person))

    def clear(self) -> None:
        self._sessions.clear()

    def _drop_expired(self, now: int) -> None:
        over = [k for k, held in self._sessions.items() if now >= min(held.idle_at, held.ends_at)]
        for key in over:
            del self._sessions[key]


class Challenges:
    """One use each, two minutes."""

    def __init__(self) -> None:
        self._given: OrderedDict[bytes, int] = OrderedDict()

    def give(self, now: int) -> bytes:
        challenge = random(32)
        self._given[challenge] = now + CHALLENGE_LIFE
        if len(self._given) > MAX_CHALLENGES:
            self._given.popitem(last=False)
        return challenge

    def take(self, challenge: bytes, now: int) -> bool:
        until = self._given.pop(challenge, 0)
        return now < until
