"""One question with its opened proof, as the parts of the key holder see it."""

from dataclasses import dataclass

import msgspec

from storage.keyholder import acts, factors, proofs
from storage.keyholder.core import Core
from storage.keyholder.journal import Entry, Event
from storage.keyholder.proofs import SealedProof
from storage.keyholder.protocol import Evidence, Origin, Protected
from storage.keyholder.records import Factors, Person
from storage.keyholder.security_keys import spend_assertion


@dataclass(frozen=True, slots=True)
class Ask:
    act: acts.AnyAct
    proof: SealedProof
    origin: Origin
    evidence: Evidence
    session: bytes = b""

    @property
    def secrets(self) -> Protected:
        return self.proof.secrets

    def entry(self, event: Event, **fields: object) -> Entry:
        """The journal entry of this act, tied to its ledger row."""
        entry = Entry(
            event=event,
            act=acts.name(self.act),
            operation=self.evidence.operation,
            ledger_row=self.evidence.ledger_row,
            digest=acts.digest(self.act),
        )
        return msgspec.structs.replace(entry, **fields)

    def seal(self, answer: msgspec.Struct) -> bytes:
        return proofs.seal_answer(self.proof, answer)


def spend_code(core: Core, person: Person, proof: SealedProof, *, recovery: bool) -> Person | None:
    """The person with the time-based (or recovery) code marked as used, or the touch of a security
    key counted; None if it is wrong."""
    if person.factors is None:
        return None
    secrets = proof.secrets
    if secrets.assertion:
        spent = spend_assertion(person.factors, proof, core.verifying_key())
    else:
        spent = _spend_totp(core, person.factors, secrets)
    if spent is None and recovery:
        spent = _spend_recovery(core, person.factors, secrets)
    return None if spent is None else msgspec.structs.replace(person, factors=spent)


def _spend_totp(core: Core, held: Factors, secrets: Protected) -> Factors | None:
    wall = core.clock.wall()
    step = factors.accepted_step(held.totp, secrets.totp, held.totp_step, wall)
    return None if step is None else msgspec.structs.replace(held, totp_step=step)


def _spend_recovery(core: Core, held: Factors, secrets: Protected) -> Factors | None:
    hashed = factors.code_hash(core.settings().code_key, "recovery", secrets.recovery_code)
    if hashed not in held.recovery:
        return None
    left = tuple(code for code in held.recovery if code != hashed)
    return msgspec.structs.replace(held, recovery=left)
