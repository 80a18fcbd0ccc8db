"""The [certs] table refuses what phones would not accept."""

import msgspec
import pytest

from certs.config import CertsConfig


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({"names": ["*.clinic.example"]}, "wildcards"),
        ({"names": ["192.0.2.1"]}, "belongs under addresses"),
        ({"names": ["a b"]}, "letters, digits"),
        ({"addresses": ["clinic.example"]}, "IPv4 or IPv6"),
        ({"addresses": ["ff02::1"]}, "can connect to"),
        ({"server_days": 1}, "server_days"),
        ({"device_days": 5000}, "device_days"),
        ({"crl_days": 0}, "crl_days"),
        ({"warn_days": 0}, "warn_days"),
        ({"curve": "P-192"}, "unknown field"),
    ],
)
def test_unsafe_values_are_refused(table: dict[str, object], rule: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rule):
        msgspec.convert(table, CertsConfig)


def test_the_domain_comes_first_and_repetitions_are_dropped() -> None:
    config = CertsConfig(names=("SIP.clinic.example", "clinic.example"), addresses=("::1", "::1"))

    names = config.server_names("Clinic.Example.")

    assert names.hosts == ("clinic.example", "sip.clinic.example")
    assert [str(address) for address in names.addresses] == ["::1"]
