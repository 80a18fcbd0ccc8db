"""Bringing a key holder back: who can, and what it takes.

Backups are sealed to a recovery key. Its secret is under two people's passphrases together, or
split into n-of-m shares that each holder collects alone, so that no one person with every
command can open a backup. Before a second person exists one passphrase is allowed and flagged.
"""

import msgspec
import shamir_mnemonic

from storage.keyholder import acts, decisions, factors
from storage.keyholder.asking import Ask
from storage.keyholder.core import Core, No
from storage.keyholder.effects import Scene
from storage.keyholder.protocol import RecoveryShare
from storage.keyholder.records import Recovery, Share
from storage.sealed import primitives
from storage.sealed.primitives import Argon2, OpenError, Pair

LABEL = "recovery key"
_SALT = 16


class RecoveryError(Exception):
    """The passphrases or shares do not open the backup."""


class Recovering:
    """The acts SetRecovery and CollectShare."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def contribution(self, ask: Ask) -> bytearray:
        """The first person's passphrase, stretched: nobody keeps the passphrase itself."""
        act = ask.act
        if not isinstance(act, acts.SetRecovery) or act.holders:
            return bytearray()
        return await self._stretched(ask.secrets.recovery_passphrase)

    async def _stretched(self, passphrase: bytearray) -> bytearray:
        factors.check_new_password(passphrase, "hipaa-pbx")
        stretched = await self._core.stretcher.stretch(passphrase)
        return bytearray(stretched.salt + stretched.hash)

    async def set(self, ask: Ask, act: acts.AnyAct, scene: Scene) -> None:
        if not isinstance(act, acts.SetRecovery):
            raise No("not this act")
        secret = bytearray(primitives.random(primitives.KEY))
        for share in list(scene.draft.all(Share)):
            scene.draft.delete(Share, share.id)
        if act.holders:
            recovery = self._split(act, scene, secret)
        else:
            recovery = await self._under_passphrases(ask, scene, secret)
        primitives.wipe(secret)
        settings = scene.settings()
        scene.draft.put(msgspec.structs.replace(settings, recovery=recovery))

    async def _under_passphrases(self, ask: Ask, scene: Scene, secret: bytearray) -> Recovery:
        parts = [scene.first]
        if not scene.sole:
            parts.append(await self._stretched(ask.secrets.recovery_passphrase))
        salts = tuple(bytes(part[:_SALT]) for part in parts)
        key = _joined([bytes(part[_SALT:]) for part in parts])
        cost = self._core.stretcher.cost
        return Recovery(
            kind="passphrase",
            suite=primitives.Suite.HYBRID,
            public=primitives.pair_from_secret(secret, LABEL).public,
            salts=salts,
            sealed_secret=primitives.seal(key, secret, b"recovery secret v1"),
            passphrase_cost=(cost.passes, cost.kibibytes, cost.lanes),
            sole=scene.sole,
        )

    def _split(self, act: acts.SetRecovery, scene: Scene, secret: bytearray) -> Recovery:
        total = len(act.holders)
        if not 2 <= act.threshold <= total <= 16 or len(set(act.holders)) != total:
            raise No("holders: 2 to 16 different people, a threshold of at least two")
        if not all(decisions.is_current(scene.person(one), scene.now) for one in act.holders):
            raise No("holders: only people who are active")
        # The default passphrase of SLIP-39 is empty; the shares alone are the secret.
        groups = shamir_mnemonic.generate_mnemonics(1, [(act.threshold, total)], bytes(secret))
        for holder, mnemonic in zip(act.holders, groups[0], strict=True):
            scene.draft.put(Share(holder, bytearray(mnemonic.encode()), act.threshold, total))
        return Recovery(
            kind="shares",
            suite=primitives.Suite.HYBRID,
            public=primitives.pair_from_secret(secret, LABEL).public,
            threshold=act.threshold,
            total=total,
        )

    async def collect(self, ask: Ask, act: acts.AnyAct, scene: Scene) -> RecoveryShare:
        """Once, by the holder; afterwards it exists on the holder's paper alone."""
        share = scene.draft.get(Share, scene.requester)
        if share is None:
            raise No("no share for this person")
        scene.draft.delete(Share, share.id)
        return RecoveryShare(share.mnemonic.decode(), share.threshold, share.total)


def describe(recovery: Recovery | None, waiting: int) -> str:
    """For `pbx keys status`."""
    if recovery is None:
        return "not set: a lost key store is lost for ever"
    if recovery.kind == "shares":
        collected = recovery.total - waiting
        return f"{recovery.threshold} of {recovery.total} shares, {collected} collected"
    if recovery.sole:
        return "one passphrase of one person: set it again once there are two"
    return "two passphrases together"


def pair_from_passphrases(recovery: Recovery, passphrases: list[bytearray]) -> Pair:
    if len(passphrases) != len(recovery.salts):
        raise RecoveryError(f"recovery: takes {len(recovery.salts)} passphrases, in their order")
    cost = Argon2(*recovery.passphrase_cost)
    pairs = zip(passphrases, recovery.salts, strict=True)
    key = _joined([primitives.stretch(one, salt, cost) for one, salt in pairs])
    try:
        secret = primitives.open_sealed(key, recovery.sealed_secret, b"recovery secret v1")
    except OpenError:
        raise RecoveryError("recovery: the passphrases do not open this backup") from None
    return primitives.pair_from_secret(secret, LABEL)


def pair_from_shares(mnemonics: list[str]) -> Pair:
    try:
        secret = shamir_mnemonic.combine_mnemonics(mnemonics)
    except shamir_mnemonic.MnemonicError:
        raise RecoveryError("recovery: the shares do not fit together, or are too few") from None
    return primitives.pair_from_secret(secret, LABEL)


def _joined(hashes: list[bytes]) -> bytes:
    return primitives.hkdf(b"".join(hashes), "recovery passphrases")
