"""Each check holds on a sound exchange and fails where its defect is planted."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from certs.authority import Authority
from pbx.doctor import clear
from pbx.doctor.finding import Broken, CannotTell, Verdict
from pbx.doctor.target import Target
from tests.support.sip_server import new_authority
from tests.support.weak_server import WeakServer, lax


async def test_a_sound_exchange_speaks_nothing_in_clear(sound: Target) -> None:
    found = await asyncio.to_thread(lambda: list(clear.findings(sound)))

    assert [one for one in found if one.verdict is not Verdict.HOLDS] == []
    assert len(found) == 12


def test_nobody_there_is_no_proof(weak_target: Target) -> None:
    with WeakServer() as server:
        gone = replace(weak_target, port=server.port, plain_port=server.port)

    verdicts = {one.promise: one.verdict for one in clear.findings(gone)}

    assert verdicts["TLS 1.0 is refused"] is Verdict.UNKNOWN
    assert verdicts["plain SIP on the SHA-256 port is refused"] is Verdict.UNKNOWN
    assert verdicts["the server proves its name to phones"] is Verdict.UNKNOWN
    assert verdicts["UDP 5060 is closed"] is Verdict.HOLDS


def test_plain_sip_over_udp_is_found(weak_target: Target) -> None:
    with WeakServer() as server, pytest.raises(Broken, match="UDP"):
        clear.udp_is_silent(weak_target, server.port)


def test_a_plain_tcp_port_is_found(weak_target: Target) -> None:
    with WeakServer() as server, pytest.raises(Broken, match="plain SIP"):
        clear.tcp_is_closed(replace(weak_target, plain_port=server.port))


def test_a_port_that_answers_in_clear_is_found(weak_target: Target) -> None:
    with WeakServer() as server, pytest.raises(Broken, match="in clear"):
        clear.plain_is_refused(weak_target, server.port)


@pytest.mark.parametrize("version", clear.OLD)
def test_old_tls_is_found(
    weak_target: Target, weak_tls: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    with WeakServer(context=weak_tls) as server, pytest.raises(Broken, match="TLSv1"):
        clear.version_is_refused(replace(weak_target, port=server.port), version)


def test_weak_suites_are_found(weak_target: Target, weak_tls: ssl.SSLContext) -> None:
    with WeakServer(context=weak_tls) as server, pytest.raises(Broken, match=r"TLSv1\.2"):
        clear.weak(replace(weak_target, port=server.port))


def test_a_certificate_of_another_name_is_found(weak_target: Target, tmp_path: Path) -> None:
    other = new_authority(tmp_path / "other", "elsewhere.example")
    target = replace(weak_target, root=other.root_pem_path)

    with (
        WeakServer(context=lax(other.stock.server)) as server,
        pytest.raises(Broken, match="does not carry the name"),
    ):
        clear.name_is_proved(replace(target, port=server.port))


def test_a_certificate_of_a_foreign_authority_is_found(weak_target: Target, tmp_path: Path) -> None:
    foreign = new_authority(tmp_path / "other")

    with (
        WeakServer(context=lax(foreign.stock.server)) as server,
        pytest.raises(Broken, match="not trusted"),
    ):
        clear.name_is_proved(replace(weak_target, port=server.port))


def test_a_certificate_that_fits_every_name_is_found(weak_target: Target, tmp_path: Path) -> None:
    anything = new_authority(tmp_path / "other", "wrong.invalid")
    target = replace(weak_target, root=anything.root_pem_path)

    with (
        WeakServer(context=lax(anything.stock.server)) as server,
        pytest.raises(Broken, match="nobody has"),
    ):
        clear.wrong_name(replace(target, port=server.port))


def test_a_certificate_port_that_asks_for_none_is_found(
    weak_target: Target, good_tls: ssl.SSLContext, authority: Authority
) -> None:
    with WeakServer(context=good_tls) as server, pytest.raises(Broken, match="answered"):
        clear.uncertified(replace(weak_target, certificate_port=server.port))


def test_a_closed_certificate_port_cannot_be_judged(weak_target: Target) -> None:
    with WeakServer() as server:
        port = server.port

    with pytest.raises(CannotTell):
        clear.uncertified(replace(weak_target, certificate_port=port))
