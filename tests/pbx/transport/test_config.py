"""The [sip] table refuses what would be unsafe, by key and rule."""

import msgspec
import pytest

from pbx.transport.config import SipConfig


def test_the_defaults_are_valid_and_have_no_switch_for_plain_text() -> None:
    config = SipConfig()

    assert (config.port, config.md5_port, config.certificate_port) == (5061, 5062, 5063)
    assert not [key for key in SipConfig.__struct_fields__ if "tls" in key or "plain" in key]


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({"listen": []}, "listen: at least one"),
        ({"listen": ["localhost"]}, "listen: each must be"),
        ({"port": 5060}, "5060"),
        ({"port": 5062}, "must differ"),
        ({"port": 65536}, "<= 65535"),
        ({"max_head_bytes": 10}, "max_head_bytes: must be"),
        ({"handshake_seconds": 0}, "handshake_seconds: must be"),
        ({"tls": False}, "unknown field"),
    ],
)
def test_unsafe_values_are_refused(table: dict[str, object], rule: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rule):
        msgspec.convert(table, SipConfig)
