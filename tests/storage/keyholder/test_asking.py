"""storage/keyholder/asking.py"""

import msgspec

from storage.keyholder import acts
from storage.keyholder.asking import Ask, spend_code
from storage.keyholder.journal import Event
from storage.keyholder.proofs import SealedProof
from storage.keyholder.protocol import HalfCode, Origin, Protected
from storage.keyholder.records import Person
from storage.sealed import primitives
from storage.sealed.primitives import Suite
from tests.support.keyholder import House, evidence, text


def proof_of(secrets: Protected) -> SealedProof:
    pair = primitives.generate_pair(Suite.P384)
    return SealedProof(b"c", b"d", b"", pair.public, pair.suite, secrets)


async def test_a_code_or_a_recovery_code_is_spent(house: House) -> None:
    someone = await house.administrator()
    person = house.core.store.get(Person, someone.id)
    assert person is not None
    assert person.factors is not None
    code = proof_of(Protected(totp=text(house.code(someone))))
    paper = proof_of(Protected(recovery_code=text(someone.recovery[0])))
    touch = proof_of(Protected(assertion=text("of no key of theirs")))

    spent = spend_code(house.core, person, code, recovery=False)
    used = spend_code(house.core, person, paper, recovery=True)

    assert spent is not None
    assert spent.factors is not None
    assert spent.factors.totp_step > person.factors.totp_step
    assert spend_code(house.core, spent, code, recovery=True) is None
    assert used is not None
    assert used.factors is not None
    assert len(used.factors.recovery) == 9
    assert spend_code(house.core, used, paper, recovery=True) is None
    assert spend_code(house.core, person, paper, recovery=False) is None
    assert spend_code(house.core, person, touch, recovery=True) is None
    nothing = msgspec.structs.replace(person, factors=None)
    assert spend_code(house.core, nothing, code, recovery=True) is None


def test_an_entry_is_tied_to_act_and_ledger_row() -> None:
    proof = proof_of(Protected(pin=text("1")))
    tied = evidence()
    ask = Ask(acts.Rotate(), proof, Origin("d", "s"), tied)

    entry = ask.entry(Event.CHANGED, sole=True)

    assert (entry.act, entry.operation, entry.ledger_row) == (
        "rotate",
        tied.operation,
        tied.ledger_row,
    )
    assert entry.digest == acts.digest(acts.Rotate())
    assert entry.sole
    assert ask.secrets.pin == b"1"
    assert len(ask.seal(HalfCode("x", 1))) > 100
