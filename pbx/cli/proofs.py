"""Proofs: what a person types is sealed here to the key holder's pinned key, for one act.

The exchange relays what it cannot read; a secret answer comes back sealed to a key that exists
only for this one question.
"""

from pathlib import Path
from typing import Any

import msgspec

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.sessions import Challenge
from pbx.cli import secrets
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, Exit, as_json, initialised, say
from pbx.cli.session import client_of, handle_of, token_of
from pbx.paths import Layout
from storage.identifiers import system_clock
from storage.keyholder import protocol
from storage.keyholder.acts import AnyAct
from storage.keyholder.proofs import Asker, seal_proof
from storage.keyholder.protocol import Protected
from storage.keyholder.signing import BadKey, Pin


class Desk:
    """One command's conversation with exchange and key holder, signed in or not yet."""

    def __init__(self, layout: Layout, token: str = "") -> None:
        self.layout = layout
        self._token = token
        self.client: AdminClient = client_of(layout, token)

    @classmethod
    def signed_in(cls, data: Path | None) -> "Desk":
        layout = initialised(data)
        return cls(layout, token_of(layout))

    def seal(self, act: AnyAct, secrets_of_it: Protected) -> tuple[bytes, Asker]:
        """Checks the key holder's key against the pin; wipes what was typed."""
        answer = self.client.post("/v1/challenge", Challenge)
        challenge = msgspec.msgpack.decode(answer.message, type=protocol.Challenge)
        try:
            pin = Pin.read(self.layout.keyholder_pin)
            handle = handle_of(self._token) if self._token else b""
            return seal_proof(
                pin.signing_key, challenge, act, secrets_of_it, now=system_clock(), session=handle
            )
        except BadKey as error:
            raise CommandError(
                f"The exchange does not speak for the pinned key holder ({error}).", Exit.REFUSED
            ) from None
        finally:
            secrets_of_it.wipe()

    def prove(self, act: AnyAct, **more: bytearray) -> tuple[bytes, Asker]:
        """Asks for the second factor and seals it for exactly this act."""
        return self.seal(act, Protected(totp=secrets.code(), **more))

    def perform(
        self, path: str, act: AnyAct, body: dict[str, Any] | None = None, **more: bytearray
    ) -> tuple[Performed, Asker]:
        proof, asker = self.prove(act, **more)
        return self.client.post(path, Performed, {**(body or {}), "proof": proof}), asker


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
