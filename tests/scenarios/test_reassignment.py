"""An extension changes hands, with real telephones (PJSIP) and the real administration plane.

The former holder hears nothing, reads nothing and gets no lamp; the new holder finds an empty box;
`prove` says so, and says otherwise once the isolation is broken on purpose.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from pbx.access.roles import Role
from storage.keyholder import acts, protocol
from storage.keyholder.edges import REQUESTS, Edge, Place
from tests.support import privileges
from tests.support.clinic import Clinic, Member
from tests.support.media_worker import WorkerProcess
from tests.support.message_exchange import PIN
from tests.support.pjsua import PjsuaPhone
from tests.support.prompts import with_tones
from tests.support.tone import until_heard

pytestmark = pytest.mark.slow

PIN_HZ, EMPTY_HZ, REFUSED_HZ, BEEP_HZ = 440.0, 700.0, 1300.0, 1000.0
TONES = {"vm-pin": PIN_HZ, "vm-none": EMPTY_HZ, "vm-refused": REFUSED_HZ}
OTHER_PIN = "582630"
LAMP = "Voice-Message: {}/{} ("


@pytest.fixture
async def house(clinic: Clinic, open_path: Path) -> AsyncIterator[Clinic]:
    """With a media worker: calls are carried, messages are sealed."""
    store = open_path / "store"
    store.mkdir()
    assert clinic.house.pin is not None
    clinic.house.pin.write(store / "keyholder.pin")
    place = Place(store / "keyholder.sock", frozenset({os.geteuid()}))
    async with AsyncExitStack() as stack:
        edge = Edge(place, REQUESTS[protocol.Edge.WORKER], clinic.answer)
        await edge.start()
        stack.push_async_callback(edge.stop)
        worker = WorkerProcess(clinic.layout.worker_socket(0).parent, 0, messages=store)
        worker.environment["TEST_PROMPTS"] = with_tones(open_path / "prompts", TONES)
        await stack.enter_async_context(worker)
        await clinic.staffed()
        yield clinic


async def with_pin(clinic: Clinic, login: str, pin: str) -> Member:
    member = await clinic.with_role(login, Role.PHYSICIAN)
    await clinic.present(member)
    proof = await clinic.proof(member, acts.SetPin(()), new_pin=pin)
    await clinic.do(member, "POST", "/v1/own/pin", {"extensions": [], "proof": proof})
    return member


async def phone_for(clinic: Clinic, number: str) -> dict[str, Any]:
    """What PJSIP needs for a new phone that rings for the number."""
    root = await clinic.present(clinic.members["root"])
    label = f"phone for {number}"
    made = await clinic.do(root, "POST", "/v1/devices", {"id": clinic.id(), "label": label})
    body = {"version": 1, "extension": number}
    await clinic.do(root, "POST", f"/v1/devices/{label}/assignment", body)
    telephony = clinic.telephony
    return {
        "user": made["username"], "username": made["username"], "password": made["secret"],
        "domain": made["domain"], "host": "127.0.0.1", "port": telephony.listening.port(md5=False),
        "ca_file": made["ca_file"], "bind": "127.0.0.1", "codecs": ["PCMU"],
        "record_to": str(clinic.layout.root), "mwi": True,
    }  # fmt: skip


async def lit(phone: PjsuaPhone, new: int, old: int) -> None:
    await phone.wait("mwi", lambda event: LAMP.format(new, old) in event["message"])


async def dials(phone: PjsuaPhone, number: str, hertz: float) -> tuple[int, str]:
    phone.do("call", uri=f"sip:{number}@pbx.test")
    call = (await phone.wait("calling"))["call"]
    path = (await phone.wait("recording", call=call))["path"]
    await until_heard(path, hertz, seconds=0.2)
    return call, path


async def hears_with(phone: PjsuaPhone, pin: str, hertz: float) -> None:
    """What `*97` says to this PIN."""
    call, path = await dials(phone, "*97", PIN_HZ)
    for digit in pin + "#":
        phone.do("digits", call=call, digits=digit)
    await until_heard(path, hertz, seconds=0.2)
    phone.do("hangup", call=call)
    await phone.wait("gone", call=call)


async def proved(clinic: Clinic, number: str) -> dict[str, str]:
    root = await clinic.present(clinic.members["root"])
    answer = await clinic.do(root, "POST", f"/v1/extensions/{number}/isolation")
    return {found["path"]: found["verdict"] for found in answer["findings"]}


async def test_a_number_changes_hands_and_nothing_goes_with_it(house: Clinic) -> None:
    anna = await with_pin(house, "anna", PIN)
    ben = await with_pin(house, "ben", OTHER_PIN)
    number = await privileges.extension(house, anna)
    caller = await privileges.extension(house, ben)
    await house.telephony.voicemail.deposit_keys.refresh()
    desk = await phone_for(house, number)
    async with (
        PjsuaPhone(**desk) as phone,
        PjsuaPhone(**await phone_for(house, caller)) as other,
    ):
        await phone.wait("registration", code=200)
        await other.wait("registration", code=200)
        call, _ = await dials(other, f"*98{number}", BEEP_HZ)
        await enough_is_kept(house)
        other.do("hangup", call=call)
        await lit(phone, 1, 0)
        [listed] = await house.do(await house.present(anna), "GET", "/v1/own/messages")

        root = await house.present(house.members["root"])
        assert (await privileges.assign(house, root, number, ben, 2)).is_success
        await lit(phone, 0, 0)
        await house.telephony.voicemail.deposit_keys.refresh()

        await hears_with(phone, PIN, REFUSED_HZ)  # Anna's PIN, where Ben's is asked for
        await hears_with(phone, OTHER_PIN, EMPTY_HZ)
    for member in (anna, ben):
        await house.present(member)
        assert await house.do(member, "GET", "/v1/own/messages") == []
        opening = {"purpose": "hears", "suite": "P384", "public": bytes(97), "voucher": bytes(32)}
        path = f"/v1/own/messages/{listed['id']}/listening"
        assert (await house.ask(member, "POST", path, opening)).status_code == 403
    said = await proved(house, number)
    assert set(said.values()) == {"isolated"}

    box = (await present_mailbox(house, number)).bytes
    async with house.plane.database.begin() as connection:
        await connection.execute(text("UPDATE message SET mailbox_id = :box"), {"box": box})
    broken = {path for path, verdict in (await proved(house, number)).items()
              if verdict == "NOT isolated"}  # fmt: skip
    assert broken == {"this extension: list", "this extension: message"}


async def enough_is_kept(clinic: Clinic) -> None:
    """Until the worker has told of three durable parts of what is said."""
    held = clinic.telephony.voicemail.deposits.log.open_
    async with asyncio.timeout(60):
        while not any(one.segments >= 3 for one in held.values()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


async def present_mailbox(clinic: Clinic, number: str) -> UUID:
    root = await clinic.present(clinic.members["root"])
    tenure = (await clinic.do(root, "GET", f"/v1/extensions/{number}"))["tenure"]
    return UUID(tenure["mailbox"])
