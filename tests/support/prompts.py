"""What media workers of tests play: prompts that are soon over, tones that are told apart."""

from __future__ import annotations

import atexit
import functools
import math
import random
import shutil
import tempfile
from array import array
from pathlib import Path

from media.prompts import TEXTS
from media.worker.codecs import g722
from media.worker.codecs.g711 import decode_ulaw, encode_ulaw
from tests.support.media_worker import kept_tones
from tests.support.rtp_phone import FRAME


@functools.cache
def short_prompts() -> str:
    """Every prompt is a tenth of a second of noise of its own, and the tones are what they are."""
    directory = Path(tempfile.mkdtemp(prefix="prompts-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    shutil.copytree(kept_tones(), directory, dirs_exist_ok=True)
    for name in TEXTS:
        for codec in ("pcmu", "pcma"):
            (directory / f"{name}.{codec}").write_bytes(noise(name))
        wide = array("h", (n for sample in decode_ulaw(noise(name)) for n in (sample, sample)))
        (directory / f"{name}.g722").write_bytes(g722.encode(wide))
    return str(directory)


def noise(name: str) -> bytes:
    """What a phone that speaks G.711 hears of a prompt: by its first frame it is recognised."""
    return random.Random(name).randbytes(5 * FRAME)


def with_tones(folder: Path, tones: dict[str, float]) -> str:
    """Prompts again, where some are a second of a tone that a phone can be heard to play."""
    shutil.copytree(short_prompts(), folder)
    for name, hertz in tones.items():
        wide = array(
            "h", (int(8_000 * math.sin(math.tau * hertz * at / 16_000)) for at in range(16_000))
        )
        (folder / f"{name}.pcmu").write_bytes(encode_ulaw(wide[::2]))
        (folder / f"{name}.g722").write_bytes(g722.encode(wide))
    return str(folder)
