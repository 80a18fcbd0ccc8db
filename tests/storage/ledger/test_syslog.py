import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certs.authority import create_authority
from certs.config import CertsConfig
from certs.contexts import identities, server_context
from storage.identifiers import system_clock
from storage.ledger.anchors import Anchor, AnchoredHead
from storage.ledger.syslog import PORT, SyslogPlace, frame, message

ANCHOR = Anchor(1_700_000_000_123_456, (AnchoredHead("exchange", 3, "ab" * 32),))


@dataclass
class Server:
    """A syslog server that keeps what one client sent."""

    port: int
    trust: Path
    received: bytes = b""
    closed_cleanly: bool = False
    answers_closing: bool = True
    thread: threading.Thread = field(default_factory=threading.Thread)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    directory = tmp_path / "ca"
    directory.mkdir(mode=0o700)
    config = CertsConfig(names=("logs.internal", "localhost"))
    authority = create_authority(directory, "logs.internal", system_clock, config)
    authority.issue_server()
    context = server_context(identities(authority.stock))
    listener = socket.create_server(("127.0.0.1", 0))
    made = Server(listener.getsockname()[1], authority.root_pem_path)

    def serve() -> None:
        plain, _ = listener.accept()
        with plain:
            try:
                secure = context.wrap_socket(plain, server_side=True)
            except ssl.SSLError:
                return
            with secure:
                while data := secure.recv(4096):
                    made.received += data
                made.closed_cleanly = True
                if made.answers_closing:
                    secure.unwrap()

    made.thread = threading.Thread(target=serve)
    made.thread.start()
    yield made
    made.thread.join(10)
    listener.close()


def test_an_anchor_arrives_as_one_counted_frame_over_tls(server: Server) -> None:
    SyslogPlace("localhost", server.port, trust=server.trust).put(ANCHOR)

    server.thread.join(10)
    length, _, text = server.received.partition(b" ")
    assert int(length) == len(text)
    assert text.endswith(ANCHOR.to_text().encode())
    assert server.closed_cleanly


def test_a_server_that_closes_without_a_word_has_received_it_all_the_same(
    server: Server,
) -> None:
    server.answers_closing = False

    SyslogPlace("localhost", server.port, trust=server.trust).put(ANCHOR)

    server.thread.join(10)
    assert server.received.endswith(b"}")


def test_a_server_of_another_ca_gets_nothing(server: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        SyslogPlace("localhost", server.port).put(ANCHOR)

    server.thread.join(10)
    assert server.received == b""


def test_a_server_of_another_name_gets_nothing(server: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        SyslogPlace("127.0.0.1", server.port, trust=server.trust).put(ANCHOR)

    server.thread.join(10)
    assert server.received == b""


def test_the_message_is_rfc_5424() -> None:
    text = message(ANCHOR, "host name\x00").decode()

    assert re.fullmatch(
        r"<109>1 2023-11-14T22:13:20\.123456Z hostname hipaa-pbx - ANCHOR - \{.*\}", text
    )
    assert message(ANCHOR, "").split(b" ")[2] == b"-"
    assert frame(b"abc") == b"3 abc"
    assert PORT == 6514
