"""SRTP on every leg: looked for in real calls, and missed where a server takes RTP in clear."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from pbx.doctor import media
from pbx.doctor.finding import Broken, Verdict
from pbx.doctor.target import Target
from pbx.sip.message import Request, Response, response_to
from tests.support.weak_server import WeakServer


async def test_a_sound_exchange_encrypts_every_leg(sound: Target) -> None:
    found = await asyncio.to_thread(lambda: list(media.findings(sound)))

    assert [one for one in found if one.verdict is not Verdict.HOLDS] == []
    assert len(found) == 4


async def test_without_a_phone_calls_cannot_be_tried(sound: Target) -> None:
    without = replace(sound, canary=None)

    found = await asyncio.to_thread(lambda: list(media.findings(without)))

    assert {one.verdict for one in found} == {Verdict.UNKNOWN}


class Careless:
    """Takes every offer, and names a media port."""

    def __init__(self) -> None:
        self.port = 0

    def __call__(self, request: Request) -> Response:
        response = response_to(request, 200, to_tag="weak")
        response.headers.add("Contact", "<sip:echo@127.0.0.1>")
        if request.method == "INVITE":
            response.headers.add("Content-Type", "application/sdp")
            response.body = f"v=0\r\nm=audio {self.port} RTP/AVP 0\r\n".encode()
        return response


@pytest.mark.parametrize(
    ("check", "evidence"),
    [
        (media.clear_is_refused, "was answered"),
        (media.keyless_is_refused, "was answered"),
        (media.fallback_is_refused, "went over to RTP in clear"),
        (media.strangers_are_ignored, "answered a stranger"),
    ],
)
def test_media_in_clear_is_found(
    weak_target: Target, good_tls: ssl.SSLContext, check: Callable[[Target], str], evidence: str
) -> None:
    careless = Careless()
    with WeakServer(careless, good_tls) as server, pytest.raises(Broken, match=evidence):
        careless.port = server.port
        check(replace(weak_target, port=server.port))


def test_a_server_that_takes_no_call_proves_nothing(
    weak_target: Target, good_tls: ssl.SSLContext
) -> None:
    def busy(request: Request) -> Response:
        return response_to(request, 486, to_tag="weak")

    with WeakServer(busy, good_tls) as server:
        target = replace(weak_target, port=server.port)
        found = list(media.findings(target))

    assert {one.verdict for one in found} == {Verdict.UNKNOWN}
