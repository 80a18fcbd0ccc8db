"""Nothing in clear: plain SIP is not served anywhere, old TLS and weak suites are refused."""

from __future__ import annotations

import contextlib
import socket
import ssl
import warnings
from collections.abc import Iterator
from functools import partial

from certs.contexts import client_context
from certs.diagnose import Cause, cause_of
from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.doctor.probe import unverified
from pbx.doctor.target import Target

OPTIONS = (
    "OPTIONS sip:{domain} SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {host}:{port};branch=z9hG4bKdoctor;rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:doctor@{domain}>;tag=d\r\nTo: <sip:{domain}>\r\n"
    "Call-ID: doctor\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
WEAK_SUITES = "AES128-SHA:AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:ECDHE+SHA:RSA:aNULL"
"""No forward secrecy, no AEAD, or nobody authenticated."""

OLD = {ssl.TLSVersion.TLSv1: "TLS 1.0", ssl.TLSVersion.TLSv1_1: "TLS 1.1"}
_NOT_OURS = {"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "UNSUPPORTED_PROTOCOL"}
"""This machine's OpenSSL did not even try."""


def findings(target: Target) -> Iterator[Finding]:
    yield judged("UDP 5060 is closed", partial(udp_is_silent, target, target.plain_port))
    yield judged("UDP 5061 is closed", partial(udp_is_silent, target, target.port))
    yield judged("TCP 5060 is closed", partial(tcp_is_closed, target))
    for name, port in _ports(target):
        label = f"plain SIP on the {name} port is refused"
        yield judged(label, partial(plain_is_refused, target, port))
    for version, name in OLD.items():
        yield judged(f"{name} is refused", partial(version_is_refused, target, version))
    yield judged("suites without forward secrecy or AEAD are refused", partial(weak, target))
    yield judged("the server proves its name to phones", partial(name_is_proved, target))
    yield judged("a wrong name on the certificate is noticed", partial(wrong_name, target))
    yield judged("the certificate port lets nobody in without one", partial(uncertified, target))


def udp_is_silent(target: Target, port: int) -> str:
    for host in target.hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as knock:
            knock.settimeout(target.patience)
            knock.connect((host, port))
            try:
                knock.send(_options(target, "UDP", knock))
                knock.recv(1)
            except ConnectionRefusedError:
                continue
            except TimeoutError:
                continue
            raise Broken(f"{host} answered OPTIONS over UDP")
    return f"OPTIONS over UDP drew no answer at {_listed(target)}"


def tcp_is_closed(target: Target) -> str:
    for host in target.hosts:
        try:
            socket.create_connection((host, target.plain_port), target.patience).close()
        except (ConnectionRefusedError, TimeoutError):
            continue
        raise Broken(f"{host} accepts connections on the port of plain SIP")
    return f"connections are refused at {_listed(target)}"


def plain_is_refused(target: Target, port: int) -> str:
    try:
        knock = socket.create_connection((target.host, port), target.patience)
    except ConnectionRefusedError:
        if port == target.port:
            raise CannotTell("nobody answers there") from None
        return "the port is closed"
    with knock:
        said = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            knock.sendall(_options(target, "TCP", knock))
            while len(said) < 12 and (data := knock.recv(512)):
                said += data
    if said.startswith(b"SIP/"):
        raise Broken("OPTIONS in clear was answered in clear")
    return "OPTIONS in clear drew no SIP"


def version_is_refused(target: Target, version: ssl.TLSVersion) -> str:
    context = unverified()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = version
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return _refused(target, context)


def weak(target: Target) -> str:
    context = unverified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{WEAK_SUITES}:@SECLEVEL=0")
    return _refused(target, context)


def name_is_proved(target: Target) -> str:
    try:
        with _connected(target, target.port, client_context(target.root), target.domain) as tls:
            return f"{tls.version()} with our authority's certificate for {target.domain}"
    except ssl.SSLError as error:
        raise Broken(str(cause_of(error))) from None


def wrong_name(target: Target) -> str:
    context = client_context(target.root)
    try:
        with _connected(target, target.port, context, "wrong.invalid"):
            raise Broken("the certificate passed for a name that nobody has")
    except ssl.SSLError as error:
        if cause_of(error) is Cause.WRONG_NAME:
            return "a phone that dials another name breaks off"
        raise CannotTell(str(cause_of(error))) from None


def uncertified(target: Target) -> str:
    """In TLS 1.3 the refusal comes after the client's handshake: read for it."""
    try:
        with _connected(target, target.certificate_port, unverified(), target.domain) as tls:
            tls.sendall(_options(target, "TLS", tls))
            if tls.recv(1):
                raise Broken("a connection without a certificate was answered")
    except ConnectionRefusedError:
        raise CannotTell("the port is closed") from None
    except TimeoutError:
        raise Broken("a connection without a certificate was not refused") from None
    except (ssl.SSLError, ConnectionError):
        pass
    return "the handshake fails"


def _refused(target: Target, context: ssl.SSLContext) -> str:
    try:
        with _connected(target, target.port, context, target.domain) as tls:
            suite = tls.cipher()
            raise Broken(f"the server agreed to {tls.version()} {suite[0] if suite else ''}")
    except ssl.SSLError as error:
        if error.reason in _NOT_OURS:
            raise CannotTell("this machine's OpenSSL cannot offer it") from None
        return f"the handshake fails: {cause_of(error)}"
    except ConnectionResetError:
        return "the server breaks off the handshake"


def _connected(
    target: Target, port: int, context: ssl.SSLContext, name: str
) -> contextlib.closing[ssl.SSLSocket]:
    raw = socket.create_connection((target.host, port), target.patience)
    try:
        return contextlib.closing(context.wrap_socket(raw, server_hostname=name))
    except BaseException:
        raw.close()
        raise


def _options(target: Target, transport: str, knock: socket.socket) -> bytes:
    host, port = knock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return OPTIONS.format(domain=target.domain, transport=transport, host=shown, port=port).encode()


def _listed(target: Target) -> str:
    return ", ".join(target.hosts)


def _ports(target: Target) -> list[tuple[str, int]]:
    return [
        ("SHA-256", target.port),
        ("MD5", target.md5_port),
        ("certificate", target.certificate_port),
    ]
