"""storage/keyholder/security_keys.py, against a key that speaks CTAP2"""

import base64
import hashlib
import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from fido2 import cbor
from fido2.utils import websafe_encode

from storage.keyholder import acts, protocol
from storage.keyholder.presence import (
    ORIGIN,
    Assertion,
    Registration,
    user_handle,
)
from storage.keyholder.protocol import Done, Invalid, Opened, Refusal
from tests.support.authenticator import USER_PRESENT, Authenticator, Credential, attested, head
from tests.support.key_desk import Desk
from tests.support.keyholder import House


@pytest.fixture
async def desk(house: House) -> Desk:
    return Desk(house, await house.administrator())


async def test_a_touch_is_the_second_factor_at_log_in_and_for_a_dangerous_act(desk: Desk) -> None:
    _, answer = await desk.add()
    assert isinstance(answer, Done), answer

    opened = await desk.log_in()
    assert isinstance(opened, Opened), opened
    assert [notice.kind for notice in opened.notices][-1] == "security-key-added"
    desk.someone.session = opened.session

    assert isinstance(await desk.touch(acts.StepUp("export", b"what")), Done)
    assert isinstance(await desk.touch(acts.AddPerson(uuid4(), "anna")), Done)


async def test_a_key_without_the_password_logs_nobody_in(desk: Desk) -> None:
    await desk.add()
    assert isinstance(await desk.log_in(), Opened)

    assert await desk.log_in(password="not the password at all") == Refusal()


async def test_the_codes_of_the_app_stay_and_a_code_still_works(desk: Desk) -> None:
    await desk.add()

    assert isinstance(await desk.house.log_in(desk.someone), Opened)


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"totp": "000000"}])
async def test_adding_a_key_takes_password_and_present_factor(
    desk: Desk, wrong: dict[str, str]
) -> None:
    _, answer = await desk.add(**wrong)
    assert answer == Refusal()

    assert isinstance((await desk.add())[1], Done)


async def test_an_assertion_works_once(desk: Desk) -> None:
    await desk.add()
    act, challenge = acts.StepUp("export", b"x"), await desk.challenge()
    session = desk.someone.session
    signed = desk.sign(challenge, act, session)
    assert isinstance(await desk.send(act, challenge, session, assertion=bytearray(signed)), Done)

    again = await desk.send(act, challenge, session, assertion=bytearray(signed))
    other = await desk.send(act, await desk.challenge(), session, assertion=bytearray(signed))

    assert again == other == Refusal()


async def test_an_assertion_fits_one_act_and_one_session(desk: Desk) -> None:
    await desk.add()
    wanted, session = acts.StepUp("export", b"x"), desk.someone.session
    challenge = await desk.challenge()
    signed = desk.sign(challenge, wanted, session)

    other = acts.StepUp("export", b"y")
    assert await desk.send(other, challenge, session, assertion=signed) == Refusal()

    challenge = await desk.challenge()
    signed = desk.sign(challenge, wanted, b"another session")
    assert await desk.send(wanted, challenge, session, assertion=signed) == Refusal()
    assert isinstance(await desk.touch(wanted), Done)


def changed_data(data: bytes) -> Any:
    """The same assertion over other authenticator data, properly signed by the right key."""

    def change(made: Assertion, key: Authenticator) -> Assertion:
        signed = key.credentials[0].sign(data + hashlib.sha256(made.client_data).digest())
        return msgspec.structs.replace(made, authenticator_data=data, signature=signed)

    return change


async def test_a_key_that_was_not_touched_proves_nothing(desk: Desk) -> None:
    await desk.add()
    assert isinstance(await desk.forged(changed_data(head(desk.party, USER_PRESENT, 90))), Done)

    assert await desk.forged(changed_data(head(desk.party, 0, 91))) == Refusal()


async def test_a_credential_for_another_exchange_proves_nothing(desk: Desk) -> None:
    await desk.add()

    assert await desk.forged(changed_data(head("other.hipaa-pbx", USER_PRESENT, 90))) == Refusal()


async def test_a_counter_that_does_not_rise_tells_of_a_copied_key(desk: Desk) -> None:
    await desk.add()
    assert isinstance(await desk.touch(acts.StepUp("export", b"x")), Done)
    desk.key.counter = 0

    assert await desk.touch(acts.StepUp("export", b"x")) == Refusal()
    desk.key.counter = 50
    assert isinstance(await desk.touch(acts.StepUp("export", b"x")), Done)


async def test_a_key_that_never_counts_is_taken_at_its_word(desk: Desk) -> None:
    def made(bound: bytes) -> Registration:
        credential = Credential(desk.party, {"id": user_handle("root")})
        desk.key.credentials.append(credential)
        client = client_data("webauthn.create", bound)
        return Registration(attestation_of(attested(credential, 0)), client)

    assert isinstance((await desk.add(registration=made))[1], Done)

    for _ in range(2):
        assert isinstance(await desk.forged(changed_data(head(desk.party, 1, 0))), Done)


@pytest.mark.parametrize(
    "change",
    [
        lambda made, key: msgspec.structs.replace(made, signature=made.signature[:-1] + b"\0"),
        lambda made, key: msgspec.structs.replace(made, credential=b"unknown"),
        lambda made, key: msgspec.structs.replace(made, authenticator_data=b"short"),
        lambda made, key: msgspec.structs.replace(made, client_data=b"not json"),
        lambda made, key: msgspec.structs.replace(made, client_data=b"[]"),
        lambda made, key: msgspec.structs.replace(made, client_data=b'{"challenge": "A"}'),
        lambda made, key: msgspec.structs.replace(
            made, client_data=made.client_data.replace(b"webauthn.get", b"webauthn.create")
        ),
        lambda made, key: msgspec.structs.replace(
            made, client_data=made.client_data.replace(ORIGIN.encode(), b"https://evil.example")
        ),
        lambda made, key: msgspec.structs.replace(
            made, client_data=b'{"type":"webauthn.get","origin":"hipaa-pbx:terminal","challenge":7}'
        ),
        lambda made, key: msgspec.structs.replace(
            made,
            client_data=b'{"type":"webauthn.get","origin":"hipaa-pbx:terminal","challenge":"A"}',
        ),
        lambda made, key: b"\xc1 no assertion",
    ],
)
async def test_an_assertion_that_was_tampered_with_proves_nothing(desk: Desk, change: Any) -> None:
    await desk.add()
    assert isinstance(await desk.forged(lambda made, key: made), Done)

    assert await desk.forged(change) == Refusal()


async def test_guessing_with_keys_locks_like_guessing_with_codes(desk: Desk) -> None:
    await desk.add()
    other = Desk(desk.house, desk.someone)
    other.key.credentials.append(Credential(other.party, {"id": user_handle("root")}))
    for _ in range(desk.house.config.failures):
        assert await other.touch(acts.StepUp("export", b"x")) == Refusal()

    assert await desk.touch(acts.StepUp("export", b"x")) == Refusal()


async def test_a_key_is_removed_and_the_app_stays(desk: Desk) -> None:
    key, _ = await desk.add()
    assert isinstance(await desk.log_in(), Opened)

    unknown = await desk.touch(acts.RemoveSecurityKey(uuid4()), password=desk.someone.password)
    gone = await desk.touch(acts.RemoveSecurityKey(key), password=desk.someone.password)

    assert unknown == Refusal()
    assert isinstance(gone, Done)
    assert await desk.log_in() == Refusal()
    assert isinstance(await desk.house.log_in(desk.someone), Opened)
    people = await desk.house.ask(protocol.ListPeople(), protocol.PersonList)
    assert people.people[0].security_keys == ()


async def test_a_key_survives_a_new_app_and_goes_with_a_reset(desk: Desk) -> None:
    await desk.add()
    house, root = desk.house, desk.someone
    answer, asker = await house.step_up(root, acts.ReplaceTotp(), password=root.password)
    assert isinstance(answer, Done)
    secret = asker.open(answer.answer, protocol.Enrolment).totp_secret
    root.totp = base64.b32decode(secret + "=" * (-len(secret) % 8))
    await house.done(root, acts.ConfirmTotp())
    assert isinstance(await desk.log_in(), Opened)

    manager = await house.enrolled("manager", acts.Role.PRACTICE_MANAGER, root)
    another = await house.enrolled("another", acts.Role.SYSTEM_ADMINISTRATOR, root, manager)
    await house.enrol(root, manager, another)

    assert await desk.log_in() == Refusal()


async def test_the_same_key_is_added_once_and_eight_are_enough(desk: Desk) -> None:
    def keep(bound: bytes) -> Registration:
        credential = desk.key.credentials[0]
        client = client_data("webauthn.create", bound)
        return Registration(attestation_of(attested(credential, 9)), client)

    await desk.add()
    _, twice = await desk.add(registration=keep)
    for _ in range(7):
        desk.key = Authenticator()
        assert isinstance((await desk.add())[1], Done)
    desk.key = Authenticator()
    _, ninth = await desk.add()

    assert twice == Invalid("security key: is one of yours already")
    assert ninth == Invalid("security key: 8 are the most one person has")


def client_data(kind: str, bound: bytes, origin: str = ORIGIN) -> bytes:
    return json.dumps({"type": kind, "challenge": websafe_encode(bound), "origin": origin}).encode()


def attestation_of(data: bytes) -> bytes:
    return cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})


RSA = {1: 3, 3: -257, -1: b"\1" * 256, -2: b"\1\0\1"}


@pytest.mark.parametrize(
    ("attestation", "rule"),
    [
        (lambda made: b"", "security key: the registration is not valid"),
        (lambda made: b"\x81" * 5000, "security key: the registration is not valid"),
        (lambda made: cbor.encode({"fmt": 1}), "security key: the registration is not valid"),
        (
            lambda made: attestation_of(attested(made, 1, RSA)),
            "security key: signs neither with ES256 nor with EdDSA",
        ),
        (
            lambda made: attestation_of(head(made.party, USER_PRESENT, 1)),
            "security key: signs neither with ES256 nor with EdDSA",
        ),
        (
            lambda made: attestation_of(attested(Credential("other", {}), 1)),
            "security key: the registration is not for this act",
        ),
    ],
)
async def test_what_is_no_registration_is_named(desk: Desk, attestation: Any, rule: str) -> None:
    credential = Credential(desk.party, {"id": user_handle("root")})

    def made(bound: bytes) -> Registration:
        return Registration(attestation(credential), client_data("webauthn.create", bound))

    assert (await desk.add(registration=made))[1] == Invalid(rule)


async def test_a_registration_for_another_act_is_refused(desk: Desk) -> None:
    credential = Credential(desk.party, {"id": user_handle("root")})

    def made(bound: bytes) -> Registration:
        return Registration(
            attestation_of(attested(credential, 1)), client_data("webauthn.create", bytes(32))
        )

    _, answer = await desk.add(registration=made)
    nothing = (await desk.add(registration=bytearray(b"\xc1")))[1]

    assert answer == Invalid("security key: the registration is not for this act")
    assert nothing == Invalid("security key: the registration is not valid")


async def test_whoever_lost_key_and_app_uses_a_recovery_code(desk: Desk) -> None:
    await desk.add()
    paper = desk.someone.recovery[0]

    opened = await desk.house.log_in(desk.someone, totp="", recovery_code=paper)
    again = await desk.house.log_in(desk.someone, totp="", recovery_code=paper)

    assert isinstance(opened, Opened)
    assert again == Refusal()
