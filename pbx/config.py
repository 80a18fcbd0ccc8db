"""One TOML file becomes one frozen value, or one sentence that says what is wrong where.

Each package owns the class of its table; this module only assembles them. An unknown key, a wrong
type and an unsafe value are all refused. There is no key that turns encryption off.
"""

import os
import stat
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from certs.config import CertsConfig
from certs.errors import CertsError
from certs.names import host_name
from media.config import MediaConfig
from pbx.access.lockout import LockoutConfig
from pbx.admin.config import AdminConfig
from pbx.b2bua.config import CallsConfig
from pbx.registrar import RegistrarConfig
from pbx.transport.config import SipConfig
from pbx.voicemail.config import VoicemailConfig
from storage.config import StorageConfig
from storage.keyholder.config import KeyHolderConfig

MAX_BYTES: Final = 1_000_000
"""A configuration is a page; a longer file is somebody else's."""


DOMAIN: Final = "pbx.internal"
"""Where `pbx init` is told no other: .internal is set aside for private use."""


class ConfigError(Exception):
    """The configuration cannot be used; the text is one sentence for the operator."""


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[exchange]"""

    domain: str = DOMAIN
    """The SIP domain phones register in, and the exact name in the server certificate."""

    drain_seconds: int = 300
    """How long calls that are up may still last once the exchange was told to stop."""

    def __post_init__(self) -> None:
        try:
            name = host_name(self.domain)
        except CertsError:
            raise ValueError("domain: is a DNS name of letters, digits and hyphens") from None
        # In the form in which hosts of URIs are compared, however it was typed.
        msgspec.structs.force_setattr(self, "domain", name)
        if not 0 <= self.drain_seconds <= 86_400:
            raise ValueError("drain_seconds: is between 0 and 86400")


class LogsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[logs]"""

    debug: bool = False
    """More sentences; never more kinds of values."""


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[metrics]"""

    port: int = 9464
    """On the loopback address only; 0 lets the kernel choose."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port: is between 0 and 65535")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; a table that is missing has its defaults."""

    sip: SipConfig = msgspec.field(default_factory=SipConfig)
    exchange: ExchangeConfig = msgspec.field(default_factory=ExchangeConfig)
    registrar: RegistrarConfig = msgspec.field(default_factory=RegistrarConfig)
    lockout: LockoutConfig = msgspec.field(default_factory=LockoutConfig)
    calls: CallsConfig = msgspec.field(default_factory=CallsConfig)
    voicemail: VoicemailConfig = msgspec.field(default_factory=VoicemailConfig)
    certs: CertsConfig = msgspec.field(default_factory=CertsConfig)
    media: MediaConfig = msgspec.field(default_factory=MediaConfig)
    keyholder: KeyHolderConfig = msgspec.field(default_factory=KeyHolderConfig)
    storage: StorageConfig = msgspec.field(default_factory=StorageConfig)
    admin: AdminConfig = msgspec.field(default_factory=AdminConfig)
    logs: LogsConfig = msgspec.field(default_factory=LogsConfig)
    metrics: MetricsConfig = msgspec.field(default_factory=MetricsConfig)

    def __post_init__(self) -> None:
        for key in ("url", "owner_url"):
            if _holds_password(getattr(self.storage, key)):
                raise ValueError(
                    f"storage.{key}: holds a password; put it into credentials/pgpass instead"
                )

    @property
    def aliases(self) -> frozenset[str]:
        """What else than the domain phones may take for it: the names and addresses that our
        certificate is good for, and those that we advertise; no brackets around IPv6."""
        names = self.certs.server_names(self.exchange.domain)
        public = (ip_address(text) for text in self.media.advertise.values())
        return frozenset((*names.hosts, *map(str, (*names.addresses, *public))))


def _holds_password(url: str) -> bool:
    """All three accounts read the configuration, so that no secret may stand in it."""
    parts = urlsplit(url)
    return parts.password is not None or "password" in parts.query


def load(path: Path) -> Config:
    """Reads and checks the file; raises ConfigError with file, line or key, and rule."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    if mode & stat.S_IWOTH:
        raise ConfigError(f"{path}: every account may write to it; run: chmod o-w {path}")
    return parse(data, str(path))


def parse(data: bytes, name: str) -> Config:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{name}: is longer than {MAX_BYTES} bytes.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}, line {line}: is not UTF-8 text.") from None
    table = _toml(text, name)
    try:
        return msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), text, name)) from None


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The parser's words end in "(at line 3, column 7)" or "(at end of document)".
        rule, _, place = str(error).rpartition(" (at ")
        place = place.rstrip(")")
        line = place if place.startswith("line") else f"line {text.count(chr(10)) + 1}"
        raise ConfigError(f"{name}, {line}: is not TOML: {_first_words(rule)}.") from None
    except RecursionError:
        raise ConfigError(f"{name}: is nested too deeply.") from None
    except ValueError:
        # tomllib lets through what int() and datetime() say of digits and dates beyond measure.
        raise ConfigError(f"{name}: holds a number or date that is out of range.") from None


def _first_words(rule: str) -> str:
    """The parser quotes keys and characters after its rule; a quotation could be a secret."""
    words = rule.split("'")[0].split('"')[0].split("(")[0].strip()
    return (words[:1].lower() + words[1:]) or "it cannot be read"


def _sentence(error: str, text: str, name: str) -> str:
    """Makes "Expected `int`, got `str` - at `$.metrics.port`" a place and a rule."""
    rule, _, path = error.partition(" - at `")
    keys = path.rstrip("`").removeprefix("$").lstrip(".")
    if rule.startswith("Object contains unknown field"):
        unknown = rule.split("`")[1]
        keys, rule = (f"{keys}.{unknown}" if keys else unknown), "there is no such key"
    elif rule.startswith("Object missing required field"):
        missing = rule.split("`")[1]
        keys, rule = (f"{keys}.{missing}" if keys else missing), "is missing"
    elif rule.startswith("Invalid"):
        rule = "is not one of the values it may have"
    elif rule.startswith("Expected"):
        rule = rule[:1].lower() + rule[1:].replace("`", "")
    else:
        own, colon, reason = rule.partition(": ")
        if colon and own.replace(".", "_").isidentifier():
            keys, rule = (f"{keys}.{own}" if keys else own), reason
    line = _line_of(keys, text)
    place = f"{name}, line {line}" if line else name
    return f"{place}: {_printable(keys) or 'the file'}: {rule.rstrip('.')}."


def _printable(keys: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in keys)[:120]


def _line_of(keys: str, text: str) -> int | None:
    """The line a key stands on where the file is written plainly; None where it is not."""
    *tables, last = keys.split(".")
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.split("#")[0].strip()
        if bare.startswith("["):
            table = bare.strip("[] ")
            if not tables and table.split(".")[0] == last:
                return number
        elif bare.partition("=")[0].strip().strip("\"'") == last and table == ".".join(tables):
            return number
    return None


def whole(config: msgspec.Struct) -> dict[str, Any]:
    """Every key, whether or not it has its default."""
    return {
        key: whole(value) if isinstance(value, msgspec.Struct) else value
        for key, value in msgspec.structs.asdict(config).items()
    }


def as_toml(config: Config) -> str:
    """The whole configuration as TOML. It never holds a secret: those are files, not keys."""
    tables = whole(config)
    return "\n".join(_table(name, table) for name, table in tables.items())


def _table(name: str, table: dict[str, Any]) -> str:
    plain = {k: v for k, v in table.items() if v is not None and not isinstance(v, dict)}
    inner = {k: v for k, v in table.items() if isinstance(v, dict)}
    lines = [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in plain.items()), ""]
    return "\n".join([*lines, *(_table(f"{name}.{k}", v) for k, v in inner.items())])


def _value(value: object) -> str:
    # A JSON string, number, boolean or flat list of them is also a TOML one.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
