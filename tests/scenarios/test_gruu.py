"""A GRUU reaches exactly the phone that has it (RFC 5627), and serves as a Contact at once."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.support.baresip import BaresipPhone
from tests.support.exchange import SECRET, TestExchange
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed
from tests.support.pjsua import PjsuaPhone
from tests.support.rtp_phone import RtpPhone
from tests.support.sip_server import DOMAIN

pytestmark = pytest.mark.slow

DESK, HALL = ("00000000-0000-1000-8000-00000000000" + end for end in "12")


async def instance(exchange: TestExchange, uuid: str) -> tuple[Phone, str]:
    """One of bob's phones, and the GRUU it was given."""
    phone = Phone(Account(username="bob", domain=DOMAIN, password=SECRET), instance=uuid)
    context = ssl.create_default_context(cafile=str(exchange.ca_file))
    await phone.connect(("127.0.0.1", exchange.port), context)
    request = phone.request("REGISTER", f"sip:{DOMAIN}")
    request.headers.add("Contact", phone.contact)
    request.headers.add("Supported", "gruu, outbound, path")
    response = await phone.ask(request)
    given = {contact.instance: contact.parameters for contact in response.contacts}
    return phone, (given[f"<urn:uuid:{uuid}>"].get("pub-gruu") or "").strip('"')


async def test_a_call_to_a_gruu_rings_that_phone_and_no_other(exchange: TestExchange) -> None:
    (desk, _), (hall, gruu) = await instance(exchange, DESK), await instance(exchange, HALL)
    media, theirs = RtpPhone(), RtpPhone()
    async with exchange.phone("alice") as alice:
        call = alice.invite(gruu, media.sdp())
        ringing = await asyncio.wait_for(hall.incoming.get(), 60)
        theirs.read(ringing.invite.body)
        ringing.answer(theirs.sdp())
        await call.answered()
        assert (await call.bye()).status == 200
        assert desk.incoming.empty()

        call = alice.invite("1002", media.sdp())  # the number rings them all
        for phone in (desk, hall):
            (await asyncio.wait_for(phone.incoming.get(), 60)).refuse()
        with pytest.raises(CallFailed):
            await call.answered()
        hall.close()
        await asyncio.wait_for(hall.closed.wait(), 60)
        await alice.ping()
        with pytest.raises(CallFailed) as refused:
            await alice.invite(gruu, media.sdp()).answered()
        assert refused.value.response.status == 480
        with pytest.raises(CallFailed) as refused:
            await alice.invite(gruu.replace("bob", "nobody"), media.sdp()).answered()
        assert refused.value.response.status == 404
    for end in (desk, media, theirs):
        end.close()


async def test_baresip_uses_its_gruu_as_contact_and_both_ends_go_on(
    exchange: TestExchange, tmp_path: Path
) -> None:
    await exchange.enrol("1003", "carol", md5=True)
    alice = PjsuaPhone(**exchange.phone_options("alice", answer_with=200))
    carol = BaresipPhone(
        tmp_path / "carol", user="carol", domain=DOMAIN, host="127.0.0.1", username="carol",
        password=SECRET, port=exchange.md5_port, sip_trace=True, sipnat="outbound",
    )  # fmt: skip
    async with alice, carol:
        await alice.registered()
        await carol.wait("REGISTER_OK")
        carol.do("dial", f"sip:1001@{DOMAIN}")
        await carol.wait("CALL_ESTABLISHED")
        alice.do("hangup", call=0)  # a BYE to the GRUU
        await carol.wait("CALL_CLOSED")

        call = await alice.call(f"sip:1003@{DOMAIN}")
        await alice.confirmed(call)
        await carol.wait("CALL_ESTABLISHED")
        alice.do("hold", call=call)
        carol.do("hangup")
        await alice.disconnected(call)

    said = (carol.folder / "log").read_text(errors="replace")
    assert "Contact: <sip:carol@" + DOMAIN + ";gr=urn:uuid:" in said
    assert "BYE sip:carol@" + DOMAIN + ";gr=urn:uuid:" in said
