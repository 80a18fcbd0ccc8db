"""Real phones register, refresh and leave; come back after crashes and cuts; strangers do not."""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from pathlib import Path

import pytest

from pbx.sip.digest import answer
from pbx.sip.message import Request, Response
from tests.support.baresip import BaresipPhone
from tests.support.capture import Capture
from tests.support.exchange import SECRET, TestExchange
from tests.support.phone import Account, Phone
from tests.support.pjsua import PjsuaPhone
from tests.support.sip_server import DOMAIN, new_authority

pytestmark = pytest.mark.slow


def registered(exchange: TestExchange) -> int:
    return len(list(exchange.location))


async def our_phone(exchange: TestExchange, name: str, password: str = SECRET) -> Phone:
    phone = Phone(Account(username=name, domain=DOMAIN, password=password))
    await phone.connect(("127.0.0.1", exchange.port), ssl_context(exchange))
    return phone


def ssl_context(exchange: TestExchange) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(exchange.ca_file))


async def test_pjsua_registers_refreshes_and_leaves(exchange: TestExchange) -> None:
    async with (
        Capture(exchange.folder / "registration.pcapng") as capture,
        PjsuaPhone(**exchange.phone_options("alice")) as phone,
    ):
        await phone.registered()
        assert registered(exchange) == 1
        phone.do("register")
        await phone.registered()
        assert registered(exchange) == 1
        phone.do("unregister")
        await phone.registered()

    assert registered(exchange) == 0
    assert await capture.findings() == []
    await exchange.flush()
    actions = await exchange.ledger_actions()
    assert actions.count("registration.started") == actions.count("registration.ended") == 1


async def test_baresip_registers_by_its_exception_and_leaves(
    exchange: TestExchange, tmp_path: Path
) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    async with BaresipPhone(
        tmp_path / "carol", user="carol", domain=DOMAIN, host="127.0.0.1",
        port=exchange.md5_port, username="carol", password=SECRET,
    ) as phone:  # fmt: skip
        await phone.wait("REGISTER_OK")
        assert registered(exchange) == 1

    async with asyncio.timeout(60):
        while registered(exchange):  # noqa: ASYNC110 - it says goodbye when it ends
            await asyncio.sleep(0.01)
    assert exchange.failures == []


async def test_without_exception_the_md5_port_lets_nobody_in(exchange: TestExchange) -> None:
    phone = Phone(Account(username="alice", domain=DOMAIN, password=SECRET))
    await phone.connect(("127.0.0.1", exchange.md5_port), ssl_context(exchange))

    assert (await phone.register()).status == 401

    phone.close()
    assert [failure.reason for failure in exchange.failures] == ["not-for-this-listener"]


@pytest.mark.parametrize("defect", ["name", "authority"])
async def test_pjsua_does_not_talk_to_who_only_looks_like_us(
    exchange: TestExchange, tmp_path: Path, defect: str
) -> None:
    options = exchange.phone_options("alice")
    if defect == "authority":
        options["ca_file"] = str(new_authority(tmp_path / "foreign").root_pem_path)
    else:
        options["proxy"] = f"sip:localhost:{exchange.port};transport=tls"

    async with PjsuaPhone(**options) as phone:
        refused = await phone.wait("registration", lambda event: event["code"] >= 500)

    assert refused["code"] in (502, 503)
    assert registered(exchange) == 0


async def test_a_phone_with_a_certificate_needs_no_secret(
    exchange: TestExchange, tmp_path: Path
) -> None:
    issued = exchange.authority.issue_device(f"sip:alice@{DOMAIN}")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    port = exchange.certificate_listener.endpoints[0][1]
    options = exchange.phone_options(
        "alice", port=port, password="none", certificate=str(chain), key=str(key)
    )

    async with PjsuaPhone(**options) as phone:
        await phone.registered()
        assert registered(exchange) == 1

    assert exchange.failures == []


async def test_a_name_under_attack_stays_registered_and_can_call(exchange: TestExchange) -> None:
    async with (
        PjsuaPhone(**exchange.phone_options("alice")) as caller,
        PjsuaPhone(**exchange.phone_options("bob", answer_with=200)) as callee,
    ):
        await caller.registered()
        await callee.registered()
        for _ in range(5):
            attacker = await our_phone(exchange, "alice", "wrong")
            for _ in range(10):
                assert (await attacker.register()).status == 401
            attacker.close()
        caller.do("register")
        await caller.registered()
        call = await caller.call(f"sip:1002@{DOMAIN}")
        await caller.confirmed(call)
        caller.do("hangup", call=call)
        await caller.disconnected(call)

    assert any(failure.locked for failure in exchange.failures)
    assert len(exchange.failures) < 50  # locked attempts are not told one by one


async def test_from_elsewhere_the_right_secret_still_opens(exchange: TestExchange) -> None:
    attacker = await our_phone(exchange, "alice", "wrong")
    for _ in range(12):
        await attacker.register()
    attacker.close()
    phone = Phone(Account(username="alice", domain=DOMAIN, password=SECRET))
    await phone.connect(("127.0.0.1", exchange.port), ssl_context(exchange), source="127.0.0.2")

    assert (await phone.register()).status == 200

    phone.close()


# -- by hand: what no honest phone sends


def proof(phone: Phone, request: Request, challenged: Response, **other: object) -> str:
    (challenge,) = challenged.challenges("WWW-Authenticate")
    account = phone.account
    made = answer(
        challenge,
        str(other.get("username", account.username)),
        str(other.get("password", account.password)),
        (request.method, str(other.get("uri", request.uri_text))),
        cnonce=secrets.token_hex(4),
        nc=int(str(other.get("nc", 1))),
    )
    return str(made)


async def say(phone: Phone, request: Request) -> Response:
    responses = phone.start(request)
    async with asyncio.timeout(60):
        response = await responses.get()
    phone.finish(request)
    return response


def register(phone: Phone, contacts: int = 1) -> Request:
    request = phone.request("REGISTER", f"sip:{DOMAIN}")
    for number in range(contacts):
        request.headers.add("Contact", f"<sip:c{number}@192.0.2.1>")
    return request


async def test_a_proof_counts_once(exchange: TestExchange) -> None:
    phone = await our_phone(exchange, "alice")
    request = register(phone)
    request.headers.add("Authorization", proof(phone, request, await say(phone, request)))
    statuses = []
    for _ in range(2):
        number = request.cseq.number + 1
        request.headers.set("CSeq", f"{number} REGISTER")
        statuses.append((await say(phone, request)).status)
    phone.close()

    assert statuses == [200, 401]
    assert [failure.reason for failure in exchange.failures] == ["replayed"]


async def test_a_count_of_a_nonce_counts_once_with_whatever_proof(exchange: TestExchange) -> None:
    phone = await our_phone(exchange, "alice")
    request = register(phone)
    challenged = await say(phone, request)
    statuses = []
    for count in (1, 2, 2, 1, 3):
        request.headers.set("CSeq", f"{request.cseq.number + 1} REGISTER")
        request.headers.set("Authorization", proof(phone, request, challenged, nc=count))
        statuses.append((await say(phone, request)).status)
    phone.close()

    assert statuses == [200, 200, 401, 401, 200]


async def test_a_nonce_of_another_connection_and_another_realm_open_nothing(
    exchange: TestExchange,
) -> None:
    phone, other = await our_phone(exchange, "alice"), await our_phone(exchange, "alice")
    foreign = register(phone)
    challenged = await say(phone, foreign)
    taken = register(other)
    taken.headers.add("Authorization", proof(other, taken, challenged))
    realm = register(phone)
    made = proof(phone, realm, challenged).replace(f'realm="{DOMAIN}"', 'realm="elsewhere"')
    realm.headers.add("Authorization", made)

    assert (await say(other, taken)).status == 401
    assert (await say(phone, realm)).status == 401
    phone.close()
    other.close()
    assert registered(exchange) == 0


async def test_an_unknown_phone_is_refused_whatever_its_password(exchange: TestExchange) -> None:
    phone = await our_phone(exchange, "nobody")

    response = await phone.register()

    phone.close()
    assert response.status == 401
    assert [failure.reason for failure in exchange.failures] == ["unknown-name"]


HOSTILE = (
    b"' OR 1=1 --",
    b"x'; DROP TABLE device; --",
    b"%0d%0aContact: <sip:x@y>",
    b"x\r\nContact: <sip:x@y>",
    b"\x00",
    "é".encode("latin-1"),
)
MARK = b"placeholder"


VALUES = {
    "From": f'"placeholder" <sip:alice@{DOMAIN}>;tag=1',
    "To": f'"placeholder" <sip:alice@{DOMAIN}>',
    "Contact": "<sip:placeholder@192.0.2.1>",
    "Via": "SIP/2.0/TLS placeholder;branch=z9hG4bKplaceholder",
    "CSeq": "1000 REGISTER placeholder",
    "Path": "<sip:placeholder@192.0.2.1;lr>",
}
"""Fields that have a form; the others are the text alone."""

FIELDS = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "User-Agent", "Subject", "Expires",
    "Max-Forwards", "Supported", "Require", "Path", "Route", "Content-Type", "X-Clinic",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
async def test_hostile_text_in_any_field_is_only_text(exchange: TestExchange, field: str) -> None:
    """The request is a real phone's otherwise: what is not refused is carried out."""
    again = await our_phone(exchange, "alice")
    for text in HOSTILE:
        phone = await our_phone(exchange, "alice")
        request = register(phone)
        challenged = await say(phone, request)
        request.headers.set("CSeq", f"{request.cseq.number + 1} REGISTER")
        request.headers.set("Authorization", proof(phone, request, challenged))
        request.headers.set(field, VALUES.get(field, "placeholder"))
        phone.send_bytes(request.encode().replace(MARK, text))
        assert (await again.register()).status == 200
        phone.close()

    again.close()
    assert 1 <= registered(exchange) <= 4  # alice's own, whatever she calls them
    assert exchange.failures == []


@pytest.mark.parametrize("part", ["username", "realm", "nonce", "uri", "cnonce", "opaque"])
async def test_hostile_text_in_a_proof_opens_nothing(exchange: TestExchange, part: str) -> None:
    again = await our_phone(exchange, "alice")
    for text in HOSTILE:
        phone = await our_phone(exchange, "alice")
        request = register(phone)
        made = proof(phone, request, await say(phone, request))
        planted = f'{part}="placeholder"'
        made, found = re.subn(rf'\b{part}="[^"]*"', planted, made)
        request.headers.set("CSeq", f"{request.cseq.number + 1} REGISTER")
        request.headers.set("Authorization", made if found else f"{made}, {planted}")
        phone.send_bytes(request.encode().replace(MARK, text))
        if part == "opaque":
            await phone.ping()  # it means nothing, so it changes nothing
        else:
            assert (await again.register()).status == 200
            assert registered(exchange) == 1
        phone.close()
    again.close()


@pytest.mark.parametrize("contacts", [11, 1000])
async def test_a_register_with_too_many_contacts_changes_nothing(
    exchange: TestExchange, contacts: int
) -> None:
    phone = await our_phone(exchange, "alice")
    request = register(phone, contacts)
    try:
        response = await phone.ask(request, 5)
    except TimeoutError:
        assert phone.closed.is_set()  # longer than a message may be
    else:
        assert 400 <= response.status < 500
    phone.close()

    assert registered(exchange) == 0


async def test_a_stranger_has_no_more_messages_than_are_allowed(exchange: TestExchange) -> None:
    phone = await our_phone(exchange, "alice", "wrong")
    tries = 0
    while not phone.closed.is_set() and tries < 60:
        tries += 1
        try:
            await phone.ask(register(phone), 2)
        except TimeoutError:
            break

    assert tries < 50
    assert registered(exchange) == 0
