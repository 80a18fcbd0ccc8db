"""A notice says that a message came and nothing else, over TLS to a server that proves itself."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from certs.authority import create_authority
from certs.config import CertsConfig
from certs.contexts import client_context, identities, server_context
from pbx.voicemail.config import NoticeConfig, VoicemailConfig
from pbx.voicemail.notice import Notices, written
from tests.support.exchange import clock

AT = 1_800_000_000_000_000


def config(**more: object) -> NoticeConfig:
    return msgspec.convert(
        {"server": "localhost", "sender": "pbx@clinic.example", **more}, NoticeConfig
    )


def test_it_holds_no_name_no_number_and_no_time_unless_wanted() -> None:
    text = written(config(), "anna@clinic.example", AT).as_string()
    timed = written(config(says_when=True), "anna@clinic.example", AT).as_string()

    assert "new message" in text
    assert "It came at" not in text
    assert "It came at" in timed


@pytest.mark.parametrize(
    "wrong", [{"sender": "nobody"}, {"port": 0}, {"user": "pbx"}, {"password_file": "x"}]
)
def test_a_notice_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        config(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"limit_seconds": 1}, {"silence_seconds": 1}, {"idle_seconds": 301}, {"away_minutes": 0},
     {"urgent_number": "call me"}, {"purge_hours": 0}],
)  # fmt: skip
def test_voicemail_settings_stay_in_their_bounds(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, VoicemailConfig)


async def test_it_is_sent_over_tls_and_off_by_default(open_path: Path) -> None:
    certificates = open_path / "certs"
    certificates.mkdir(mode=0o700)
    authority = create_authority(
        certificates, "localhost", clock, CertsConfig(addresses=("127.0.0.1",))
    )
    authority.issue_server()
    got: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode().strip():
            got.append(line)
            if line.upper() == "DATA":
                writer.write(b"354 go\r\n")
                got.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            if line.upper() == "QUIT":
                break
            writer.write(b"250 fine\r\n")
        writer.write(b"221 bye\r\n")
        writer.close()

    context = server_context(identities(authority.stock))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    trusted = client_context(authority.root_pem_path)
    off = Notices(NoticeConfig)
    off.send("anna@clinic.example", AT)
    await off.idle()
    assert got == []

    notices = Notices(lambda: config(port=port), trusted)
    notices.send("anna@clinic.example", AT)
    await notices.idle()
    strangers = Notices(lambda: config(port=port))  # does not trust this server
    strangers.send("anna@clinic.example", AT)
    await strangers.idle()
    server.close()

    assert (notices.failed, strangers.failed) == (0, 1)
    assert sum(line.upper() == "DATA" for line in got) == 1
    assert "anna" in "".join(got)
