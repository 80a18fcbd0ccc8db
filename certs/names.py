"""The names certificates may carry.

Servers: exact DNS names and IP addresses, no wildcards (RFC 5922 §7.2). Devices: one URI, a SIP
address of record or a UUID (RFC 5922 §7.1). Operators: one URI with the person's identifier. Never
the name of a person.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from cryptography import x509

from certs.errors import NameRefused

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OPERATOR = "hipaa-pbx:operator:"
_SIP_URI = re.compile(r"sips?:[A-Za-z0-9._~+-]{1,64}@(?P<host>[a-z0-9.-]{1,253})")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class ServerNames:
    """What a server certificate is good for."""

    hosts: tuple[str, ...]
    addresses: tuple[Address, ...] = ()

    @classmethod
    def parse(cls, hosts: Iterable[str], addresses: Iterable[str] = ()) -> "ServerNames":
        """Check, fold case, drop repetitions; the order is kept, the first host is the main one."""
        names = tuple(dict.fromkeys(host_name(host) for host in hosts))
        if not names:
            raise NameRefused("names: a server certificate needs at least one host name")
        return cls(names, tuple(dict.fromkeys(ip_address(text) for text in addresses)))

    @classmethod
    def of(cls, certificate: x509.Certificate) -> "ServerNames":
        """The DNS and IP names in a certificate; the common name does not count (RFC 6125)."""
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            return cls(())
        hosts = names.value.get_values_for_type(x509.DNSName)
        addresses = names.value.get_values_for_type(x509.IPAddress)
        return cls(
            tuple(host.lower() for host in hosts),
            tuple(a for a in addresses if isinstance(a, Address)),
        )

    def general_names(self) -> list[x509.GeneralName]:
        hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in self.hosts]
        return hosts + [x509.IPAddress(address) for address in self.addresses]

    def covers(self, wanted: "ServerNames") -> bool:
        """Exact comparison: RFC 5922 knows no wildcards."""
        return set(wanted.hosts) <= set(self.hosts) and set(wanted.addresses) <= set(self.addresses)


def host_name(text: str) -> str:
    """An exact DNS name in lower case; international names come in their ASCII form."""
    name = text.strip().lower().removesuffix(".")
    if "*" in name:
        raise NameRefused("names: wildcards are not allowed in SIP certificates (RFC 5922)")
    labels = name.split(".")
    if not 1 <= len(name) <= 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise NameRefused("names: a host name is letters, digits, hyphens and dots")
    if labels[-1].isdigit():
        raise NameRefused("names: an IP address belongs under addresses")
    return name


def ip_address(text: str) -> Address:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise NameRefused("addresses: each is an IPv4 or IPv6 address") from None
    if address.is_unspecified or address.is_multicast:
        raise NameRefused("addresses: each is one a phone can connect to")
    return address


def device_identity(uri: str) -> str:
    """The URI a device's certificate names it by."""
    if _UUID_URN.fullmatch(uri):
        return uri
    match = _SIP_URI.fullmatch(uri)
    if match is None:
        raise NameRefused("identity: use sip:NAME@DOMAIN or urn:uuid:… in lower case")
    host_name(match["host"])
    return uri


def identity_of(certificate: x509.Certificate) -> str | None:
    """The one device URI in a certificate; none when there is none or more than one."""
    try:
        return device_identity(_uri_of(certificate))
    except NameRefused:
        return None


def operator_identity(person: UUID) -> str:
    """The URI an operator's certificate names its holder by; no device is ever named so."""
    return f"{_OPERATOR}{person}"


def operator_of(certificate: x509.Certificate) -> UUID | None:
    """The person whose certificate this is; none when it is not an operator's."""
    scheme, found, person = _uri_of(certificate).rpartition(_OPERATOR)
    if scheme or not found:
        return None
    try:
        return UUID(person)
    except ValueError:
        return None


def _uri_of(certificate: x509.Certificate) -> str:
    """Empty when there is none, or more than one."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ""
    uris = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return uris[0] if len(uris) == 1 else ""
