"""The main job on a running installation: phones from `quickstart` and from `pbx device add`
register over TLS, call each other and hear each other, and the commands say how it was protected.

Everything is real: the supervisor with its three processes, the commands in processes of their
own, PJSIP as the phones.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.admin.enrolling import Credentials
from tests.support import tone
from tests.support.phone import Account, Phone
from tests.support.quickstarted import DOMAIN, Running, quickstarted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

ANNA_HZ, BEN_HZ = 440.0, 1000.0


@pytest.fixture
async def running(open_path: Path) -> AsyncIterator[Running]:
    async with quickstarted(open_path / "pbx") as started:
        yield started


async def test_phones_of_quickstart_and_of_device_add_talk_and_leave_receipts(
    running: Running,
) -> None:
    for credentials in running.phones.values():
        assert len(credentials.secret) == 24
    added = await running.json("device", "add", "exam room 3", "--place", "exam-room")
    await running.done("device", "assign", "exam room 3", "1002")
    exam = Credentials(added["device"], added["username"], added["secret"], added["algorithm"])

    async with (
        running.phone(running.phones["phone 1001"], tone_hz=ANNA_HZ) as anna,
        running.phone(exam, tone_hz=BEN_HZ, answer_with=200) as ben,
    ):
        await anna.registered()
        await ben.registered()
        shown = await running.json("registrations")
        assert {row["label"] for row in shown} == {"phone 1001", "exam room 3"}
        assert {row["login"] for row in shown} == {"digest SHA-256"}

        call = await anna.call(f"sip:1002@{DOMAIN}")
        await anna.confirmed(call)
        await tone.until_heard((await anna.wait("recording"))["path"], BEN_HZ, seconds=1.0)
        await tone.until_heard((await ben.wait("recording"))["path"], ANNA_HZ, seconds=1.0)
        [live] = await running.json("calls")
        assert live["phones"] == ["phone 1001", "exam room 3"]
        await running.done("call", "hangup", live["id"], "--yes")
        await anna.disconnected(call)

        details = await running.json("device", "show", "exam room 3")
        assert details["has_used_sha256"]
        assert details["first_seen_at"]

    record = await running.json("call", "show", live["id"])
    assert [leg["phone"] for leg in record["call"]["legs"]] == ["phone 1001", "exam room 3"]
    assert {leg["receipt"]["suite"] for leg in record["call"]["legs"]} == {
        "AES_CM_128_HMAC_SHA1_80"
    }
    assert record["call"]["cause"] == "administrator"
    assert (await running.pbx("call", "show", live["id"], "--parties"))[0] == 3
    [first] = await running.json("call", "list")
    assert first["id"] == live["id"]


async def test_the_test_call_goes_through_and_leaves_no_phone_behind(running: Running) -> None:
    found = await running.json("call", "test")

    assert min(found["heard"]) >= 1.0
    suites = [leg["receipt"]["suite"] for leg in found["call"]["legs"]]
    assert suites == ["AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"]
    assert found["call"]["outcome"] == "answered"
    assert await running.json("registrations") == []
    assert len(await running.json("device", "list")) == 2


async def test_a_leaver_s_private_phone_is_disconnected_and_cannot_come_back(
    running: Running,
) -> None:
    async with running.phone(running.phones["phone 1002"]) as ben:
        await ben.registered()

        await running.done("person", "leave", "ben", "--yes", typed=running.code())

        await ben.wait("registration", lambda event: event["code"] != 200)
    assert await running.json("registrations") == []
    code, _, error = await running.pbx("extension", "show", "1002")
    assert code == 0, error


async def test_a_removed_phone_and_an_old_secret_open_nothing(running: Running) -> None:
    phones = running.phones
    async with (
        running.phone(phones["phone 1001"]) as anna,
        running.phone(phones["phone 1002"]) as ben,
    ):
        await anna.registered()
        await ben.registered()

        await running.done("device", "rotate-secret", "phone 1001", "--yes")
        await running.done("device", "remove", "phone 1002", "--yes")

        await anna.wait("registration", lambda event: event["code"] != 200)
        await ben.wait("registration", lambda event: event["code"] != 200)
    assert await running.json("registrations") == []


async def test_hangup_takes_a_renewed_certificate_over_and_drops_no_phone(running: Running) -> None:
    made = running.phones["phone 1001"]
    phone = Phone(Account(username=made.username, domain=DOMAIN, password=made.secret))
    await phone.connect(("127.0.0.1", running.port), running.trust())
    assert (await phone.register()).status == 200
    before = await running.certificate()

    await running.done("cert", "renew")
    os.kill(os.getpid(), signal.SIGHUP)

    async with asyncio.timeout(60):
        while await running.certificate() == before:  # noqa: ASYNC110  # another process's doing
            await asyncio.sleep(0.05)
    assert (await phone.register()).status == 200
    assert not phone.closed.is_set()
    assert len(await running.json("registrations")) == 1
    phone.close()


async def test_told_to_stop_it_waits_for_the_call_that_is_up(running: Running) -> None:
    phones = running.phones
    async with (
        running.phone(phones["phone 1001"], tone_hz=ANNA_HZ) as anna,
        running.phone(phones["phone 1002"], tone_hz=BEN_HZ, answer_with=200) as ben,
    ):
        await anna.registered()
        await ben.registered()
        call = await anna.call(f"sip:1002@{DOMAIN}")
        await anna.confirmed(call)

        os.kill(os.getpid(), signal.SIGTERM)

        async with asyncio.timeout(60):
            while (await running.json("status"))["state"] != "draining":  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)
        await tone.until_heard((await anna.wait("recording"))["path"], BEN_HZ, seconds=2.0)
        [live] = await running.json("calls")
        await running.done("call", "hangup", live["id"], "--yes")
        await anna.disconnected(call)
        async with asyncio.timeout(60):
            while (await running.pbx("status"))[0] != 4:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)
