"""The test phone's ear and its keys."""

import asyncio

import pytest

from media.worker.codecs.g711 import sample_of_ulaw, ulaw_of
from pbx.testcall import media
from pbx.testcall.errors import CallTestFailed
from pbx.testcall.media import SUITES, Media, loudness


@pytest.mark.parametrize("suite", SUITES)
async def test_two_ends_hear_each_other_s_tone_and_not_their_own(suite: str) -> None:
    one, other = Media("127.0.0.1", suite, 440.0), Media("127.0.0.1", suite, 1000.0)
    other.take(one.description())
    one.take(other.description())

    await asyncio.gather(one.talk(0.5), other.talk(0.5))

    assert loudness(one.heard, 1000.0) > 0.9
    assert loudness(one.heard, 440.0) < 0.1
    assert loudness(other.heard, 440.0) > 0.9
    assert one.refused == other.refused == 0
    one.close()
    other.close()


async def test_a_packet_under_another_key_is_refused_and_not_heard() -> None:
    suite = "AEAD_AES_256_GCM"
    one, other, third = (Media("127.0.0.1", suite, 440.0) for _ in range(3))
    one.take(third.description())
    other.take(one.description())

    await asyncio.gather(one.talk(0.2), other.talk(0.2))

    assert one.refused > 0
    assert not one.heard
    for end in (one, other, third):
        end.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RTP/SAVP", "RTP/AVP"),
        ("AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"),
        ("inline:", "inline:AAAA"),
        ("m=audio", "m=video"),
        ("m=audio ", "m=audio x"),
    ],
)
def test_anything_but_srtp_with_our_suite_fails_the_test(old: str, new: str) -> None:
    end = Media("127.0.0.1", "AEAD_AES_256_GCM", 440.0)

    with pytest.raises(CallTestFailed):
        end.take(end.description().decode().replace(old, new).encode())

    end.close()


def test_silence_has_no_tone() -> None:
    assert loudness(media.array("h", [0] * 160), 440.0) == 0.0


def test_our_own_law_is_the_relay_s() -> None:
    for sample in range(-32_768, 32_768, 7):
        assert media._ulaw(sample) == ulaw_of(sample)
    for octet in range(256):
        assert media._sample(octet) == sample_of_ulaw(octet)
