"""The `[certs]` table."""

import msgspec

from certs.names import ServerNames, host_name

_MIN_DAYS = 2
_MAX_DAYS = 825  # what phone platforms still accept from a private authority


class CertsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[certs]: what our own certificates say and how long they live.

    There is nothing here to weaken: versions, suites and curves are not a setting.
    """

    names: tuple[str, ...] = ()
    """Host names phones connect to beside the SIP domain itself; exact, no wildcards."""

    addresses: tuple[str, ...] = ()
    """IP addresses phones connect to; some phones know the server by address only."""

    server_days: int = 365
    """Life of the server certificate; renewed by itself at two thirds."""

    device_days: int = 825
    """Life of a device's client certificate; the device must be given the next one."""

    crl_days: int = 14
    """Life of the revocation list; renewed by itself at two thirds and at each revocation."""

    warn_days: int = 30
    """From this many days before an expiry `pbx cert list` and the log warn."""

    def __post_init__(self) -> None:
        if self.names or self.addresses:
            ServerNames.parse(self.names or ("placeholder",), self.addresses)
        for key in ("server_days", "device_days"):
            if not _MIN_DAYS <= getattr(self, key) <= _MAX_DAYS:
                raise ValueError(f"{key}: must be {_MIN_DAYS} to {_MAX_DAYS}")
        if not 1 <= self.crl_days <= 90:
            raise ValueError("crl_days: must be 1 to 90")
        if not 1 <= self.warn_days <= 365:
            raise ValueError("warn_days: must be 1 to 365")

    def server_names(self, domain: str) -> ServerNames:
        """The SIP domain first (RFC 5922 §5), then the other names."""
        return ServerNames.parse((host_name(domain), *self.names), self.addresses)
