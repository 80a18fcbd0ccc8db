"""The E-model estimate."""

import pytest

from media.worker.quality import mean_opinion


def test_a_clean_local_call_is_excellent() -> None:
    assert mean_opinion("pcmu", 0.0, 0.5, 2.0) > 4.3


def test_loss_delay_and_jitter_each_make_it_worse() -> None:
    clean = mean_opinion("pcmu", 0.0, 0.0, 20.0)

    assert mean_opinion("pcmu", 0.05, 0.0, 20.0) < clean - 0.4
    assert mean_opinion("pcmu", 0.0, 0.0, 800.0) < clean - 0.5
    assert mean_opinion("pcmu", 0.0, 60.0, 20.0) < clean


def test_compression_costs_something() -> None:
    assert mean_opinion("g729", 0.0, 0.0, 20.0) < mean_opinion("pcmu", 0.0, 0.0, 20.0)
    assert mean_opinion("never heard of", 0.0, 0.0, 20.0) < mean_opinion("pcmu", 0.0, 0.0, 20.0)


@pytest.mark.parametrize("loss", [-1.0, 0.5, 1.0, 7.0])
def test_it_is_always_between_1_and_4_and_a_half(loss: float) -> None:
    assert 1.0 <= mean_opinion("pcmu", loss, 900.0, 9000.0) <= 4.5
