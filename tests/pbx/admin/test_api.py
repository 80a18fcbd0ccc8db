import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, get

from pbx.admin.api import create_app
from pbx.admin.context import AdminContext
from pbx.admin.models import Process, Status
from pbx.admin.server import EACH, AdminRequest, AdminServer, listen, terminal_of
from pbx.cli import main as cli
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, Exit
from pbx.config import Config
from pbx.paths import Layout


@pytest.fixture
def layout(open_path: Path) -> Layout:
    layout = Layout(open_path)
    layout.admin_socket.parent.mkdir(parents=True)
    layout.config.mkdir()
    layout.config_file.touch()
    return layout


@pytest.fixture
def context(layout: Layout) -> AdminContext:
    return AdminContext(
        layout=layout,
        config=Config,
        mode="single-account mode",
        uptime=lambda: 61.5,
        processes=lambda: [Process(name="exchange", state="ready", pid=7)],
        sections={"ledger": lambda: {"rows": 3}},
    )


@pytest.fixture
async def served(layout: Layout, context: AdminContext):
    server = AdminServer(create_app(context), layout.admin_socket)
    await server.start()
    yield context
    await server.stop()


@pytest.fixture
def as_nobody():
    """Runs something under an account without rights, where the test is root."""

    def run(act: Callable[[], int]) -> int:
        child = os.fork()
        if not child:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            os._exit(act())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run


async def test_status_says_what_is_up(served, layout) -> None:
    with AdminClient(layout) as client:
        answer = await asyncio.to_thread(client.get, "/v1/status", Status)

    assert answer.state == "ready"
    assert answer.uptime_seconds == 61
    assert answer.processes[0].pid == 7
    assert answer.sections == {"ledger": {"rows": 3}}


async def test_the_status_command_shows_it_with_exit_0(served, layout, capsys) -> None:
    code = await asyncio.to_thread(cli.run, ["status", "--data", str(layout.root)])

    assert code == Exit.DONE
    shown = capsys.readouterr().out
    assert "single-account mode" in shown
    assert "exchange" in shown


async def test_an_alarm_is_exit_1(served, layout, capsys) -> None:
    served.alarms.append(lambda: ["The ledger cannot be written."])

    code = await asyncio.to_thread(cli.run, ["status", "--json", "--data", str(layout.root)])

    assert code == Exit.FOUND
    assert "The ledger cannot be written." in capsys.readouterr().out


def test_an_exchange_that_is_not_running_is_exit_4(layout, capsys) -> None:
    assert cli.run(["status", "--data", str(layout.root)]) == Exit.UNAVAILABLE
    assert "start it with: pbx serve" in capsys.readouterr().err


def test_an_account_that_may_not_speak_to_it_is_exit_3(layout, capsys, as_nobody) -> None:
    listener = listen(layout.admin_socket, mode=0)

    assert as_nobody(lambda: cli.run(["status", "--data", str(layout.root)])) == Exit.REFUSED

    listener.close()


def test_a_dead_exchange_s_socket_is_exit_4_and_is_replaced(layout, capsys) -> None:
    listen(layout.admin_socket).close()

    assert cli.run(["status", "--data", str(layout.root)]) == Exit.UNAVAILABLE
    with listen(layout.admin_socket) as again:
        assert again.getsockname() == str(layout.admin_socket)


async def test_nothing_here_is_a_sentence(served, layout) -> None:
    with AdminClient(layout) as client:
        with pytest.raises(CommandError, match="There is no such thing here") as caught:
            await asyncio.to_thread(client.get, "/v1/nonsense", Status)

    assert caught.value.code == Exit.USAGE


async def test_an_unexpected_error_tells_the_asker_nothing(served, layout) -> None:
    def broken() -> list[str]:
        raise ValueError("canary-7d1f")

    served.alarms.append(broken)
    with AdminClient(layout) as client:
        with pytest.raises(CommandError) as caught:
            await asyncio.to_thread(client.get, "/v1/status", Status)

    assert caught.value.code == Exit.UNAVAILABLE
    assert "canary" not in caught.value.sentence


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"proof":' * 50_000])
async def test_a_body_of_brackets_is_the_asker_s_fault(served, layout, body: bytes) -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(layout.admin_socket))
    headers = {"Content-Type": "application/json"}
    async with httpx.AsyncClient(transport=transport, base_url="http://pbx") as http:
        answer = await http.post("/v1/session", content=body, headers=headers)

    assert answer.status_code == 400
    assert "Traceback" not in answer.text


async def test_the_document_is_published_and_loads_nothing_from_elsewhere(served, layout) -> None:
    with AdminClient(layout) as client:
        document = await asyncio.to_thread(client.get, "/openapi.json", dict)

    assert "/v1/status" in document["paths"]


async def test_the_kernel_says_who_asks(layout) -> None:
    @get("/who")
    async def who(request: AdminRequest) -> dict[str, int]:
        return {"uid": terminal_of(request).os_uid}

    server = AdminServer(Litestar([who]), layout.admin_socket)
    await server.start()
    with AdminClient(layout) as client:
        answer = await asyncio.to_thread(client.get, "/who", dict)
    await server.stop()

    assert answer == {"uid": os.geteuid()}


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /v1/st",
        b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/st",
    ],
)
async def test_half_a_request_does_not_hold_its_place_for_ever(layout, context, begun) -> None:
    server = AdminServer(create_app(context), layout.admin_socket, patience=1)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(layout.admin_socket))

    writer.write(begun)
    async with asyncio.timeout(30):
        await reader.read()

    writer.close()
    await server.stop()


async def test_one_account_leaves_places_for_the_others(layout, served) -> None:
    held = [await asyncio.open_unix_connection(str(layout.admin_socket)) for _ in range(EACH)]

    reader, writer = await asyncio.open_unix_connection(str(layout.admin_socket))

    async with asyncio.timeout(30):
        assert await reader.read() == b""
    for _, one in [*held, (reader, writer)]:
        one.close()


async def test_the_socket_is_shut_to_strangers_and_goes_with_the_server(layout, context) -> None:
    server = AdminServer(create_app(context), layout.admin_socket)
    await server.start()
    mode = layout.admin_socket.stat().st_mode & 0o777
    await server.stop()

    assert mode == 0o660
    assert not layout.admin_socket.exists()


async def test_an_answer_of_another_version_is_a_sentence(served, layout) -> None:
    with AdminClient(layout) as client:
        with pytest.raises(CommandError, match="different versions"):
            await asyncio.to_thread(client.get, "/v1/status", int)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (404, 2), (422, 2), (401, 3), (403, 3), (409, 3), (429, 3), (500, 4), (503, 4)],
)
def test_an_answer_s_status_becomes_an_exit_code(layout, status: int, code: int) -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(status, json={"error": "So it is."}))
    client = AdminClient(layout, transport=answer)

    with pytest.raises(CommandError, match=r"So it is\.") as caught:
        client.post("/v1/x", dict, {"a": 1})

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (httpx.ReadTimeout("x"), Exit.UNAVAILABLE, "did not answer in time"),
        (httpx.ReadError("x"), Exit.UNAVAILABLE, "stopped while it was asked"),
    ],
)
def test_no_answer_is_a_sentence_too(layout, error, code, words) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(CommandError, match=words) as caught:
        AdminClient(layout, transport=httpx.MockTransport(refuse)).get("/v1/status", Status)

    assert caught.value.code == code


def test_an_exchange_without_a_free_place_says_to_try_again(layout) -> None:
    full = httpx.MockTransport(lambda _: httpx.Response(503, content=b"Service Unavailable"))

    with pytest.raises(CommandError, match="try again in a moment") as caught:
        AdminClient(layout, transport=full).get("/v1/status", Status)

    assert caught.value.code == Exit.UNAVAILABLE


def test_words_that_are_no_answer_of_ours_are_not_repeated(layout) -> None:
    odd = httpx.MockTransport(lambda _: httpx.Response(502, content=b"<html>canary"))

    with pytest.raises(CommandError, match="does not understand") as caught:
        AdminClient(layout, transport=odd).get("/v1/status", Status)

    assert "canary" not in caught.value.sentence
