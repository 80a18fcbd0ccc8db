"""The published document against the running interface: no 5xx, no way around the session."""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from tests.support.clinic import Clinic

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))
"""Valid and invalid ones of each operation."""
PUBLIC = {
    ("GET", "/v1/status"),
    ("GET", "/v1/restart"),
    ("GET", "/v1/roles"),
    ("POST", "/v1/challenge"),
    ("POST", "/v1/session"),
    ("POST", "/v1/enrolment"),
    ("POST", "/v1/enrolment/confirmation"),
}

Case = Any


def generated(document: dict[str, Any], number: int) -> list[tuple[str, str, list[Case]]]:
    """Requests for each operation, valid and invalid, made before any is sent."""
    schema = schemathesis.openapi.from_dict(document)
    found = []
    for result in schema.get_all_operations():
        operation = result.ok()
        made: list[Case] = []
        for mode in schemathesis.GenerationMode:
            # An operation without parameters cannot be asked for wrongly.
            with contextlib.suppress(Unsatisfiable):
                _collect(operation.as_strategy(generation_mode=mode), made.append, number)
        found.append((operation.method.upper(), operation.path, made))
    return found


def _collect(strategy: Any, take: Callable[[Case], None], number: int) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=strategy)
    def collect(case: Case) -> None:
        take(case)

    collect()


async def send(clinic: Clinic, case: Case, token: str) -> Any:
    arguments = case.as_transport_kwargs(base_url="http://pbx")
    arguments.pop("cookies", None)
    headers = {k: v for k, v in dict(arguments.pop("headers", {}) or {}).items()}
    headers.pop("Authorization", None)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = arguments.pop("data", None)
    request = clinic.http.build_request(
        arguments.pop("method"),
        arguments.pop("url"),
        params=arguments.pop("params", None),
        headers={k: str(v) for k, v in headers.items() if str(v).isascii()},
        json=arguments.pop("json", None) if content is None else None,
        content=content if content is None or isinstance(content, bytes | str) else str(content),
    )
    return await clinic.http.send(request)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:schemathesis")
async def test_generated_requests_meet_no_5xx_and_no_bypass(clinic: Clinic) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    number = random.randrange(2**31)
    print(f"seed {number}")
    document = dict(await clinic.do(None, "GET", "/openapi.json"))
    operations = await asyncio.to_thread(generated, document, number)
    assert len(operations) > 40

    sent = 0
    for method, path, cases in operations:
        for index, case in enumerate(cases):
            strangers = ("", "A" * 43) if index in (0, len(cases) - 1) else ()
            for token in (*strangers, (await clinic.present(root)).token):
                response = await send(clinic, case, token)
                sent += 1
                told = (method, path, token != root.token, response.status_code, response.text)
                assert response.status_code < 500, told
                if token != root.token and (method, path) not in PUBLIC:
                    assert response.status_code in (400, 401, 404, 405, 413), told
                if response.status_code >= 400 and response.status_code != 405:
                    assert response.json()["error"], told
            if method == "DELETE":
                root.token = ""
    assert sent > 1000
