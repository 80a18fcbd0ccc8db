"""Calls: records, receipts, tests, restarts."""

from uuid import UUID

import httpx

from storage import calls
from storage.calls import CallOutcome, CallRecord, LegRecord, Parties, Receipt, Signalling, Transfer
from storage.ledger.unit import Unit
from tests.support.clinic import Clinic, Member
from tests.support.uses.registry import use


async def recorded(clinic: Clinic) -> UUID:
    """A call that is over."""
    id, device = clinic.id(), clinic.id()
    leg = LegRecord(
        id=clinic.id(),
        role="caller",
        device=device,
        person=None,
        started_at=clinic.now,
        answered_at=clinic.now,
        ended_at=clinic.now,
        status=200,
        receipt=Receipt(
            suite="AEAD_AES_256_GCM",
            signalling=Signalling(
                tls_version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", authentication="certificate"
            ),
            mos=4.3,
        ),
    )
    record = CallRecord(
        id=id,
        started_at=clinic.now,
        answered_at=clinic.now,
        ended_at=clinic.now,
        route="person",
        outcome=CallOutcome.ANSWERED,
        cause="hung-up",
        is_emergency=False,
        caller_device=device,
        caller_person=None,
        callee_tenure=None,
        parties=Parties(
            caller_number="1001",
            dialled="1002",
            transfers=(
                Transfer(
                    at=clinic.now,
                    kind="blind",
                    by=device,
                    by_person=None,
                    who=device,
                    number="1003",
                    status=200,
                ),
            ),
        ),
        legs=(leg,),
    )
    await clinic.telephony.records_key.refresh()
    key = clinic.telephony.keys.current()

    async def work(unit: Unit) -> None:
        await calls.write(unit.connection, [record], key)

    await clinic.plane.committer.run(work)
    return id


@use("GET", "/v1/call-records/{call:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/call-records/{await recorded(clinic)}")


@use("GET", "/v1/call-records/{call:uuid}/parties")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/call-records/{await recorded(clinic)}/parties")


@use("DELETE", "/v1/calls/{call:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", f"/v1/calls/{clinic.id()}")


@use("POST", "/v1/restart")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer = await clinic.ask(who, "POST", "/v1/restart", {"drain": True})
    clinic.context.restart.call_off()
    return answer


@use("DELETE", "/v1/restart")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", "/v1/restart")


@use("POST", "/v1/call-tests")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer = await clinic.ask(who, "POST", "/v1/call-tests")
    clinic.telephony.test_lines.close_all()
    return answer


@use("GET", "/v1/call-tests/{test:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    line = clinic.telephony.test_lines.open()
    answer = await clinic.ask(who, "GET", f"/v1/call-tests/{line.caller.device}")
    clinic.telephony.test_lines.close_all()
    return answer


@use("DELETE", "/v1/call-tests/{test:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    line = clinic.telephony.test_lines.open()
    return await clinic.ask(who, "DELETE", f"/v1/call-tests/{line.caller.device}")
