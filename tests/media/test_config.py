"""The `[media]` table."""

import pytest

from media.config import MediaConfig


def test_each_worker_has_its_own_slice_of_even_ports() -> None:
    config = MediaConfig(workers=3, first_port=20_001, last_port=20_100)

    slices = [config.ports_of(index) for index in range(3)]

    ports = [port for slice_ in slices for port in slice_]
    assert len(ports) == len(set(ports)) == 3 * config.pairs_per_worker
    assert all(port % 2 == 0 and 20_001 <= port < port + 1 <= 20_100 for port in ports)


def test_open_files_are_two_for_each_leg_and_some() -> None:
    config = MediaConfig(workers=1, first_port=20_000, last_port=20_999)

    assert config.pairs_per_worker == 500
    assert config.files_per_worker == 1064


def test_without_a_number_there_is_a_worker_for_each_core() -> None:
    assert MediaConfig().worker_count >= 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("workers", -1),
        ("workers", 300),
        ("first_port", 80),
        ("last_port", 70_000),
        ("last_port", 16_384),
        ("advertise", {"192.0.2.1": "pbx.example"}),
        ("advertise", {"eth0": "192.0.2.1"}),
        ("early_networks", ("everywhere",)),
        ("relatch_after", 0.0),
        ("silence_limit", 0.5),
        ("hold_limit", 10.0),
        ("orphan_limit", 1.0),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(ValueError, match="^(silence_limit|first_port|" + key + "): "):
        MediaConfig(**{key: value})  # type: ignore[arg-type]


def test_a_range_with_less_than_a_pair_for_each_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="last_port"):
        MediaConfig(workers=10, first_port=20_000, last_port=20_010)


def test_sound_values_are_taken() -> None:
    config = MediaConfig(advertise={"192.0.2.1": "203.0.113.1"}, early_networks=("192.0.2.0/24",))

    assert config.advertise["192.0.2.1"] == "203.0.113.1"
