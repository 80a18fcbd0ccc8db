"""Every find of the fuzzers, and their seeds, for ever."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import TARGETS
from tests.support.vectors import VECTORS

FINDS = sorted((VECTORS / "fuzz").glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_hold(name: str) -> None:
    for seed in TARGETS[name].seeds():
        TARGETS[name].run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_once_stays_fixed(name: str) -> None:
    for path in FINDS:
        if path.parent.name == name:
            TARGETS[name].run(path.read_bytes())
