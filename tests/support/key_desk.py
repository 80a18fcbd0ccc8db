"""Somebody at a terminal with a security key, talking to a key holder in this process."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec

from pbx.cli.security_key import SecurityKey, attached, register
from storage.keyholder import acts, protocol
from storage.keyholder.presence import Assertion, bound_challenge, relying_party
from storage.keyholder.proofs import seal_proof
from storage.keyholder.protocol import Protected
from tests.support.authenticator import Authenticator
from tests.support.keyholder import House, Someone, evidence, text


@dataclass
class Desk:
    """Somebody at a terminal with a security key."""

    house: House
    someone: Someone
    key: Authenticator = field(default_factory=Authenticator)

    @property
    def party(self) -> str:
        assert self.house.pin is not None
        return relying_party(self.house.pin.signing_key)

    async def challenge(self) -> protocol.Challenge:
        return await self.house.ask(protocol.AskChallenge(), protocol.Challenge)

    async def send(
        self,
        act: acts.AnyAct,
        challenge: protocol.Challenge,
        session: bytes,
        **secrets: bytearray,
    ) -> protocol.Answer:
        assert self.house.pin is not None
        sealed, _ = seal_proof(
            self.house.pin.signing_key,
            challenge,
            act,
            Protected(**secrets),
            now=self.house.core.clock(),
            session=session,
        )
        proof = protocol.Proof(sealed, protocol.Origin("terminal", "local"), session)
        return await self.house.holder.answer(protocol.Perform(act, proof, evidence()))

    async def add(self, label: str = "blue", **changes: Any) -> tuple[UUID, protocol.Answer]:
        """`registration` in `changes` replaces what the key made."""
        act = acts.AddSecurityKey(uuid4(), label)
        challenge, session = await self.challenge(), self.someone.session
        bound = bound_challenge(challenge.challenge, acts.digest(act), session)
        made = changes.get("registration")
        if made is None:
            token = attached.set(lambda: [self.key])
            made = register(self.party, bound, self.someone.login, "Rosa Root")
            attached.reset(token)
        elif callable(made):
            made = bytearray(msgspec.msgpack.encode(made(bound)))
        answer = await self.send(
            act,
            challenge,
            session,
            password=text(changes.get("password", self.someone.password)),
            totp=text(changes.get("totp", self.house.code(self.someone))),
            registration=made,
        )
        return act.key, answer

    def sign(self, challenge: protocol.Challenge, act: acts.AnyAct, session: bytes) -> bytearray:
        bound = bound_challenge(challenge.challenge, acts.digest(act), session)
        signed = SecurityKey(self.key, self.party).sign(bound, self.someone.login)
        assert signed is not None
        return signed

    async def touch(self, act: acts.AnyAct, **more: str) -> protocol.Answer:
        challenge, session = await self.challenge(), self.someone.session
        signed = self.sign(challenge, act, session)
        typed = {name: text(value) for name, value in more.items()}
        return await self.send(act, challenge, session, assertion=signed, **typed)

    async def log_in(self, password: str = "") -> protocol.Answer:
        act, challenge = acts.LogIn(self.someone.login), await self.challenge()
        signed = self.sign(challenge, act, b"")
        password = password or self.someone.password
        return await self.send(act, challenge, b"", password=text(password), assertion=signed)

    async def forged(self, change: Any) -> protocol.Answer:
        """Presence proved with an assertion that was changed after the key made it."""
        act = acts.StepUp("export", b"x")
        challenge, session = await self.challenge(), self.someone.session
        signed = self.sign(challenge, act, session)
        changed = change(msgspec.msgpack.decode(signed, type=Assertion), self.key)
        wire = changed if isinstance(changed, bytes) else msgspec.msgpack.encode(changed)
        return await self.send(act, challenge, session, assertion=bytearray(wire))
