"""Every sound a worker can play, encoded ahead and held in memory: no disk on the relay's loop."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from media.values import Player, Prompt, Silence, Sound, Tone
from media.worker import tones
from media.worker.codecs import g711, g722

CODECS = ("pcmu", "pcma", "g722")
OCTETS_PER_MS = 8
"""All three: 64 kbit/s."""
FRAME = 160
"""20 ms."""
MAX_SILENCE_MS = 60_000
QUIET = "quiet"
"""A second of silence; G.722 has no octet for it."""
UNKNOWN = "not-in-service"
"""The tone that stands for a prompt nobody has recorded or generated."""
MUSIC = "music-on-hold"
"""The prompt that whoever waits hears; without it the tone "hold"."""
WAITING = Player(sounds=(Prompt(MUSIC),), times=0)


class Sounds:
    """Tones, prompts and silence in each codec."""

    def __init__(self, directory: Path | None = None) -> None:
        self._tones = {(n, c): _tone(directory, n, c) for n in tones.CADENCES for c in CODECS}
        quiet = _tone(directory, QUIET, "g722")
        self._silent = {
            "pcmu": bytes([g711.ULAW_SILENCE]) * FRAME,
            "pcma": bytes([g711.ALAW_SILENCE]) * FRAME,
            "g722": quiet[-FRAME:],
        }
        self._directory = directory
        self._prompts: dict[tuple[str, str], bytes] = {}
        self.reload()

    def reload(self) -> None:
        """Read the prompts again: a few files, seldom, at somebody's command."""
        self._prompts = dict(_read(self._directory)) if self._directory else {}

    def silence(self, codec: str) -> bytes:
        """20 ms of it."""
        return self._silent[codec]

    def frames(self, player: Player, codec: str) -> Iterator[bytes | memoryview]:
        """What a player sends, 20 ms at a time."""
        octets = b"".join(self._octets(sound, codec) for sound in player.sounds)
        rest = -len(octets) % FRAME
        octets += self._silent[codec][:rest]
        if not octets:
            return
        round_ = 0
        while player.times == 0 or round_ < player.times:
            for start in range(0, len(octets), FRAME):
                yield octets[start : start + FRAME]
            round_ += 1

    def _octets(self, sound: Sound, codec: str) -> bytes:
        match sound:
            case Tone(name):
                return self._tones[name, codec]
            case Prompt(name):
                spare = "hold" if name == MUSIC else UNKNOWN
                return self._prompts.get((name, codec)) or self._tones[spare, codec]
            case Silence(milliseconds):
                frames = min(max(milliseconds, 0), MAX_SILENCE_MS) * OCTETS_PER_MS // FRAME
                return self._silent[codec] * frames


def encoded_tone(name: str, codec: str) -> bytes:
    """One round of a tone."""
    if name == QUIET:
        return g722.encode([0] * g722.RATE)
    if codec == "g722":
        return g722.encode(tones.samples(name, g722.RATE))
    encode = g711.encode_ulaw if codec == "pcmu" else g711.encode_alaw
    return encode(tones.samples(name, 8000))


def keep_tones(directory: Path) -> None:
    """Encodes the tones beside the prompts once: at each start of each worker it costs 0.3 s."""
    kept = _kept(directory)
    kept.mkdir(exist_ok=True)
    for name, codec in [(n, c) for n in tones.CADENCES for c in CODECS] + [(QUIET, "g722")]:
        partial = kept / f".{name}.{codec}"
        partial.write_bytes(encoded_tone(name, codec))
        partial.replace(kept / f"{name}.{codec}")


def _tone(directory: Path | None, name: str, codec: str) -> bytes:
    kept = _kept(directory) / f"{name}.{codec}" if directory else None
    try:
        return kept.read_bytes() if kept else encoded_tone(name, codec)
    except OSError:
        return encoded_tone(name, codec)


def _kept(directory: Path) -> Path:
    """Named by what the tones are made of: tones of another version are not found."""
    made_of = repr((tones.CADENCES, tones.AMPLITUDE)).encode()
    return directory / f"tones-{sha256(made_of).hexdigest()[:12]}"


def _read(directory: Path) -> Iterator[tuple[tuple[str, str], bytes]]:
    for codec in CODECS:
        for path in sorted(directory.glob(f"*.{codec}")):
            yield (path.stem, codec), path.read_bytes()
