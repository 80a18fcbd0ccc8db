"""How a phone gets what it logs in with: a SIP identity of its own, and a random secret.

The secret is told once, to whoever asked; what is kept is its HA1, sealed (RFC 7616 §3.4.2).
"""

from dataclasses import dataclass
from uuid import UUID

from pbx.sip.digest import Algorithm, ha1
from storage.deeds import Deed
from storage.ledger.unit import Unit
from storage.phones import Phones, new_secret, new_username

SHA256, MD5 = Algorithm.SHA_256, Algorithm.MD5


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is typed into a phone."""

    device: UUID
    username: str
    secret: str
    algorithm: Algorithm


async def enrol(
    phones: Phones, unit: Unit, deed: Deed, device: UUID, realm: str, algorithm: Algorithm = SHA256
) -> Credentials:
    """A device that was just made known gets an identity and a secret."""
    await phones.enrol(unit, deed, device, new_username())
    return await rekey(phones, unit, deed, device, realm, algorithm)


async def rekey(
    phones: Phones, unit: Unit, deed: Deed, device: UUID, realm: str, algorithm: Algorithm = SHA256
) -> Credentials:
    """A new secret; the old one is worth nothing from now on."""
    username = (await phones.identity(unit.connection, device)).username
    made = credentials(device, username, algorithm)
    secret = ha1(algorithm, username, realm, made.secret)
    await phones.give_secret(unit, deed, device, algorithm.value, secret)
    return made


def credentials(device: UUID, username: str, algorithm: Algorithm = SHA256) -> Credentials:
    return Credentials(device, username, new_secret(), algorithm)
