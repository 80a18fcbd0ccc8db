"""The call of an examination, through a whole exchange with a media worker."""

import asyncio
from dataclasses import replace
from pathlib import Path

from certs.contexts import client_context
from pbx.doctor.finding import Finding, Verdict
from pbx.doctor.trial import NO_TRIAL, Trial, findings
from pbx.testcall.phone import Line
from storage.database import Database
from tests.support.exchange import SECRET, TestExchange
from tests.support.sip_server import DOMAIN


def examined(trial: Trial | None) -> Finding:
    [finding] = findings(trial)
    return finding


async def test_a_call_is_placed_and_heard_and_a_phone_that_cannot_log_in_is_told(
    open_path: Path, database: Database
) -> None:
    async with TestExchange(open_path / "x", database) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1002", "bob")
        trusted = client_context(exchange.ca_file)
        alice, bob = [
            Line(("127.0.0.1", exchange.port), DOMAIN, name, SECRET, trusted)
            for name in ("alice", "bob")
        ]
        trial = Trial(alice, bob, "1002")
        good = await asyncio.to_thread(examined, trial)
        bad = await asyncio.to_thread(examined, replace(trial, caller=replace(bob, secret="no")))

    assert good.verdict is Verdict.HOLDS, good.evidence
    assert "AEAD_AES_256_GCM and AES_CM_128_HMAC_SHA1_80" in good.evidence
    assert (bad.verdict, "401" in bad.evidence) == (Verdict.BROKEN, True)


def test_without_phones_nothing_is_told() -> None:
    assert examined(None).evidence == NO_TRIAL
    assert examined(None).verdict is Verdict.UNKNOWN
