"""A security key attached to this terminal: CTAP2 over USB HID, spoken by the fido2 library.

It is asked only where somebody sits in front of it: standard input is a terminal, or
PBX_SECOND_FACTOR says `key`; `app` leaves the key alone. Its credential is discoverable, so the
exchange need not tell a stranger which keys somebody has.
"""

import getpass
import os
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pbx.cli.output import CommandError, Exit, warn
from storage.keyholder.presence import ORIGIN, Assertion, Registration, user_handle

if TYPE_CHECKING:
    from fido2.client import Fido2Client
    from fido2.ctap import CtapDevice

PATIENCE: Final = 30_000
"""Milliseconds to touch it."""


def _over_usb() -> "Iterable[CtapDevice]":
    from fido2.hid import CtapHidDevice

    return CtapHidDevice.list_devices()


attached: "ContextVar[Callable[[], Iterable[CtapDevice]]]" = ContextVar(
    "attached", default=_over_usb
)
"""Where security keys are looked for."""


def is_wanted() -> bool:
    said = os.environ.get("PBX_SECOND_FACTOR", "")
    return said != "app" and (said == "key" or sys.stdin.isatty())


@dataclass(frozen=True, slots=True)
class SecurityKey:
    """One that is attached, and the key holder it is asked about."""

    device: "CtapDevice"
    party: str

    def sign(self, challenge: bytes, login: str) -> bytearray | None:
        """The assertion of a touch, or None if nobody touched it."""
        from fido2.client import ClientError
        from fido2.webauthn import PublicKeyCredentialRequestOptions, UserVerificationRequirement

        options = PublicKeyCredentialRequestOptions(
            challenge=challenge,
            timeout=PATIENCE,
            rp_id=self.party,
            user_verification=UserVerificationRequirement.DISCOURAGED,
        )
        try:
            found = _client(self.device, self.party).get_assertion(options)
        except ClientError:
            warn("The security key did not answer.")
            return None
        handle = user_handle(login)
        users = [one.user["id"] if one.user else b"" for one in found.get_assertions()]
        chosen = found.get_response(users.index(handle) if handle in users else 0)
        assertion = Assertion(
            credential=bytes(chosen.raw_id),
            authenticator_data=bytes(chosen.response.authenticator_data),
            client_data=bytes(chosen.response.client_data),
            signature=bytes(chosen.response.signature),
        )
        return bytearray(msgspec.msgpack.encode(assertion))


def known(party: str) -> SecurityKey | None:
    """The first attached key that has a credential for this key holder; asked without a touch."""
    from fido2.ctap import CtapError
    from fido2.ctap2.base import Ctap2

    for device in attached.get()():
        try:
            Ctap2(device).get_assertion(party, bytes(32), options={"up": False})
        except CtapError as error:
            if error.code != CtapError.ERR.PUAT_REQUIRED:
                continue  # most often: no credential of ours
        except (OSError, ValueError):
            continue  # an older kind of key, or gone in this moment
        return SecurityKey(device, party)
    return None


def register(party: str, challenge: bytes, login: str, name: str) -> bytearray:
    """Makes a credential on the only attached key."""
    from fido2.client import ClientError

    devices = list(attached.get()())
    if not devices:
        raise CommandError("No security key is attached to this machine.", Exit.UNAVAILABLE)
    if len(devices) > 1:
        raise CommandError("Attach one security key alone.", Exit.USAGE)
    try:
        made = _client(devices[0], party).make_credential(_creation(party, challenge, login, name))
    except (ClientError, ValueError):
        raise CommandError(
            "The security key made no credential: it was not touched, or it cannot keep one.",
            Exit.REFUSED,
        ) from None
    registration = Registration(
        attestation=bytes(made.response.attestation_object),
        client_data=bytes(made.response.client_data),
    )
    return bytearray(msgspec.msgpack.encode(registration))


def _creation(party: str, challenge: bytes, login: str, name: str) -> Any:
    from fido2.cose import ES256, EdDSA
    from fido2.webauthn import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialCreationOptions,
        PublicKeyCredentialParameters,
        PublicKeyCredentialRpEntity,
        PublicKeyCredentialType,
        PublicKeyCredentialUserEntity,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    kind = PublicKeyCredentialType.PUBLIC_KEY
    return PublicKeyCredentialCreationOptions(
        rp=PublicKeyCredentialRpEntity(id=party, name="hipaa-pbx"),
        user=PublicKeyCredentialUserEntity(id=user_handle(login), name=login, display_name=name),
        challenge=challenge,
        pub_key_cred_params=[
            PublicKeyCredentialParameters(type=kind, alg=algorithm.ALGORITHM)
            for algorithm in (ES256, EdDSA)
        ],
        timeout=PATIENCE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.DISCOURAGED,
        ),
    )


def _client(device: "CtapDevice", party: str) -> "Fido2Client":
    from fido2.client import ClientDataCollector, Fido2Client, UserInteraction
    from fido2.webauthn import CollectedClientData, PublicKeyCredentialCreationOptions

    class Collector(ClientDataCollector):
        def collect_client_data(self, options: Any) -> tuple[CollectedClientData, str]:
            is_new = isinstance(options, PublicKeyCredentialCreationOptions)
            type_ = CollectedClientData.TYPE.CREATE if is_new else CollectedClientData.TYPE.GET
            return CollectedClientData.create(type_, options.challenge, ORIGIN), party

    class Person(UserInteraction):
        def prompt_up(self) -> None:
            warn("Touch the security key.")

        def request_pin(self, permissions: Any, rp_id: str | None) -> str | None:
            return getpass.getpass("PIN of the security key: ") if sys.stdin.isatty() else None

    return Fido2Client(device, Collector(), Person(), extensions=())
