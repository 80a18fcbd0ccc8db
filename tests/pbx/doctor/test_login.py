"""The log-in's promises hold on a sound exchange, and each is missed where it is broken."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from pbx.doctor import login
from pbx.doctor.finding import Broken, CannotTell, Verdict
from pbx.doctor.target import Canary, Target
from pbx.sip.message import Request, Response
from tests.support.weak_server import Gullible, WeakServer, yes


async def test_a_sound_exchange_lets_nobody_in(sound: Target) -> None:
    found = await asyncio.to_thread(lambda: list(login.findings(sound)))

    assert [one for one in found if one.verdict is not Verdict.HOLDS] == []
    assert len(found) == 4


async def test_without_a_phone_a_repeated_log_in_cannot_be_tried(sound: Target) -> None:
    with pytest.raises(CannotTell, match="--device"):
        await asyncio.to_thread(login.replay_is_refused, replace(sound, canary=None))


async def test_a_phone_that_cannot_log_in_proves_nothing(sound: Target) -> None:
    wrong = replace(sound, canary=Canary("alice", "wrong"))

    with pytest.raises(CannotTell, match="could not log in"):
        await asyncio.to_thread(login.replay_is_refused, wrong)


@pytest.mark.parametrize(
    ("check", "answer", "evidence"),
    [
        (login.unknown_is_refused, yes, "without being asked"),
        (login.unknown_is_refused, Gullible(), "was let in"),
        (login.challenge_is_strong, Gullible(algorithm="MD5"), "not SHA-256"),
        (login.nonce_is_bound, Gullible(), "opened another"),
        (login.nonce_is_bound, Gullible(opens=False), "taken for a current one"),
        (login.replay_is_refused, Gullible(), "a second time"),
    ],
)
def test_a_broken_log_in_is_found(
    weak_target: Target,
    good_tls: ssl.SSLContext,
    check: Callable[[Target], str],
    answer: Callable[[Request], Response],
    evidence: str,
) -> None:
    with WeakServer(answer, good_tls) as server, pytest.raises(Broken, match=evidence):
        check(replace(weak_target, port=server.port))


def test_two_challenges_are_found(weak_target: Target, good_tls: ssl.SSLContext) -> None:
    def twice(request: Request) -> Response:
        response = Gullible()(request)
        response.headers.add("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm=MD5')
        return response

    with WeakServer(twice, good_tls) as server, pytest.raises(Broken, match="2 challenges"):
        login.challenge_is_strong(replace(weak_target, port=server.port))
