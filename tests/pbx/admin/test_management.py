"""The management address: TLS, operators' certificates, sessions bound to them; the real `pbx`."""

import asyncio
import contextlib
import io
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from certs.authority import Authority, create_authority
from certs.config import CertsConfig
from certs.contexts import client_context
from pbx.admin.config import AdminConfig
from pbx.admin.management import HANDSHAKES, HANDSHAKES_EACH, ManagementServer
from pbx.cli import main as cli
from pbx.cli.output import Exit
from storage.identifiers import system_clock
from tests.support.clinic import Clinic, Member

Stranger = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Away:
    """The management address, and operators who sit elsewhere."""

    clinic: Clinic
    server: ManagementServer
    authority: Authority
    address: str
    home: Path
    run: Callable[..., Awaitable[tuple[int, str, str]]]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def bundle(self, who: Member, authority: Authority | None = None, name: str = "") -> Path:
        """What `pbx operator certify` writes; from another authority, if that is wanted."""
        folder = self.home / (name or who.login)
        folder.mkdir()
        made = (authority or self.authority).issue_operator(who.id)
        assert made.key_pem is not None
        (folder / "operator.pem").write_bytes(made.chain_pem + made.key_pem)
        (folder / "root.pem").write_bytes(self.authority.root_pem_path.read_bytes())
        (folder / "keyholder.pin").write_bytes(self.clinic.layout.keyholder_pin.read_bytes())
        return folder

    async def pbx(
        self, folder: Path, *words: str, typed: str = "", session: str = "session"
    ) -> tuple[int, str, str]:
        options = ("--server", f"https://{self.address}", "--identity", str(folder))
        return await self.run(*options, *words, typed=typed, session=self.home / session)

    async def sign_in(self, folder: Path, who: Member, session: str = "session") -> None:
        typed = f"{who.password}\n{self.clinic.code(who)}\n"
        code, _, error = await self.pbx(folder, "login", who.login, typed=typed, session=session)
        assert code == Exit.DONE, error

    async def openssl(self, *options: str) -> str:
        """What s_client says of a request for the status."""
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", self.address, "-quiet", "-verify_return_error",
            "-CAfile", str(self.authority.root_pem_path), *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        request = b"GET /v1/status HTTP/1.1\r\nHost: pbx\r\nConnection: close\r\n\r\n"
        said, _ = await asyncio.wait_for(process.communicate(request), 60)
        return said.decode(errors="replace")


@pytest.fixture
async def away(
    clinic: Clinic, capsys: Any, monkeypatch: Any, tmp_path: Path
) -> AsyncIterator[Away]:
    async def run(*words: str, typed: str = "", session: Path) -> tuple[int, str, str]:
        monkeypatch.setenv("PBX_SESSION", str(session))
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        code = await asyncio.to_thread(cli.run, list(words))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    authority = clinic.telephony.ground.authority
    server = ManagementServer(
        AdminConfig(listen="127.0.0.1:0"), authority, clinic.server, patience=600
    )
    address = server.start()
    yield Away(clinic, server, authority, address, tmp_path, run)
    await server.stop()


async def test_an_operator_at_another_machine_signs_in_and_works(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    await away.sign_in(folder, root)

    typed = f"{away.clinic.code(root)}\n"
    code, _, error = await away.pbx(folder, "person", "add", "anna", "Anna", typed=typed)
    assert code == Exit.DONE, error
    code, shown, _ = await away.pbx(folder, "sessions", "list", "--json")
    found = json.loads(shown)
    [serial] = away.authority.operator_serials(root.id)
    assert {one["certificate"] for one in found} == {"", serial}
    code, shown, _ = await away.pbx(folder, "sessions", "list")
    assert f"certificate {serial[:8]}" in shown
    assert away.server.alarms() == []


async def test_openssl_gets_an_answer_with_an_operators_certificate_alone(away: Away) -> None:
    root = await away.clinic.found()
    own = str(away.bundle(root) / "operator.pem")
    for version in ("-tls1_2", "-tls1_3"):
        said = await away.openssl("-cert", own, "-key", own, "-cert_chain", own, version)
        assert "HTTP/1.1 200" in said, said

    assert "200 OK" not in await away.openssl()
    foreign = str(away.bundle(root, foreign_authority(away), "foreign") / "operator.pem")
    assert "200 OK" not in await away.openssl("-cert", foreign, "-key", foreign)
    phone = away.authority.issue_device("sip:desk@pbx.test")
    assert phone.key_pem is not None
    (away.home / "phone.pem").write_bytes(phone.chain_pem + phone.key_pem)
    own_phone = str(away.home / "phone.pem")
    assert "200 OK" not in await away.openssl("-cert", own_phone, "-key", own_phone)
    said = await away.openssl("-cert", own, "-key", own, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "200 OK" not in said


def foreign_authority(away: Away) -> Authority:
    directory = away.home / "elsewhere"
    directory.mkdir()
    made = create_authority(directory, "pbx.test", system_clock, CertsConfig())
    made.issue_server()
    return made


async def test_a_certificate_of_another_authority_is_refused(away: Away) -> None:
    root = await away.clinic.found()
    assert (await away.pbx(away.bundle(root), "status"))[0] in (Exit.DONE, Exit.FOUND)

    foreign = away.bundle(root, foreign_authority(away), "foreign")
    code, _, error = await away.pbx(foreign, "status")

    assert code == Exit.UNAVAILABLE
    assert error.count("\n") == 1


async def test_an_exchange_that_is_not_ours_is_not_spoken_to(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    assert (await away.pbx(folder, "status"))[0] in (Exit.DONE, Exit.FOUND)
    (folder / "root.pem").write_bytes(foreign_authority(away).root_pem_path.read_bytes())

    code, _, error = await away.pbx(folder, "status")

    assert code == Exit.UNAVAILABLE
    assert "do not trust each other" in error


async def test_a_revoked_certificate_ends_at_once_and_opens_nothing(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    await away.sign_in(folder, root)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", away.port, ssl=context_of(folder), server_hostname="127.0.0.1"
    )

    [serial] = away.authority.operator_serials(root.id)
    away.authority.revoke(serial)
    away.server.refresh()

    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    code, _, error = await away.pbx(folder, "whoami")
    assert code == Exit.UNAVAILABLE, error


def context_of(folder: Path) -> ssl.SSLContext:
    return client_context(folder / "root.pem", folder / "operator.pem")


async def test_a_stolen_token_is_worth_nothing_with_another_certificate(away: Away) -> None:
    await away.clinic.staffed()
    root, manager = away.clinic.members["root"], away.clinic.members["manager"]
    own, other = away.bundle(root), away.bundle(manager)
    await away.sign_in(own, root, "stolen")
    assert (await away.pbx(own, "whoami", session="stolen"))[0] == Exit.DONE

    code, _, error = await away.pbx(other, "whoami", session="stolen")
    assert (code, "another account or certificate" in error) == (Exit.REFUSED, True)

    words = ("whoami", "--data", str(away.clinic.layout.root))
    code, _, error = await away.run(*words, session=away.home / "stolen")
    assert (code, "another account or certificate" in error) == (Exit.REFUSED, True)
    (away.home / "local").write_text(root.token)
    (away.home / "local").chmod(0o600)
    assert (await away.run(*words, session=away.home / "local"))[0] == Exit.DONE
    assert (await away.pbx(own, "whoami", session="local"))[0] == Exit.REFUSED


async def test_with_a_certificate_only_its_holder_signs_in(away: Away) -> None:
    await away.clinic.staffed()
    root, manager = away.clinic.members["root"], away.clinic.members["manager"]
    own, other = away.bundle(root), away.bundle(manager)
    await away.sign_in(own, root)

    typed = f"{root.password}\n{away.clinic.code(root)}\n"
    code, _, error = await away.pbx(other, "login", "root", typed=typed)

    assert (code, "another person's" in error) == (Exit.REFUSED, True)
    assert len(await away.clinic.plane.keyholder.sessions(root.id)) == 2


async def test_a_certificate_is_issued_withdrawn_and_ends_with_the_person(away: Away) -> None:
    root = await away.clinic.found()
    anna = await away.clinic.hire("anna", root)
    await away.clinic.enrol(anna, root)
    (away.home / "local").write_text(root.token)
    (away.home / "local").chmod(0o600)

    async def pbx(*words: str, typed: str = "") -> tuple[int, str, str]:
        data = ("--data", str(away.clinic.layout.root))
        return await away.run(*words, *data, typed=typed, session=away.home / "local")

    out = away.home / "out"
    code, shown, error = await pbx("operator", "certify", "anna", "--out", str(out))
    assert code == Exit.DONE, error
    assert oct((out / "operator.pem").stat().st_mode)[-3:] == "600"
    await away.sign_in(out, anna)
    assert (await pbx("operator", "certify", "anna", "--out", str(out)))[0] == Exit.USAGE

    request, key = away.home / "own.csr", away.home / "own.key"
    process = await asyncio.create_subprocess_exec(
        "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", str(key), "-out", str(request), "-subj", "/CN=x",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    kept = away.home / "kept"
    words = ("operator", "certify", "anna", "--out", str(kept), "--request", str(request), "--json")
    code, shown, error = await pbx(*words)
    assert (code, json.loads(shown)["key_pem"]) == (Exit.DONE, ""), error
    options = ("--server", f"https://{away.address}", "--identity", str(kept), "--key", str(key))
    code, _, error = await away.run(*options, "whoami", session=away.home / "nobody")
    assert (code, "Sign in first" in error) == (Exit.REFUSED, True)

    assert (await pbx("operator", "withdraw", "anna", "--yes"))[0] == Exit.DONE
    away.server.refresh()
    assert (await away.pbx(out, "whoami"))[0] == Exit.UNAVAILABLE
    assert away.authority.operator_serials(anna.id) == []

    await pbx("operator", "certify", "anna", "--out", str(away.home / "again"))
    typed = f"{away.clinic.code(root)}\n"
    code, shown, error = await pbx("person", "leave", "anna", "--yes", typed=typed)
    assert (code, "certificates" in shown) == (Exit.DONE, True), error
    assert away.authority.operator_serials(anna.id) == []
    code, _, error = await pbx("operator", "certify", "anna", "--out", str(away.home / "late"))
    assert (code, "who works here" in error) == (Exit.REFUSED, True)


async def test_commands_of_the_machine_itself_refuse_a_server(away: Away) -> None:
    code, _, error = await away.pbx(away.home, "config", "show")

    assert (code, "own machine" in error) == (Exit.USAGE, True)


@pytest.mark.parametrize("server", ["http://pbx.test:1", "https://", "pbx.test:8443"])
async def test_a_server_is_an_https_address(away: Away, server: str) -> None:
    code, _, error = await away.run("--server", server, "status", session=away.home / "s")

    assert (code, error) == (Exit.USAGE, "pbx: --server: is https://HOST:PORT.\n")


async def test_missing_and_broken_files_are_named(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    assert (await away.pbx(folder, "status"))[0] in (Exit.DONE, Exit.FOUND)

    (folder / "operator.pem").write_text("nothing")
    code, _, error = await away.pbx(folder, "status")
    assert (code, "no certificate with its key" in error) == (Exit.USAGE, True)
    code, _, error = await away.pbx(away.home / "nowhere", "status")
    assert (code, "there is no such file" in error) == (Exit.USAGE, True)


async def test_a_dead_address_is_said_to_be_one(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    await away.server.stop()

    code, _, error = await away.pbx(folder, "status")

    assert (code, "[admin] listen" in error) == (Exit.UNAVAILABLE, True)


async def strangers(away: Away, address: str, count: int) -> list[Stranger]:
    """Connected, and silent: their handshake never begins."""
    source = (address, 0)
    return [
        await asyncio.open_connection("127.0.0.1", away.port, local_addr=source)
        for _ in range(count)
    ]


async def hung_up_on(waiting: list[Stranger], count: int) -> list[Stranger]:
    """Those who are, once there are as many as expected; the others go on waiting."""
    reading = {asyncio.create_task(one[0].read(1)): one for one in waiting}
    ended: list[Stranger] = []
    while len(ended) < count:
        done, _ = await asyncio.wait(
            [task for task, one in reading.items() if one not in ended],
            return_when=asyncio.FIRST_COMPLETED,
        )
        ended += [reading[task] for task in done]
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return ended


async def test_strangers_who_never_finish_a_handshake_leave_room_for_operators(
    away: Away,
) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    idle = await strangers(away, "127.0.0.2", HANDSHAKES)

    ended = await hung_up_on(idle, HANDSHAKES - HANDSHAKES_EACH)

    assert len(ended) == HANDSHAKES - HANDSHAKES_EACH
    assert (await away.pbx(folder, "status"))[0] in (Exit.DONE, Exit.FOUND)
    for _, writer in idle:
        writer.close()


async def test_strangers_from_everywhere_are_bounded_too(away: Away) -> None:
    networks = HANDSHAKES // HANDSHAKES_EACH
    idle: list[Stranger] = []
    for number in range(networks):
        idle += await strangers(away, f"127.0.0.{number + 2}", HANDSHAKES_EACH)
    idle += (late := await strangers(away, "127.0.0.100", 2))

    ended = await hung_up_on(idle, 2)

    assert {id(one) for one in ended} == {id(one) for one in late}
    for _, writer in idle:
        writer.close()


async def test_who_never_begins_a_handshake_is_hung_up_on_in_time(clinic: Clinic) -> None:
    authority = clinic.telephony.ground.authority
    config = AdminConfig(listen="127.0.0.1:0")
    server = ManagementServer(config, authority, clinic.server, patience=0.01)
    port = int(server.start().rpartition(":")[2])

    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    assert await reader.read() == b""
    writer.close()
    await server.stop()


async def test_certificates_that_do_not_name_the_address_are_an_alarm(clinic: Clinic) -> None:
    authority = clinic.telephony.ground.authority
    server = ManagementServer(AdminConfig(listen="127.0.0.2:0"), authority, clinic.server)
    server.start()
    assert "does not name 127.0.0.2" in server.alarms()[0]

    os.rename(authority.stock.server, authority.stock.server.with_suffix(".away"))
    server.refresh()
    assert "cannot be read" in server.alarms()[0]
    os.rename(authority.stock.server.with_suffix(".away"), authority.stock.server)
    server.refresh()
    assert "does not name" in server.alarms()[0]
    await server.stop()


async def test_a_changed_file_is_seen_by_itself(away: Away) -> None:
    root = await away.clinic.found()
    folder = away.bundle(root)
    assert (await away.pbx(folder, "status"))[0] in (Exit.DONE, Exit.FOUND)
    [serial] = away.authority.operator_serials(root.id)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", away.port, ssl=context_of(folder), server_hostname="127.0.0.1"
    )

    await asyncio.to_thread(away.authority.revoke, serial)

    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 60) == b""
    writer.close()
    assert (await away.pbx(folder, "status"))[0] == Exit.UNAVAILABLE
