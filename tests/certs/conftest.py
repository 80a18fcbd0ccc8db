"""An authority on a clock moved by hand."""

from pathlib import Path

import pytest

from certs.authority import Authority, create_authority
from tests.support.clock import HandClock

DOMAIN = "clinic.example"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def authority(tmp_path: Path, clock: HandClock) -> Authority:
    directory = tmp_path / "certs"
    directory.mkdir()
    return create_authority(directory, DOMAIN, clock)
