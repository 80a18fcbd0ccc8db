"""pbx/admin/config.py"""

import msgspec
import pytest

from pbx.admin.config import AdminConfig
from pbx.config import Config


@pytest.mark.parametrize(
    ("listen", "endpoint"),
    [
        ("192.0.2.10:8443", ("192.0.2.10", 8443)),
        ("[2001:db8::1]:443", ("2001:db8::1", 443)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
    ],
)
def test_an_address_and_a_port(listen: str, endpoint: tuple[str, int]) -> None:
    assert AdminConfig(listen=listen).endpoint() == endpoint


@pytest.mark.parametrize(
    ("listen", "rule"),
    [
        ("0.0.0.0:8443", "never all of them"),
        ("[::]:8443", "never all of them"),
        ("224.0.0.1:1", "never all of them"),
        ("pbx.example:8443", "one IP address"),
        ("192.0.2.10", "ADDRESS:PORT"),
        ("192.0.2.10:x", "ADDRESS:PORT"),
        ("192.0.2.10:65536", "at most 65535"),
        (":8443", "one IP address"),
    ],
)
def test_what_is_none_is_refused_with_the_rule(listen: str, rule: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rule):
        msgspec.convert({"admin": {"listen": listen}}, Config)


def test_nothing_listens_unless_told_to() -> None:
    assert msgspec.convert({}, Config).admin.listen == ""
