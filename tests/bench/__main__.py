"""`make bench`: runs every benchmark, or those named (`python -m tests.bench relay`)."""

import importlib
import os
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    found = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
    benches = [name for name in found if not name.startswith("_")]
    for name in sys.argv[1:] or benches:
        module = importlib.import_module(f"tests.bench.{name}")
        if hasattr(module, "run"):
            print(f"== {name}", flush=True)
            before = _processor_ticks()
            module.run()
            _say_how_quiet(before)


def _processor_ticks() -> tuple[int, int, int]:
    """All, idle and stolen ticks of all cores since the start (proc(5), /proc/stat)."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4], ticks[7]


def _say_how_quiet(before: tuple[int, int, int]) -> None:
    """A virtual machine's host may take the cores away, for whole milliseconds: delays and losses
    measured meanwhile are the host's."""
    spent, idle, stolen = (now - then for now, then in zip(_processor_ticks(), before, strict=True))
    print(
        f"   ({os.cpu_count()} cores: {100 * idle / max(spent, 1):.0f} % idle,"
        f" {100 * stolen / max(spent, 1):.1f} % taken by the host meanwhile)",
        flush=True,
    )


if __name__ == "__main__":
    main()
