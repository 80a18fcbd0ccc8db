"""A notice says that a message came and nothing else, over TLS to a server that proves itself."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from certs.authority import Authority, create_authority
from certs.config import CertsConfig
from certs.contexts import client_context, identities, server_context
from pbx.voicemail.config import NoticeConfig, VoicemailConfig
from pbx.voicemail.notice import Notices, written
from tests.support.clinic import SETTINGS, Clinic
from tests.support.exchange import clock

AT = 1_800_000_000_000_000


def config(**more: object) -> NoticeConfig:
    return msgspec.convert(
        {"server": "127.0.0.1", "sender": "pbx@clinic.example", **more}, NoticeConfig
    )


@dataclass
class MailServer:
    """Real SMTP over TLS on loopback; it may refuse its clients or whom a letter is for."""

    context: ssl.SSLContext
    port: int = 0
    password: str = ""
    refuses: bool = False
    letters: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    refused: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    server: asyncio.Server | None = None

    async def open(self) -> None:
        self.server = await asyncio.start_server(
            self.serve, "127.0.0.1", self.port, ssl=self.context
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
            await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode().strip():
            writer.write(self.answer(line))
            if line.upper() == "DATA":
                self.letters.put_nowait((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 kept\r\n")
            if line.upper() == "QUIT":
                break
        writer.close()

    def answer(self, line: str) -> bytes:
        match line.upper().split()[0]:
            case "EHLO":
                return b"250-mail\r\n250 AUTH PLAIN\r\n" if self.password else b"250 mail\r\n"
            case "AUTH":
                return b"235 welcome\r\n" if line.endswith(self.password) else b"535 no\r\n"
            case "RCPT" if self.refuses:
                self.refused.put_nowait(line)
                return b"550 nobody of that name\r\n"
            case "DATA":
                return b"354 go on\r\n"
            case "QUIT":
                return b"221 bye\r\n"
        return b"250 fine\r\n"


@pytest.fixture
def authority(open_path: Path) -> Authority:
    certificates = open_path / "certs"
    certificates.mkdir(mode=0o700)
    made = create_authority(
        certificates, "mail.example", clock, CertsConfig(addresses=("127.0.0.1",))
    )
    made.issue_server()
    return made


@pytest.fixture
async def mail(authority: Authority) -> AsyncIterator[MailServer]:
    made = MailServer(server_context(identities(authority.stock)))
    await made.open()
    yield made
    await made.close()


def test_it_holds_no_name_no_number_and_no_time_unless_wanted() -> None:
    text = written(config(), "anna@clinic.example", AT).as_string()
    timed = written(config(says_when=True), "anna@clinic.example", AT).as_string()

    assert "new message" in text
    assert "It came at" not in text
    assert "It came at" in timed


@pytest.mark.parametrize(
    "wrong",
    [{"sender": "nobody"}, {"port": 0}, {"user": "pbx"}, {"password_file": "x"},
     {"alarms_to": "manager"}, {"addresses": {"1001": "anna@clinic.example\n"}}],
)  # fmt: skip
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


async def test_it_is_sent_over_tls_and_off_by_default(
    mail: MailServer, authority: Authority, tmp_path: Path
) -> None:
    trusted = client_context(authority.root_pem_path)
    off = Notices(NoticeConfig)
    off.send("anna@clinic.example", AT)
    off.alarm()
    await off.idle()
    assert mail.letters.empty()

    notices = Notices(lambda: config(port=mail.port), trusted)
    notices.send("anna@clinic.example", AT)
    await notices.idle()
    strangers = Notices(lambda: config(port=mail.port), again=())  # does not trust this server
    strangers.send("anna@clinic.example", AT)
    await strangers.idle()

    assert (notices.failed, strangers.failed) == (0, 1)
    assert "To: anna@clinic.example" in mail.letters.get_nowait()
    assert mail.letters.empty()

    mail.password = "AG1haWwAc2VjcmV0"  # what PLAIN makes of user and password (RFC 4616)
    (tmp_path / "password").write_text("secret\n")
    known = config(port=mail.port, user="mail", password_file=str(tmp_path / "password"))
    signed_in = Notices(lambda: known, trusted)
    signed_in.send("anna@clinic.example", AT)
    await signed_in.idle()
    assert signed_in.failed == 0
    assert not mail.letters.empty()


async def test_an_alarm_is_sent_when_the_server_is_back(
    mail: MailServer, authority: Authority
) -> None:
    await mail.close()
    where = config(port=mail.port, alarms_to="manager@clinic.example")
    notices = Notices(lambda: where, client_context(authority.root_pem_path), again=(0.01, 0.02))
    notices.send("anna@clinic.example", AT)
    await notices.idle()
    assert notices.failed == 3, "nobody listens: a notice is tried again, and not for ever"
    notices.alarm()
    while notices.failed < 7:  # noqa: ASYNC110 - tried in a thread
        await asyncio.sleep(0.01)

    await mail.open()
    letter = await mail.letters.get()
    await notices.idle()

    assert "To: manager@clinic.example" in letter
    assert "the key holder is away" in letter.casefold()
    assert "anna" not in letter
    assert notices.failed == 0


async def test_an_alarm_that_is_refused_goes_on_until_it_is_over(
    mail: MailServer, authority: Authority
) -> None:
    mail.refuses = True
    where = config(port=mail.port, alarms_to="manager@clinic.example")
    notices = Notices(lambda: where, client_context(authority.root_pem_path), again=(0.05,))
    notices.alarm()
    for _ in range(3):
        assert "manager@clinic.example" in await mail.refused.get()
    assert notices.failed >= 2
    mail.refuses = False
    assert "cannot be heard" in await mail.letters.get()
    await notices.idle()

    mail.refuses = True
    notices.alarm()
    while not notices.failed:  # noqa: ASYNC110 - tried in a thread
        await asyncio.sleep(0.01)
    notices.over()
    notices.over()
    await notices.idle()
    assert mail.letters.empty()


async def test_the_practice_manager_is_written_to_when_the_key_holder_stays_away(
    clinic: Clinic, mail: MailServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the exchange's own parts, which trust what the machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.root_pem_path))
    telephony, settings = clinic.telephony, config(port=mail.port, alarms_to="m@clinic.example")
    telephony.reconfigure(
        msgspec.structs.replace(SETTINGS, voicemail=VoicemailConfig(notice=settings))
    )
    office = telephony.voicemail
    await office.watch.look()
    await office.chores()
    assert not any("key holder is away" in alarm for alarm in office.alarms())

    await clinic.edge.stop()
    await office.watch.look()
    clinic.pass_(9 * 60)
    await office.chores()
    assert mail.letters.empty(), "it may be away for a while"
    clinic.pass_(2 * 60)
    await office.chores()

    assert "To: m@clinic.example" in await mail.letters.get()
    assert any("key holder is away" in alarm for alarm in office.alarms())
    await clinic.edge.start()
    await office.watch.look()
    await office.chores()
    await telephony.notices.idle()
    assert mail.letters.empty()
    assert not any("e-mail" in alarm for alarm in telephony.alarms())
