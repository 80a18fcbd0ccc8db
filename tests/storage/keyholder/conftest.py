"""A house per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.keyholder import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "keys")
    yield made
    made.close()
