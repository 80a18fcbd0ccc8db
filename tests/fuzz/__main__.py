"""Fuzz targets, coverage-guided by atheris: `python -m tests.fuzz TARGET [SECONDS]`.

`make fuzz` runs each target for a bounded time. Inputs that reach new code are kept for the run
only; an input that breaks a target is written to tests/vectors/fuzz/TARGET/, where the ordinary
tests replay it for ever.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pbx.sip"]):
    from tests.fuzz.targets import TARGETS

FINDS = Path(__file__).parent.parent / "vectors" / "fuzz"


def main() -> None:
    name, seconds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "60"
    target = TARGETS[name]
    finds = FINDS / name
    finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds()):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        arguments = [
            sys.argv[0],
            corpus,
            f"-max_total_time={seconds}",
            f"-artifact_prefix={finds}/",
            "-max_len=4096",
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]
        atheris.Setup(arguments, target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
