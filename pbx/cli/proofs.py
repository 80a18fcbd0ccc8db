"""Proofs: what a person types is sealed here to the key holder's pinned key, for one act.

The exchange relays what it cannot read; a secret answer comes back sealed to a key that exists
only for this one question.
"""

from pathlib import Path
from typing import Any

import msgspec

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.sessions import Challenge
from pbx.cli import secrets, security_key
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, Exit, as_json, initialised, say
from pbx.cli.session import binding_of, client_of, handle_of, kept
from pbx.paths import Layout
from storage.identifiers import system_clock
from storage.keyholder import acts, protocol
from storage.keyholder.acts import AnyAct
from storage.keyholder.presence import bound_challenge, relying_party
from storage.keyholder.proofs import Asker, seal_proof
from storage.keyholder.protocol import Protected
from storage.keyholder.signing import BadKey, Pin


class Desk:
    """One command's conversation with exchange and key holder, signed in or not yet."""

    def __init__(self, layout: Layout, token: str = "", login: str = "") -> None:
        self.layout = layout
        self._token, self._login = token, login
        self.client: AdminClient = client_of(layout, token)

    @classmethod
    def signed_in(cls, data: Path | None) -> "Desk":
        layout = initialised(data)
        return cls(layout, *kept(layout))

    @property
    def _handle(self) -> bytes:
        return handle_of(self._token) if self._token else b""

    def binding(self) -> bytes:
        """What this command vouches with when it has a message opened."""
        return binding_of(self.layout)

    def pin(self) -> Pin:
        try:
            return Pin.read(self.layout.keyholder_pin)
        except BadKey as error:
            raise _foreign(error) from None

    def challenge(self) -> protocol.Challenge:
        answer = self.client.post("/v1/challenge", Challenge)
        return msgspec.msgpack.decode(answer.message, type=protocol.Challenge)

    def to_sign(self, challenge: protocol.Challenge, act: AnyAct) -> bytes:
        """What a security key is asked to sign: this act, on this challenge."""
        return bound_challenge(challenge.challenge, acts.digest(act), self._handle)

    def seal(
        self, act: AnyAct, secrets_of_it: Protected, challenge: protocol.Challenge | None = None
    ) -> tuple[bytes, Asker]:
        """Checks the key holder's key against the pin; wipes what was typed."""
        try:
            return seal_proof(
                self.pin().signing_key,
                challenge or self.challenge(),
                act,
                secrets_of_it,
                now=system_clock(),
                session=self._handle,
            )
        except BadKey as error:
            raise _foreign(error) from None
        finally:
            secrets_of_it.wipe()

    def prove(self, act: AnyAct, **more: bytearray) -> tuple[bytes, Asker]:
        """Asks for the second factor and seals it for exactly this act: the touch of a security
        key that is attached and known to the key holder, else a code of the app."""
        if security_key.is_wanted():
            found = security_key.known(relying_party(self.pin().signing_key))
            if found is not None:
                challenge = self.challenge()
                signed = found.sign(self.to_sign(challenge, act), self._login)
                if signed is not None:
                    return self.seal(act, Protected(assertion=signed, **more), challenge)
        return self.seal(act, Protected(totp=secrets.code(), **more))

    def perform(
        self, path: str, act: AnyAct, body: dict[str, Any] | None = None, **more: bytearray
    ) -> tuple[Performed, Asker]:
        proof, asker = self.prove(act, **more)
        return self.client.post(path, Performed, {**(body or {}), "proof": proof}), asker


def _foreign(error: BadKey) -> CommandError:
    return CommandError(
        f"The exchange does not speak for the pinned key holder ({error}).", Exit.REFUSED
    )


def tell(answer: Performed, done: str, *, json: bool) -> None:
    """What happened, or what it waits for."""
    if json:
        as_json(msgspec.structs.replace(answer, answer=b""))
    elif answer.proposal is not None:
        say(f"Waits for a second person: pbx approval approve {answer.proposal}")
    else:
        say(done)
        if answer.by_installation:
            say("Nobody could approve it yet: made by `installation` and flagged.")
