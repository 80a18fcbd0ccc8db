"""Who sent a request: devices, not people, prove themselves (RFC 3261 §22, RFC 7616, RFC 8760).

A flow with a verified client certificate is its device. Others are challenged with exactly one
algorithm, which depends on the listener and never on the name: clients choose badly between two,
and a choice by name would tell which names exist. A name that no device has is checked against a
secret that nobody has, and answered, counted and reported like a wrong password.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

from msgspec import Struct

from pbx.access.lockout import Lockout
from pbx.access.nonces import Nonces
from pbx.sip.credentials import Challenge, Credentials
from pbx.sip.digest import Algorithm, names, verifies
from pbx.sip.errors import PeerError
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from pbx.sip.uri import SipUri, Uri, parse_uri

LISTENERS: Mapping[str, Algorithm] = {"sha256": Algorithm.SHA_256, "md5": Algorithm.MD5}
"""What a listener offers. The third, "certificate", offers nothing."""

MOST_CREDENTIALS = 3
"""Authorization lines looked at; baresip-py sends two."""


NOBODIES = 256


class Reason(StrEnum):
    """Why credentials failed; for the ledger, never for the peer."""

    WRONG_SECRET = "wrong-secret"  # noqa: S105
    UNKNOWN_NAME = "unknown-name"
    NOT_FOR_THIS_LISTENER = "not-for-this-listener"
    """The device has another algorithm, a certificate alone, or no exception in force."""
    LOCKED = "locked"
    UNKNOWN_CERTIFICATE = "unknown-certificate"
    REPLAYED = "replayed"


class Admitted(Struct, frozen=True):
    """A request of a device that proved itself."""

    device: UUID
    how: str
    """certificate, digest SHA-256, digest MD5."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt."""

    reason: Reason
    device: UUID | None
    source: str
    listener: str
    locked: bool = False
    """Whether this one locked the name for that source."""


class Device(Protocol):
    """What is known of a device (`pbx.directory.DeviceEntry`)."""

    @property
    def id(self) -> UUID: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def ha1(self) -> bytes: ...
    @property
    def md5_until(self) -> int: ...


class Devices(Protocol):
    """Where devices are looked up (`pbx.directory.Directory`)."""

    def by_username(self, username: str, /) -> Device | None: ...
    def by_certificate(self, identity: str, /) -> Device | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the gate is made of."""

    realm: str
    devices: Callable[[], Devices]
    """The directory of this moment."""
    nonces: Nonces
    lockout: Lockout
    clock: Callable[[], int]
    """Microseconds, for the end of exceptions."""
    failed: Callable[[Failure], None]
    """Hears of each failure; must not wait."""


class Gate:
    """Admits devices."""

    def __init__(self, doors: Doors) -> None:
        self._d = doors
        # Stand for names that no device has, with secrets that nobody has: the same steps are
        # taken for them, for a microsecond tells. There are many, because one alone would always
        # be in the processor's cache.
        self._nobodies = {
            algorithm: [_Nobody(algorithm) for _ in range(NOBODIES)]
            for algorithm in LISTENERS.values()
        }
        self._proved: dict[FlowId, UUID] = {}

    def admit(
        self, flow: FlowId, facts: FlowFacts, request: Request, now: float
    ) -> Admitted | Response:
        """Who sent this, or the challenge or refusal to send back."""
        if facts.certificate is not None:
            return self._by_certificate(facts, facts.certificate, request)
        algorithm = LISTENERS.get(facts.listener)
        if algorithm is None:
            return response_to(request, 403)
        try:
            offered = [c for c in request.authorizations if self._is_ours(c, algorithm)]
            self._check_uri(offered, request)
        except PeerError as error:
            return response_to(request, error.status)
        attempt = _Attempt(flow, facts, request, algorithm, now)
        return self._by_digest(attempt, offered[:MOST_CREDENTIALS])

    def closed(self, flow: FlowId) -> None:
        """The flow is gone."""
        self._d.nonces.forget(flow)
        self._proved.pop(flow, None)

    def _by_certificate(
        self, facts: FlowFacts, identity: str, request: Request
    ) -> Admitted | Response:
        device = self._d.devices().by_certificate(identity)
        if device is None:
            self._report(Reason.UNKNOWN_CERTIFICATE, None, facts)
            return response_to(request, 403)
        return Admitted(device.id, "certificate")

    def _is_ours(self, credentials: Credentials, algorithm: Algorithm) -> bool:
        return credentials.realm == self._d.realm and names(credentials, algorithm)

    def _check_uri(self, offered: list[Credentials], request: Request) -> None:
        """RFC 7616 §3.4.6; ports and parameters are left out, for phones differ on them."""
        for credentials in offered:
            if credentials.uri == request.uri_text:
                continue
            if _whom(parse_uri(credentials.uri)) != _whom(request.uri):
                raise PeerError("Authorization", "names the Request-URI")

    def _by_digest(self, attempt: _Attempt, offered: list[Credentials]) -> Admitted | Response:
        is_stale = False
        admitted: Device | None = None
        refused: list[_Refused] = []
        for credentials in offered:
            birth = self._d.nonces.recognise(credentials.nonce, attempt.flow, attempt.now)
            if birth is None:
                is_stale = True
                continue
            device = self._verify(attempt, credentials)
            if isinstance(device, _Refused):
                refused.append(device)
            elif admitted is not None:
                continue
            elif self._d.nonces.spend(birth, attempt.flow, credentials.nc or 0):
                admitted = device
            else:
                is_stale = True
                self._report(Reason.REPLAYED, device.id, attempt.facts)
        for one in refused:  # each line is a guess, whatever the others prove
            self._fail(attempt, one)
        if admitted is not None:
            self._proved[attempt.flow] = admitted.id
            return Admitted(admitted.id, f"digest {attempt.algorithm.value}")
        return self._challenge(attempt, is_stale=is_stale and not refused)

    def _verify(self, attempt: _Attempt, credentials: Credentials) -> Device | _Refused:
        nobody = self._nobodies[attempt.algorithm][hash(credentials.username) % NOBODIES]
        device = self._d.devices().by_username(credentials.username) or nobody
        is_usable = self._may_use(device, attempt.algorithm)
        secret = (device if is_usable else nobody).ha1
        is_proven = verifies(attempt.algorithm, secret, attempt.request.method, credentials)
        if self._is_locked(attempt, credentials.username, device):
            reason = Reason.LOCKED
        elif device is nobody:
            reason = Reason.UNKNOWN_NAME
        elif not is_usable:
            reason = Reason.NOT_FOR_THIS_LISTENER
        elif not is_proven:
            reason = Reason.WRONG_SECRET
        else:
            return device
        return _Refused(reason, credentials.username, None if device is nobody else device.id)

    def _may_use(self, device: Device, algorithm: Algorithm) -> bool:
        if not device.ha1 or Algorithm.named(device.algorithm) is not algorithm:
            return False
        return algorithm is not Algorithm.MD5 or self._d.clock() < device.md5_until

    def _is_locked(self, attempt: _Attempt, name: str, device: Device) -> bool:
        if self._proved.get(attempt.flow) == device.id:
            return False
        return self._d.lockout.is_locked(name, attempt.facts.peer[0], attempt.now)

    def _fail(self, attempt: _Attempt, refused: _Refused) -> None:
        if refused.reason is Reason.LOCKED:
            return  # neither prolongs the lock nor fills the ledger
        source = attempt.facts.peer[0]
        locked = self._d.lockout.failed(refused.name, refused.device, source, attempt.now)
        self._report(refused.reason, refused.device, attempt.facts, locked=locked)

    def _report(
        self, reason: Reason, device: UUID | None, facts: FlowFacts, *, locked: bool = False
    ) -> None:
        self._d.failed(Failure(reason, device, facts.peer[0], facts.listener, locked))

    def _challenge(self, attempt: _Attempt, *, is_stale: bool) -> Response:
        response = response_to(attempt.request, 401)
        challenge = Challenge(
            realm=self._d.realm,
            nonce=self._d.nonces.mint(attempt.flow, attempt.now),
            algorithm=attempt.algorithm.value,
            is_stale=is_stale,
        )
        response.headers.add("WWW-Authenticate", str(challenge))
        return response


class _Attempt(Struct, frozen=True):
    flow: FlowId
    facts: FlowFacts
    request: Request
    algorithm: Algorithm
    now: float


class _Nobody:
    """The device of names that no device has."""

    def __init__(self, algorithm: Algorithm) -> None:
        self.id = uuid4()
        self.algorithm = algorithm.value
        self.ha1 = secrets.token_bytes(32)
        self.md5_until = 2**62


@dataclass(frozen=True, slots=True)
class _Refused:
    reason: Reason
    name: str
    device: UUID | None


def _whom(uri: Uri) -> object:
    return (uri.user, uri.host) if isinstance(uri, SipUri) else str(uri)
