"""A key holder in this process, with a clock and people to play with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec

from storage.keyholder import acts, founding, protocol, vouchers
from storage.keyholder.acts import Role
from storage.keyholder.books import Crash, going_on
from storage.keyholder.clock import SECOND
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.core import Core
from storage.keyholder.holder import Holder
from storage.keyholder.keystores import KeyStore
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.proofs import Asker, seal_proof
from storage.keyholder.protocol import Enrolment, Evidence, HalfCode, Origin, Protected
from storage.keyholder.signing import Pin
from storage.sealed.primitives import Argon2, hotp

BINDING = b"v" * vouchers.BINDING
"""What everybody here draws who signs in."""
CHEAP = Argon2(passes=1, kibibytes=64, lanes=1)
START = 1_800_000_000 * SECOND
A = TypeVar("A", bound=protocol.Answer)


@dataclass
class FakeTime:
    """Wall and monotonic clocks that move when told to."""

    wall: int = START
    monotonic: int = 7 * SECOND

    def wall_clock(self) -> int:
        return self.wall

    def monotonic_clock(self) -> int:
        return self.monotonic

    def pass_(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.monotonic += int(seconds * SECOND)


@dataclass
class Someone:
    """A person with everything they know."""

    id: UUID
    login: str
    password: str = "correct horse battery staple"
    totp: bytes = b""
    recovery: tuple[str, ...] = ()
    pin: str = ""
    session: bytes = b""
    notices: tuple[protocol.Notice, ...] = ()


def text(value: str) -> bytearray:
    return bytearray(value.encode())


@dataclass
class House:
    """A key holder and the way to talk to it as the exchange would."""

    directory: Path
    time: FakeTime = field(default_factory=FakeTime)
    config: KeyHolderConfig = field(default_factory=KeyHolderConfig)
    at: Crash = going_on
    keystore: KeyStore | None = None

    def __post_init__(self) -> None:
        if self.keystore is None:
            store = FileKeyStore(self.directory.parent / "root.key")
            if not store.path.exists():
                store.create()
            self.keystore = store
        self.pin: Pin | None = None
        if not founding.exists(self.directory):
            self.pin = founding.create(
                self.directory, self.keystore, self.config, self.time.wall_clock
            )
        self.open()

    def open(self) -> None:
        assert self.keystore is not None
        self.core: Core = founding.open_core(
            self.directory,
            self.keystore,
            self.config,
            self.time.wall_clock,
            self.time.monotonic_clock,
            cost=CHEAP,
            at=self.at,
        )
        self.holder = Holder(self.core, self.keystore, self.directory)
        if self.pin is None:
            from storage.sealed.primitives import verifying_key

            self.pin = Pin(verifying_key(self.core.settings().signing_key))

    def close(self) -> None:
        self.holder.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    async def ask(self, request: protocol.Request, kind: type[A]) -> A:
        answer = await self.holder.answer(request)
        assert isinstance(answer, kind), answer
        return answer

    def code(self, someone: Someone) -> str:
        """A fresh time-based code: time moves on by one step."""
        self.time.pass_(30)
        return hotp(someone.totp, self.time.wall // SECOND // 30)

    async def perform(
        self,
        act: acts.AnyAct,
        *,
        session: bytes = b"",
        origin: Origin | None = None,
        tied: Evidence | None = None,
        **secrets: str,
    ) -> tuple[protocol.Answer, Asker]:
        challenge = await self.ask(protocol.AskChallenge(), protocol.Challenge)
        assert self.pin is not None
        protected = Protected(**{name: text(value) for name, value in secrets.items()})
        if isinstance(act, acts.LogIn | acts.ConfirmEnrolment | acts.PhoneLogIn):
            protected = msgspec.structs.replace(protected, binding=bytearray(BINDING))
        sealed, asker = seal_proof(
            self.pin.signing_key,
            challenge,
            act,
            protected,
            now=self.core.clock(),
            session=session,
        )
        proof = protocol.Proof(sealed, origin or Origin("terminal", "local"), session)
        answer = await self.holder.answer(protocol.Perform(act, proof, tied or evidence()))
        return answer, asker

    async def done(self, someone: Someone, act: acts.AnyAct, **secrets: str) -> protocol.Done:
        answer, _ = await self.step_up(someone, act, **secrets)
        assert isinstance(answer, protocol.Done), answer
        return answer

    async def step_up(
        self, someone: Someone, act: acts.AnyAct, *, tied: Evidence | None = None, **secrets: str
    ) -> tuple[protocol.Answer, Asker]:
        """An act of a session with a fresh code."""
        code = self.code(someone)
        return await self.perform(act, session=someone.session, totp=code, tied=tied, **secrets)

    async def administrator(self, login: str = "root") -> Someone:
        someone = Someone(uuid4(), login)
        answer, asker = await self.perform(
            acts.Bootstrap(someone.id, login), password=someone.password
        )
        assert isinstance(answer, protocol.Done), answer
        await self.confirm(someone, asker.open(answer.answer, Enrolment))
        return someone

    async def confirm(self, someone: Someone, enrolment: Enrolment) -> None:
        import base64

        padding = "=" * (-len(enrolment.totp_secret) % 8)
        someone.totp = base64.b32decode(enrolment.totp_secret + padding)
        someone.recovery = enrolment.recovery_codes
        answer, _ = await self.perform(
            acts.ConfirmEnrolment(someone.login),
            password=someone.password,
            totp=self.code(someone),
        )
        assert isinstance(answer, protocol.Opened), answer
        someone.session, someone.notices = answer.session, answer.notices

    async def two_people(
        self, first: Someone, second: Someone | None, act: acts.AnyAct
    ) -> tuple[protocol.Answer, list[HalfCode]]:
        """Asked by one, approved by the other; the halves of a code if there are any."""
        answer, asker = await self.step_up(first, act)
        halves = []
        if isinstance(answer, protocol.Waiting):
            assert second is not None
            if answer.answer:
                halves.append(asker.open(answer.answer, HalfCode))
            approval = acts.Approve(answer.proposal, answer.digest)
            answer, asker = await self.step_up(second, approval)
        if isinstance(answer, protocol.Done) and answer.answer:
            halves.append(asker.open(answer.answer, HalfCode))
        return answer, halves

    async def enrolled(
        self, login: str, role: Role, by: Someone, approver: Someone | None = None
    ) -> Someone:
        """Added, granted a role, enrolled and logged in."""
        someone = Someone(uuid4(), login)
        await self.done(by, acts.AddPerson(someone.id, login))
        grant = acts.GrantRole(uuid4(), someone.id, role, self.core.clock())
        answer, _ = await self.two_people(by, approver, grant)
        assert isinstance(answer, protocol.Done), answer
        await self.enrol(someone, by, approver)
        return someone

    async def enrol(self, someone: Someone, by: Someone, approver: Someone | None) -> None:
        _, halves = await self.two_people(by, approver, acts.IssueEnrolment(someone.id))
        code = "-".join(half.half for half in halves)
        answer, asker = await self.perform(
            acts.Enrol(someone.login), enrolment_code=code, new_password=someone.password
        )
        assert isinstance(answer, protocol.Done), answer
        await self.confirm(someone, asker.open(answer.answer, Enrolment))

    async def log_in(self, someone: Someone, **changes: str) -> protocol.Answer:
        secrets = {"password": someone.password, "totp": self.code(someone)} | changes
        answer, _ = await self.perform(acts.LogIn(someone.login), **secrets)
        if isinstance(answer, protocol.Opened):
            someone.session, someone.notices = answer.session, answer.notices
        return answer


def redeeming(ticket: bytes, content: bytes, slot: bytes) -> protocol.OpenMessage:
    """As a worker does it on a leg where somebody with `BINDING` has signed in."""
    vouched = vouchers.of_leg(BINDING, ticket, content)
    return protocol.OpenMessage(ticket, content, slot, vouched.voucher)


def evidence() -> Evidence:
    return Evidence(uuid4(), b"\1" * 32)
