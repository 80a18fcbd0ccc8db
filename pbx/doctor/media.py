"""SRTP on every leg: offers in clear are answered 488, also in a call that began encrypted.

The calls go to the echo test and ring nobody. They need a phone to log in as.
"""

from __future__ import annotations

import base64
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from certs.contexts import client_context
from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.doctor.login import canary_of
from pbx.doctor.probe import Probe, authorize, challenge_of
from pbx.doctor.target import Target
from pbx.sip.message import Request, Response

ECHO = "*43"
CLEAR, SECURE = "RTP/AVP", "RTP/SAVP"
STRANGERS = 20
"""Datagrams that a stranger throws at a port."""


def findings(target: Target) -> Iterator[Finding]:
    yield judged("a call without SRTP is answered 488", partial(clear_is_refused, target))
    yield judged("SRTP without keys is answered 488", partial(keyless_is_refused, target))
    yield judged("a call cannot fall back to RTP in clear", partial(fallback_is_refused, target))
    yield judged("strangers on media ports are ignored", partial(strangers_are_ignored, target))


def clear_is_refused(target: Target) -> str:
    return _refused(target, _offer(CLEAR, keys=False))


def keyless_is_refused(target: Target) -> str:
    return _refused(target, _offer(SECURE, keys=False))


def fallback_is_refused(target: Target) -> str:
    with _Call(target) as call:
        response = call.reinvite(_offer(CLEAR, keys=False))
    if response.status < 300:
        raise Broken("a call in progress went over to RTP in clear")
    if response.status != 488:
        raise CannotTell(f"the new offer was answered {response.status}")
    return "a new offer in clear within an encrypted call: 488"


def strangers_are_ignored(target: Target) -> str:
    with _Call(target) as call:
        port = call.media_port
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(min(1.0, target.patience))
            for number in range(STRANGERS):
                stranger.sendto(_rtp(number), (target.host, port))
            with suppress(TimeoutError, ConnectionRefusedError):
                stranger.recv(1)
                raise Broken("a media port answered a stranger")
    return f"{STRANGERS} packets from a stranger to the port of a live call drew no answer"


class _Call:
    """A call to the echo test with SRTP, ended in every case."""

    def __init__(self, target: Target) -> None:
        self._probe = Probe(target, context=client_context(target.root))
        self._target = target
        try:
            self._request, self._answer = _invite(target, self._probe, _offer(SECURE, keys=True))
        except BaseException:
            self._probe.__exit__(None, None, None)
            raise

    def __enter__(self) -> _Call:
        if self._answer.status != 200:
            self._probe.__exit__(None, None, None)
            raise CannotTell(f"the echo test answered {self._answer.status}")
        self._within("ACK", self._request.cseq.number)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, CannotTell):
            request = self._within("BYE", self._request.cseq.number + 2)
            self._probe.final(request)
        self._probe.__exit__(None, None, None)

    @property
    def media_port(self) -> int:
        for line in self._answer.body.decode(errors="replace").splitlines():
            if line.startswith("m=audio "):
                return int(line.split(" ")[1])
        raise CannotTell("the answer names no media port")

    def reinvite(self, body: bytes) -> Response:
        number = self._request.cseq.number + 1
        request = self._within("INVITE", number, body)
        response = self._probe.final(request)
        ack = self._made("ACK", number)
        if response.status >= 300:
            ack.headers.prepend("Via", str(request.via))  # RFC 3261 §17.1.1.3
            self._probe.write(ack.encode())
        else:
            self._probe.send(ack)
        return response

    def _within(self, method: str, number: int, body: bytes = b"") -> Request:
        request = self._made(method, number, body)
        self._probe.send(request)
        return request

    def _made(self, method: str, number: int, body: bytes = b"") -> Request:
        contact = self._answer.contacts[0].uri_text if self._answer.contacts else ""
        request = self._probe.request(method, contact or self._request.uri_text, "x")
        headers = request.headers
        headers.set("From", self._request.headers.first("From") or "")
        headers.set("To", self._answer.headers.first("To") or "")
        headers.set("Call-ID", self._request.call_id)
        headers.set("CSeq", f"{number} {method}")
        if body:
            _carry(request, self._probe, body)
        return request


def _refused(target: Target, offer: bytes) -> str:
    with Probe(target, context=client_context(target.root)) as probe:
        _, response = _invite(target, probe, offer)
    if response.status < 300:
        raise Broken("the call was answered")
    if response.status != 488:
        raise CannotTell(f"the call was answered {response.status}")
    return "INVITE to the echo test: 488"


def _invite(target: Target, probe: Probe, body: bytes) -> tuple[Request, Response]:
    canary = canary_of(target)
    request = probe.request("INVITE", f"sip:{ECHO}@{target.domain}", canary.username)
    _carry(request, probe, body)
    response = probe.ask(request)
    if response.status in (401, 407):
        _acknowledge(probe, request, response)
        authorize(request, challenge_of(response), canary.username, canary.secret)
        response = probe.ask(request)
    if response.status >= 300:
        _acknowledge(probe, request, response)
    if response.status in (401, 407):
        raise CannotTell("the phone could not log in")
    return request, response


def _acknowledge(probe: Probe, request: Request, response: Response) -> None:
    """The ACK of a refusal belongs to the INVITE's transaction (RFC 3261 §17.1.1.3)."""
    ack = probe.request("ACK", request.uri_text, "x")
    ack.headers.prepend("Via", str(request.via))
    ack.headers.set("From", request.headers.first("From") or "")
    ack.headers.set("To", response.headers.first("To") or "")
    ack.headers.set("Call-ID", request.call_id)
    ack.headers.set("CSeq", f"{request.cseq.number} ACK")
    probe.write(ack.encode())


def _carry(request: Request, probe: Probe, body: bytes) -> None:
    host, port = probe.local
    request.headers.set("Contact", f"<sip:doctor@{host}:{port};transport=tls>")
    request.headers.set("Content-Type", "application/sdp")
    request.body = body.replace(b"{host}", host.strip("[]").encode()).replace(
        b"{family}", b"IP6" if ":" in host else b"IP4"
    )


def _offer(profile: str, *, keys: bool) -> bytes:
    key = base64.b64encode(secrets.token_bytes(30)).decode()
    crypto = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n" if keys else ""
    return (
        "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
        f"m=audio 40000 {profile} 0\r\na=rtpmap:0 PCMU/8000\r\n{crypto}"
    ).encode()


def _rtp(number: int) -> bytes:
    return bytes([0x80, 0, 0, number]) + bytes(8) + bytes([0xFF]) * 160
