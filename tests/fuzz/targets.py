"""What is fuzzed, and what must hold for every input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from pbx.sip.credentials import Challenge, Credentials
from pbx.sip.errors import PeerError
from pbx.sip.event import SubscriptionState
from pbx.sip.message import Message, Request, response_to
from pbx.sip.parser import parse_message
from pbx.sip.session_clock import minimum_of
from pbx.sip.session_timer import SessionExpires
from pbx.sip.uri import parse_uri
from tests.support.vectors import messages

READERS: tuple[Callable[[Message], object], ...] = (
    lambda m: m.vias,
    lambda m: m.contacts,
    lambda m: [(c.q, c.expires, c.instance, c.reg_id, str(c.uri)) for c in m.contacts],
    lambda m: (m.routes, m.record_routes, m.addresses("Path")),
    lambda m: (m.expires, m.max_forwards, m.rseq, minimum_of(m), m.content_type),
    lambda m: (m.require, m.supported, m.allow),
    lambda m: (m.event, SessionExpires.parse(m.headers.first("Session-Expires") or "")),
    lambda m: SubscriptionState.parse(m.headers.first("Subscription-State") or "").expires,
    lambda m: (m.replaces, m.addresses("Refer-To"), m.rack, [r.cause for r in m.reasons]),
    lambda m: (m.authorizations, m.challenges("WWW-Authenticate")),
    lambda m: (m.from_.uri, m.to.uri),
)


@dataclass(frozen=True)
class Target:
    """Runs on any bytes; raises only if something is wrong with us."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def message(data: bytes) -> None:
    """Parsing ends in a value or a PeerError, and what is parsed survives being written."""
    for stream in (True, False):
        try:
            parsed = parse_message(data, stream=stream)
        except PeerError as error:
            if error.request is not None:
                answer(error.request, error.status)
            continue
        for read in READERS:
            with suppress(PeerError):
                read(parsed)
        written = parsed.encode()
        assert parse_message(written) == parsed
        assert b"\0" not in written[: written.index(b"\r\n\r\n")]
        if isinstance(parsed, Request):
            answer(parsed, 200)


def answer(request: Request, status: int) -> None:
    """An answer is one message: nothing of the request ends its head early."""
    written = response_to(request, status, to_tag="t").encode()
    head = written[:-4]
    assert written.endswith(b"\r\n\r\n")
    assert b"\r\n\r\n" not in head
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")


def uri(data: bytes) -> None:
    """A URI reads as it was written, and matches itself."""
    with suppress(PeerError):
        parsed = parse_uri(data.decode(errors="replace"))
        assert parse_uri(str(parsed)) == parsed
        assert parsed.matches(parsed)


def credentials(data: bytes) -> None:
    """Credentials and challenges read as they were written."""
    text = data.decode(errors="replace").translate({0: None, 10: None, 13: None})
    with suppress(PeerError):
        proof = Credentials.parse(text)
        assert Credentials.parse(str(proof)) == proof
    with suppress(PeerError):
        challenge = Challenge.parse(text)
        assert Challenge.parse(str(challenge)) == challenge


TARGETS = {
    "message": Target(
        message, lambda: [*messages("rfc4475").values(), *messages("rfc5118").values()]
    ),
    "uri": Target(
        uri,
        lambda: [
            b"sip:alice:secret@[2001:db8::1]:5061;transport=tls;lr?subject=a%20b&x=y",
            b"tel:+1-201-555-0123;ext=1;phone-context=example.com",
            b"soap.beep://192.0.2.103:3002",
        ],
    ),
    "credentials": Target(
        credentials,
        lambda: [
            b'Digest username="a", realm="r", nonce="n", uri="sip:r", response="0f",'
            b' algorithm=SHA-256, cnonce="c", qop=auth, nc=0000000A, opaque="o"',
            b'Digest realm="r", nonce="n", stale=true, algorithm=MD5, qop="auth,auth-int"',
        ],
    ),
}
