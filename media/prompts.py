"""Makes the spoken prompts, in every codec we play.

They are spoken once, when the product is installed (`python -m media.prompts`), and copied into
each data directory; where that was not done they are spoken then. A clinic's own recording
(NAME.wav) goes first; without it and without espeak-ng the worker plays a tone instead.
"""

import hashlib
import shutil
import subprocess
import sys
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
    "dnd-on": "Do not disturb is on.",
    "dnd-off": "Do not disturb is off.",
    "park-at": "The call is parked. To take it back, dial star",
    "park-empty": "No call is parked there.",
    "park-full": "No call can be parked now.",
    "pick-up-none": "No call is ringing there.",
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
    "forward-on": "Your calls are forwarded.",
    "forward-off": "Your calls are no longer forwarded.",
    "vm-unavailable": "The person you have called cannot take your call now.",
    "vm-reached": "You have reached the mailbox of",
    "vm-emergency": "If this is an emergency, hang up and dial nine one one.",
    "vm-leave": "Please leave a message after the tone. Press pound when you are done.",
    "vm-cannot-be-heard": "Messages cannot be heard at present.",
    "vm-urgent-call": "If it is urgent, please dial",
    "vm-urgent-other": "If it is urgent, please reach us by other means.",
    "vm-not-possible": "No message can be taken at present. Please call again later.",
    "vm-review": "To send your message, press one or hang up. To hear it, press two. To record it "
    "again, press three. To mark it urgent, press four. To mark it private, press five. "
    "To cancel it, press star.",
    "vm-urgent-on": "The message is marked urgent.",
    "vm-urgent-off": "The message is not urgent.",
    "vm-private-on": "The message is marked private.",
    "vm-private-off": "The message is not private.",
    "vm-left": "Your message has been left.",
    "vm-cancelled": "Your message is cancelled.",
    "vm-fault": "This cannot be done now.",
    "vm-not-here": "Messages cannot be heard from this telephone.",
    "vm-number": "Please enter your own number, then press pound.",
    "vm-pin": "Please enter your PIN, then press pound.",
    "vm-code": "Please enter the six digits that your authenticator app shows, then press pound.",
    "vm-was-locked": "Your mailbox was locked for a time: a wrong PIN was entered too often. "
    "If that was not you, tell your practice manager.",
    "vm-was-opened": "Your mailbox was opened in an emergency. Sign in at a terminal for more.",
    "vm-pin-expired": "Your PIN has expired. Please choose a new one.",
    "vm-refused": "That was not accepted.",
    "vm-away": "Messages cannot be heard at present. Please try again later.",
    "vm-you-have": "You have",
    "vm-new": "new messages",
    "vm-new-one": "new message",
    "vm-and": "and",
    "vm-saved": "saved messages",
    "vm-saved-one": "saved message",
    "vm-none": "You have no messages.",
    "vm-no-more": "There are no more messages.",
    "vm-urgent": "Urgent.",
    "vm-private": "Private.",
    "vm-cut": "This message was interrupted.",
    "vm-forwarded": "Forwarded to you.",
    "vm-message": "Message",
    "vm-today": "today at",
    "vm-yesterday": "yesterday at",
    "vm-days-ago": "days ago at",
    "vm-oh": "oh",
    "vm-hundred": "hundred",
    "vm-from": "from",
    "vm-keys": "To hear it again, press one. To save it, two. To delete it, three. Back, four. "
    "Pause, five. Forward, six. The one before, seven. To send it on, eight. To call back, nine. "
    "For the next one, pound. For your settings, star.",
    "vm-saved-it": "Saved.",
    "vm-deleted": "Deleted. To take it back, press three.",
    "vm-undeleted": "It is back.",
    "vm-whom": "Enter the extension, then press pound.",
    "vm-comment": "To add a comment, press one. To send it as it is, press pound.",
    "vm-sent": "It is sent.",
    "vm-not-for-them": "They may not have it.",
    "vm-settings": "For your greeting, press one. For your name, two. To choose what callers hear, "
    "three. For your PIN, four. Back to your messages, star.",
    "vm-record": "Speak after the tone. Press pound when you are done.",
    "vm-keep": "To keep it, press one. To hear it, two. To record it again, three.",
    "vm-choose": "For your greeting, press one. For your name, two. For neither, three.",
    "vm-done": "Done.",
    "vm-new-pin": "Please enter your new PIN of six to twelve digits, then press pound.",
    "vm-new-pin-again": "Please enter it once more.",
    "vm-different": "The two were different.",
    "vm-weak-pin": "That PIN is too easy to guess.",
    "vm-damaged": "This message cannot be played. Somebody is told of it.",
    **{f"number-{n}": str(n) for n in (*range(21), *range(30, 100, 10))},
}
VOICE = ("-v", "en-us", "-s", "150")
MAX_SECONDS = 120
SPEAKING_SECONDS = 30
INSTALLED = Path(sys.prefix) / "share" / "hipaa-pbx" / "prompts"
"""What the installation spoke; a directory inside is named for the texts and the voice."""


def prepare(
    directory: Path, recordings: Path | None = None, installed: Path = INSTALLED
) -> list[str]:
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
    _copy(installed / _edition(), directory)
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


def install(to: Path = INSTALLED) -> list[str]:
    """Speak them all, once for all data directories of this installation; returns warnings."""
    finished = to / _edition()
    if finished.exists():
        return []
    with tempfile.TemporaryDirectory(dir=_made(to)) as scratch:
        made = Path(scratch) / "made"
        if warnings := prepare(made, installed=made):
            return warnings
        made.chmod(0o755)
        made.replace(finished)
    return []


def _edition() -> str:
    """Other texts or another voice are other prompts."""
    said = repr((sorted(TEXTS.items()), VOICE, CODECS))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _copy(installed: Path, directory: Path) -> None:
    """What the directory lacks and the installation has."""
    for name in (*TEXTS, MUSIC):
        if not _is_current(directory, name, 0.0) and _is_current(installed, name, 0.0):
            for codec in CODECS:
                partial = directory / f".{name}.{codec}"
                shutil.copyfile(installed / f"{name}.{codec}", partial)
                partial.replace(directory / f"{name}.{codec}")


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


if __name__ == "__main__":
    for warning in install():
        print(warning, file=sys.stderr)  # noqa: T201 - said to whoever installs
