"""The music that is in the package: ours, soft, without a seam."""

import itertools
from array import array

import pytest

from media import music


@pytest.fixture(scope="module")
def tune() -> "array[int]":
    return music.samples(8000)


def test_it_is_long_enough_and_never_too_loud(tune: "array[int]") -> None:
    assert len(tune) == round(12.8 * 8000)
    assert max(map(abs, tune)) < 12_000
    energy = sum(sample * sample for sample in tune) / len(tune)
    assert 1_000 < energy**0.5 < 4_500


def test_it_never_falls_silent_and_its_end_leads_into_its_beginning(tune: "array[int]") -> None:
    tenths = [tune[at : at + 800] for at in range(0, len(tune), 800)]
    assert all(max(map(abs, part)) > 300 for part in tenths)
    steps = [abs(b - a) for a, b in itertools.pairwise(tune)]
    assert abs(tune[0] - tune[-1]) <= max(steps)


def test_it_is_the_same_tune_at_every_rate(tune: "array[int]") -> None:
    wide = music.samples(16_000)

    assert len(wide) == 2 * len(tune)
    assert all(abs(wide[2 * n] - tune[n]) < 400 for n in range(0, len(tune), 997))
