"""Tones, prompts and silence, ahead of time."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from media.values import Player, Prompt, Silence, Tone
from media.worker import tones
from media.worker.codecs import g711, g722
from media.worker.sounds import CODECS, FRAME, Sounds, keep_tones
from tests.support.tone import power


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return Sounds()


def play(sounds: Sounds, codec: str, *what: Tone | Prompt | Silence, times: int = 1) -> list[bytes]:
    return list(islice(sounds.frames(Player(sounds=what, times=times), codec), 1000))


def decoded(frames: list[bytes], codec: str) -> tuple[list[int], int]:
    octets = b"".join(frames)
    if codec == "g722":
        return list(g722.decode(octets)), 16_000
    return list((g711.decode_ulaw if codec == "pcmu" else g711.decode_alaw)(octets)), 8000


@pytest.mark.parametrize("codec", CODECS)
def test_ringback_is_two_seconds_of_440_and_480_hertz_and_four_of_nothing(
    sounds: Sounds, codec: str
) -> None:
    frames = play(sounds, codec, Tone("ringback"))
    heard, rate = decoded(frames, codec)

    assert len(frames) == 300
    for hertz in (440, 480):
        assert power(heard[: 2 * rate], rate, hertz) > 0.4
    assert max(map(abs, heard[2 * rate + 400 :])) < 50


@pytest.mark.parametrize("codec", CODECS)
def test_silence_is_silent_and_as_long_as_asked(sounds: Sounds, codec: str) -> None:
    frames = play(sounds, codec, Tone("beep"), Silence(200))

    assert len(frames) == 20 + 10
    heard, rate = decoded(frames[24:], codec)
    assert max(map(abs, heard[rate // 100 :])) < 100


def test_a_player_repeats_and_without_end_if_told_so(sounds: Sounds) -> None:
    assert len(play(sounds, "pcmu", Tone("beep"), times=3)) == 60
    assert len(play(sounds, "pcmu", Tone("beep"), times=0)) == 1000


def test_every_frame_is_whole(sounds: Sounds) -> None:
    assert {len(frame) for frame in play(sounds, "pcma", Tone("not-in-service"))} == {FRAME}


def test_nothing_to_play_ends_at_once(sounds: Sounds) -> None:
    assert play(sounds, "pcmu", Silence(0), times=0) == []
    assert play(sounds, "pcmu", Silence(-5)) == []


def test_a_prompt_nobody_made_is_a_tone(sounds: Sounds, tmp_path: Path) -> None:
    assert play(sounds, "pcmu", Prompt("busy")) == play(sounds, "pcmu", Tone("not-in-service"))
    (tmp_path / "busy.pcmu").write_bytes(b"\1" * 160)
    assert play(Sounds(tmp_path), "pcmu", Prompt("busy")) == [b"\1" * 160]


def test_kept_tones_are_the_same_tones(tmp_path: Path) -> None:
    keep_tones(tmp_path)
    kept, made = Sounds(tmp_path), Sounds()

    for codec in CODECS:
        for name in tones.CADENCES:
            assert play(kept, codec, Tone(name)) == play(made, codec, Tone(name))
        assert play(kept, codec, Silence(40)) == play(made, codec, Silence(40))


def test_a_worker_with_kept_tones_starts_without_a_codec_library(tmp_path: Path) -> None:
    keep_tones(tmp_path)
    script = "import sys; from pathlib import Path; from media.worker.sounds import Sounds; "
    script += "Sounds(Path(sys.argv[1])); sys.exit('av' in sys.modules)"

    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
