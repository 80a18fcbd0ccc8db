"""host, hostport and sent-by (RFC 3261 section 25.1, RFC 5118)."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address

from pbx.sip.errors import PeerError

# Looser than hostname: underscores and all-digit labels exist in real networks.
HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9_\-.]*+)|\[[0-9A-Fa-f:.]++\]"
LONGEST = 255


def host(text: str, header: str) -> str:
    """A host that has matched HOST, in the form in which hosts are compared: lower case."""
    if text[0] == "[":
        return f"[{ipv6(text[1:-1], header)}]"
    if ".." in text or len(text) > LONGEST:
        raise PeerError(header, "the host is a name or an address")
    return text.lower()


def ipv6(text: str, header: str) -> str:
    """An IPv6 address in its canonical spelling (RFC 5952)."""
    if "." in text:
        # The grammar of RFC 3261 wrongly derives a third colon here (RFC 5118 section 4.10).
        text = text.replace(":::", "::")
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise PeerError(header, "the host is a name or an address") from None


def port(text: str | None, header: str) -> int | None:
    """A port of at most five digits, 1 to 65535."""
    if text is None:
        return None
    found = int(text) if len(text) <= 5 and text.isascii() and text.isdigit() else 0
    if not 0 < found < 65536:
        raise PeerError(header, "the port is 1 to 65535")
    return found
