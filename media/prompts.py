"""Makes the spoken prompts, in every codec we play, when the product is set up.

A clinic's own recording (NAME.wav) goes first; else espeak-ng speaks the text; without either the
worker plays a tone in its place. The results lie in the data directory; none is in the package.
"""

import shutil
import subprocess
import tempfile
from array import array
from pathlib import Path

import av

from media import music
from media.worker.codecs import g711, g722
from media.worker.sounds import CODECS, MUSIC, keep_tones

TEXTS = {
    "no-such-number": "The number you have dialled is not in service. Please check it.",
    "busy": "The person you are calling is on another call. Please try again later.",
    "no-answer": "Nobody is answering. Please try again later.",
    "offline": "The person you are calling cannot be reached at present.",
    "not-allowed": "This phone may not call that number.",
    "emergency-no-line": "This exchange has no outside line. Use another telephone to call "
    "nine one one now. A telephone on site is ringing for help.",
    "emergency-test": "This is a test. An emergency call from this phone is announced here and "
    "rings a telephone on site.",
    "echo-test": "This is the echo test. You will hear what you say.",
    "goodbye": "Goodbye.",
}
VOICE = ("-v", "en-us", "-s", "150")
MAX_SECONDS = 120
SPEAKING_SECONDS = 30


def prepare(directory: Path, recordings: Path | None = None) -> list[str]:
    """Fill the directory with what is missing or older than its recording; returns warnings."""
    directory.mkdir(parents=True, exist_ok=True)
    keep_tones(directory)
    speaker = shutil.which("espeak-ng")
    warnings = []
    own = sorted(recordings.glob("*.wav")) if recordings and recordings.is_dir() else []
    for recording in own:
        if not _is_current(directory, recording.stem, recording.stat().st_mtime):
            try:
                _write(directory, recording.stem, recording)
            except (av.error.FFmpegError, ValueError):
                warnings.append(f"prompt {recording.stem}: the recording cannot be read")
    if not _is_current(directory, MUSIC, 0.0):
        _encode(directory, MUSIC, music.samples(8000), music.samples(g722.RATE))
    missing = [name for name in TEXTS if not _is_current(directory, name, 0.0)]
    if missing and speaker is None:
        warnings.append("espeak-ng is not installed: prompts are tones until it is")
        return warnings
    for name in missing:
        with tempfile.TemporaryDirectory() as scratch:
            spoken = Path(scratch) / "spoken.wav"
            if _speak(str(speaker), TEXTS[name], spoken):
                _write(directory, name, spoken)
            else:
                warnings.append(f"prompt {name}: espeak-ng failed")
    return warnings


def _is_current(directory: Path, name: str, since: float) -> bool:
    made = [directory / f"{name}.{codec}" for codec in CODECS]
    return all(path.exists() and path.stat().st_mtime >= since for path in made)


def _speak(speaker: str, text: str, to: Path) -> bool:
    command = [speaker, *VOICE, "-w", str(to), text]
    try:
        done = subprocess.run(  # noqa: S603 - a program found on PATH, texts of our own
            command, check=False, capture_output=True, timeout=SPEAKING_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and to.exists()


def _write(directory: Path, name: str, wav: Path) -> None:
    _encode(directory, name, _samples(wav, 8000), _samples(wav, g722.RATE))


def _encode(directory: Path, name: str, narrow: "array[int]", wide: "array[int]") -> None:
    encoded = {
        "pcmu": g711.encode_ulaw(narrow),
        "pcma": g711.encode_alaw(narrow),
        "g722": g722.encode(wide),
    }
    for codec, octets in encoded.items():
        partial = directory / f".{name}.{codec}"
        partial.write_bytes(octets)
        partial.replace(directory / f"{name}.{codec}")


def _samples(wav: Path, rate: int) -> "array[int]":
    """A recording as 16-bit samples at one rate, however it was recorded."""
    samples = array("h")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(wav), "r", format="wav") as container:
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
            if len(samples) > rate * MAX_SECONDS:
                raise ValueError("recording: at most two minutes")
    for part in resampler.resample(None):
        samples.frombytes(bytes(part.planes[0])[: 2 * part.samples])
    return samples
