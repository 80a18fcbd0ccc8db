"""What the test call finds wrong, against a real listener (nothing carries media there)."""

import ssl
from typing import Any

import msgspec
import pytest

from pbx.admin.wire.calls import TrialLine
from pbx.testcall.errors import CallTestFailed
from pbx.testcall.phone import Line
from pbx.testcall.run import place
from tests.support.clinic import Clinic


def line(told: Any, **changes: Any) -> Line:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not changes.pop("is_foreign", False):
        context.load_verify_locations(cadata=told.ca_pem)
    facts = {
        "address": ("127.0.0.1", told.port),
        "domain": told.domain,
        "username": told.username,
        "secret": told.secret,
        "context": context,
    }
    return Line(**(facts | changes))


async def opened(clinic: Clinic) -> TrialLine:
    root = await clinic.found()
    return msgspec.convert(await clinic.do(root, "POST", "/v1/call-tests"), TrialLine)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_foreign": True}, "certificate was not accepted"),
        ({"domain": "elsewhere.test"}, "certificate was not accepted"),
        ({"secret": "wrong"}, "registration was answered 401"),
        ({"address": ("127.0.0.1", 1)}, "no TLS connection"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_one_sentence(
    clinic: Clinic, changes: dict[str, Any], words: str
) -> None:
    told = await opened(clinic)

    with pytest.raises(CallTestFailed, match=words):
        await place(line(told.caller, **changes), line(told.callee), told.number)


async def test_a_call_that_nothing_carries_fails_with_its_status(clinic: Clinic) -> None:
    told = await opened(clinic)

    with pytest.raises(CallTestFailed, match=r"the call was answered [45]"):
        await place(line(told.caller), line(told.callee), told.number)
