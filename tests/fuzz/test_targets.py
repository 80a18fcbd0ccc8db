"""Every find of the fuzzers, and their seeds, for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS
from tests.support.vectors import VECTORS

FINDS = [
    pytest.param(path.parent.name, path, id=f"{path.parent.name}-{path.name[:20]}")
    for path in sorted((VECTORS / "fuzz").glob("*/*"))
]


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_hold(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)


@pytest.mark.parametrize(("name", "path"), FINDS)
def test_a_find_stays_fixed(name: str, path: Path) -> None:
    TARGETS[name].run(path.read_bytes())
