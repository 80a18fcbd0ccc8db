"""storage/keyholder/config.py"""

from typing import Any

import msgspec
import pytest

from storage.keyholder.config import KeyHolderConfig


def test_the_defaults_are_safe() -> None:
    config = KeyHolderConfig()

    assert (config.idle_seconds, config.sensitive_idle_seconds) == (900, 300)
    assert config.device_failures < config.failures == 5
    assert config.session_seconds == 12 * 3600


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"idle_seconds": 901}, "idle_seconds"),
        ({"session_seconds": 43_201}, "session_seconds"),
        ({"failures": 11}, "failures"),
        ({"device_failures": 5}, "fewer than"),
        ({"key_file": "root.key"}, "absolute"),
        ({"root": "pkcs11"}, "absolute"),
        ({"credential": "a/b"}, "slashes"),
        ({"credential": ""}, "slashes"),
        ({"root": "none"}, "root"),
        ({"without_mfa": True}, "unknown field"),
    ],
)
def test_an_unsafe_or_unknown_value_is_refused(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rule):
        msgspec.convert(change, KeyHolderConfig)
