"""The `[admin]` table: where the management plane may be reached from another machine."""

import ipaddress

import msgspec


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[admin]"""

    listen: str = ""
    """ADDRESS:PORT for management over TLS with client certificates; empty: the Unix socket alone.
    One address of the management network; all addresses at once are refused."""

    def __post_init__(self) -> None:
        if self.listen:
            self.endpoint()

    def endpoint(self) -> tuple[str, int]:
        """Address and port of what is configured."""
        host, colon, port = self.listen.rpartition(":")
        if not (colon and port.isascii() and port.isdigit() and len(port) <= 5):
            raise ValueError("listen: is ADDRESS:PORT")
        try:
            address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise ValueError("listen: names one IP address and a port") from None
        if address.is_unspecified or address.is_multicast:
            raise ValueError("listen: names one address of this machine, never all of them")
        if int(port) > 65_535:
            raise ValueError("listen: the port is at most 65535")
        return str(address), int(port)
