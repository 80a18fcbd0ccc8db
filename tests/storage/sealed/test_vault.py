"""storage/sealed/vault.py: with a real key holder's keys, tickets and challenges."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.keyholder import acts, protocol, slots
from storage.keyholder.acts import Role
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.keyholder.clock import DAY
from storage.keyholder.line import Line
from storage.keyholder.protocol import (
    AdoptMessage,
    AskTicket,
    Challenge,
    KeyList,
    Opened,
    Origin,
    Proof,
    PublicKeys,
    Ticket,
    Wrapped,
)
from storage.keyholder.records import KeyRow
from storage.keyholder.signing import SignedKey
from storage.keyholder.vouchers import BINDING as BINDING_SIZE
from storage.keyholder.vouchers import Vouched
from storage.sealed import primitives
from storage.sealed.file import MAX_SEALED, Codec, Fault, FileRefused, Whole, inspect
from storage.sealed.vault import Sealing, Vault, VaultRefused
from tests.support.keyholder import BINDING, House, Someone, evidence, redeeming

CONTENT = bytes(range(16))
VOUCHED = Vouched(b"v" * 32)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "keys")


class Scripted(Line):
    """Answers what it is told to, or raises it: the edge itself is tested with the line."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.given: object = None

    def open_message(
        self, ticket: bytes, content: bytes, slot: bytes, vouched: Vouched
    ) -> bytearray:
        return self._give(bytearray)

    def challenge(self) -> Challenge:
        return self._give(Challenge)

    def _give(self, kind: type) -> object:  # type: ignore[type-arg]
        if isinstance(self.given, Exception):
            raise self.given
        assert isinstance(self.given, kind)
        return self.given


@dataclass
class World:
    house: House
    doctor: Someone
    mailbox: UUID
    signed: SignedKey
    line: Scripted
    vault: Vault

    def deposit(self, signed: SignedKey | None = None, mailbox: UUID | None = None) -> Sealing:
        encoded = msgspec.msgpack.encode(signed or self.signed)
        return self.vault.seal_to_mailbox(CONTENT, Codec.PCMU, 5, mailbox or self.mailbox, encoded)


@pytest.fixture
async def world(house: House, tmp_path: Path) -> World:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), doctor.id))
    signed = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    assert house.pin is not None
    house.pin.write(tmp_path / "keyholder.pin")
    line = Scripted()
    vault = Vault(tmp_path / "keyholder.pin", line, house.time.wall_clock)
    return World(house, doctor, mailbox, signed, line, vault)


def spoken(sealing: Sealing) -> bytes:
    return sealing.sealer.head + sealing.sealer.segment(b"hello", 7, last=True)


async def test_a_message_goes_to_its_mailbox_and_comes_back_on_a_ticket(world: World) -> None:
    sealing = world.deposit()
    data = spoken(sealing)
    told = Whole(inspect(data).digest)
    assert len(sealing.reread(data, told)) == 1
    sealing.forget()
    assert sealing.key == bytes(32)

    house, message, doctor = world.house, uuid4(), world.doctor
    adopt = AdoptMessage(message, world.mailbox, CONTENT, world.signed.id, sealing.slot, evidence())
    slot = (await house.ask(adopt, Wrapped)).slot
    ticket = await house.ask(AskTicket(doctor.session, message, evidence()), Ticket)
    redeem = redeeming(ticket.ticket, CONTENT, slot)
    world.line.given = (await house.ask(redeem, protocol.MessageKey)).key
    read = world.vault.open_message(
        data, CONTENT, told, ticket=ticket.ticket, slot=slot, vouched=VOUCHED
    )

    space = bytearray(MAX_SEALED)
    assert bytes(space[: read.open(0, space)]) == b"hello"


async def test_a_key_counts_only_with_the_key_holders_signature_here_and_now(
    world: World, tmp_path: Path
) -> None:
    good = world.signed
    for bad, mailbox in (
        (msgspec.structs.replace(good, public=good.public[::-1]), None),
        (msgspec.structs.replace(good, tenure=uuid4()), None),
        (good, uuid4()),
        ((await world.house.ask(PublicKeys("records"), KeyList)).keys[0], None),
    ):
        with pytest.raises(VaultRefused, match="key"):
            world.deposit(bad, mailbox)
    with pytest.raises(VaultRefused, match="key"):
        world.vault.seal_to_mailbox(CONTENT, Codec.PCMU, 0, world.mailbox, b"no key")
    assert world.deposit()
    world.house.time.pass_(8 * DAY / 1_000_000)
    with pytest.raises(VaultRefused, match="key"):
        world.deposit()
    (tmp_path / "keyholder.pin").unlink()
    with pytest.raises(VaultRefused, match="key"):
        world.deposit()


async def test_the_slot_is_of_this_tenure_alone(world: World) -> None:
    sealing = world.deposit()
    row = world.house.core.store.get(KeyRow, world.signed.id)
    assert row is not None
    opened = slots.open_deposit_slot(row.signed, row.private, CONTENT, sealing.slot)
    assert opened == sealing.key
    other = msgspec.structs.replace(row.signed, tenure=uuid4())
    with pytest.raises(slots.WrongSlot):
        slots.open_deposit_slot(other, row.private, CONTENT, sealing.slot)


async def test_what_the_key_holder_refuses_is_not_opened(world: World) -> None:
    data = spoken(world.deposit())
    told = Whole(inspect(data).digest)
    for failure, fault in ((Refused("no"), "refused"), (KeyHolderUnavailable("x"), "unavailable")):
        world.line.given = failure
        with pytest.raises(VaultRefused) as refused:
            world.vault.open_message(data, CONTENT, told, ticket=b"t", slot=b"s", vouched=VOUCHED)
        assert refused.value.fault == fault


async def test_a_key_of_a_file_that_is_refused_is_forgotten(world: World) -> None:
    data = spoken(world.deposit())
    key = bytearray(b"k" * 32)
    world.line.given = key

    with pytest.raises(FileRefused) as refused:
        world.vault.open_message(
            data, CONTENT, Whole(inspect(data).digest), ticket=b"t", slot=b"s", vouched=VOUCHED
        )

    assert refused.value.fault is Fault.ALTERED
    assert key == bytes(32)


async def test_a_command_is_sealed_to_for_once(world: World) -> None:
    pair = primitives.generate_pair(primitives.Suite.HYBRID)
    sealing = world.vault.seal_to_asker(CONTENT, Codec.PCMU, 0, pair.suite, pair.public)

    assert slots.open_asker_slot(pair.suite, pair.private, CONTENT, sealing.slot) == sealing.key
    for suite, public in (("rot13", pair.public), (str(pair.suite), b"no key")):
        with pytest.raises(VaultRefused, match="key"):
            world.vault.seal_to_asker(CONTENT, Codec.PCMU, 0, suite, public)


async def test_a_greeting_is_sealed_under_its_own_key(world: World) -> None:
    vault, key = world.vault, b"g" * 32
    sealing = vault.seal_greeting(CONTENT, Codec.G722, 0, key)
    data = spoken(sealing)
    told = Whole(inspect(data).digest)

    assert sealing.slot == b""
    assert len(vault.open_greeting(data, CONTENT, told, key=key)) == 1
    with pytest.raises(FileRefused):
        vault.open_greeting(data, CONTENT, told, key=b"x" * 32)
    with pytest.raises(VaultRefused, match="key"):
        vault.seal_greeting(CONTENT, Codec.G722, 0, b"short")
    with pytest.raises(VaultRefused, match="key"):
        vault.open_greeting(data, CONTENT, told, key=b"short")


async def test_a_pin_is_proved_to_the_key_holder_alone(world: World) -> None:
    house, doctor = world.house, world.doctor
    set_pin = acts.SetPin(("2001",))
    await house.done(doctor, set_pin, new_pin="730562")
    act = acts.PhoneLogIn(doctor.id)
    world.line.given = await house.ask(protocol.AskChallenge(), Challenge)
    sealed = world.vault.prove(
        acts.canonical(act), b"", {"pin": bytearray(b"730562")}, bytearray(BINDING)
    )

    assert b"730562" not in sealed
    proof = Proof(sealed, Origin("device", "here"), b"")
    assert isinstance(await house.holder.answer(protocol.Perform(act, proof, evidence())), Opened)
    other = protocol.Perform(acts.PhoneLogIn(uuid4()), proof, evidence())
    assert await house.holder.answer(other) == protocol.Refusal()


async def test_what_cannot_be_proved_says_why(world: World) -> None:
    act = acts.canonical(acts.PhoneLogIn(world.doctor.id))
    world.line.given = KeyHolderUnavailable("away")
    with pytest.raises(VaultRefused, match="unavailable"):
        world.vault.prove(act, b"", {}, bytearray())
    challenge = await world.house.ask(protocol.AskChallenge(), Challenge)
    forged = msgspec.structs.replace(challenge.key, public=b"x" * len(challenge.key.public))
    world.line.given = msgspec.structs.replace(challenge, key=forged)
    with pytest.raises(VaultRefused, match="key"):
        world.vault.prove(act, b"", {}, bytearray())
    world.line.given = challenge
    for wrong_act, secrets in ((b"no act", {}), (act, {"shoe_size": bytearray()})):
        with pytest.raises(VaultRefused, match="key"):
            world.vault.prove(wrong_act, b"", secrets, bytearray())


def test_each_leg_vouches_with_a_secret_of_its_own(world: World) -> None:
    drawn = [world.vault.binding() for _ in range(3)]

    assert {len(one) for one in drawn} == {BINDING_SIZE}
    assert len({bytes(one) for one in drawn}) == 3
