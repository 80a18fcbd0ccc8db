"""Giving what root made to a service account, and nothing else."""

import os
from pathlib import Path

import pytest

from pbx.processes.accounts import Account, give

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

SERVICE = Account("service", 54321, 54321)


def test_what_root_made_is_given_and_links_are_not_followed(tmp_path: Path) -> None:
    precious, linked = tmp_path / "precious", tmp_path / "linked"
    precious.touch()
    linked.touch()
    place = tmp_path / "place"
    (place / "below").mkdir(parents=True)
    (place / "below" / "made").touch()
    (place / "symlink").symlink_to(precious)
    os.link(linked, place / "second-name")

    give(place, SERVICE)

    assert (place / "below" / "made").stat().st_uid == SERVICE.uid
    assert (place / "below").stat().st_uid == SERVICE.uid
    assert precious.stat().st_uid == 0
    assert linked.stat().st_uid == 0
