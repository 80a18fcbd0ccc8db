import msgspec
import pytest

from storage.config import StorageConfig, database_url

POSTGRES = {"url": "postgresql://service@host/pbx", "owner_url": "postgresql://owner@host/pbx"}


def test_the_defaults_are_sqlite_and_a_head_a_minute() -> None:
    config = StorageConfig()

    assert (config.url, config.head_seconds, config.head_rows) == ("", 60, 1_000)
    assert StorageConfig(**POSTGRES).url
    assert StorageConfig(url="sqlite:////var/lib/x.db").url


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"url": "mysql://x"}, "url"),
        ({"url": "::"}, "url"),
        ({"url": "postgresql://a@b:x/c"}, "url"),
        ({"url": "sqlite://"}, "url"),
        ({"url": "postgresql://host/pbx"}, "url"),
        ({"url": POSTGRES["url"]}, "owner_url"),
        ({**POSTGRES, "owner_url": POSTGRES["url"]}, "owner_url"),
        ({**POSTGRES, "owner_url": "sqlite:///x"}, "owner_url"),
        ({"owner_url": POSTGRES["owner_url"]}, "owner_url"),
        ({"head_seconds": 61}, "head_seconds"),
        ({"head_rows": 0}, "head_rows"),
        ({"spool_bytes": 1}, "spool_bytes"),
        ({"spool_reserved_bytes": 0}, "spool_reserved_bytes"),
    ],
)
def test_an_unsafe_value_names_key_and_rule(fields: dict[str, object], key: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"{key}: "):
        msgspec.convert(fields, StorageConfig)


def test_the_driver_is_ours_to_choose() -> None:
    assert database_url("postgresql+asyncpg://a@b/c").drivername == "postgresql+psycopg"
    assert database_url("sqlite:///x").drivername == "sqlite+aiosqlite"
