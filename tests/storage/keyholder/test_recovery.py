"""storage/keyholder/recovery.py"""

from uuid import uuid4

import pytest

from storage.keyholder import acts, recovery
from storage.keyholder.acts import Role
from storage.keyholder.asking import Ask
from storage.keyholder.core import No
from storage.keyholder.effects import Scene
from storage.keyholder.proofs import SealedProof
from storage.keyholder.protocol import (
    Done,
    Invalid,
    Origin,
    Protected,
    RecoveryShare,
    Refusal,
    Waiting,
)
from storage.keyholder.records import Recovery, Share
from storage.keyholder.recovery import Recovering, RecoveryError
from storage.sealed.primitives import Suite
from tests.support.keyholder import House, Someone, evidence, text

ONE, TWO = "first long passphrase", "second long passphrase"


async def set_by(house: House, first: Someone, second: Someone, act: acts.SetRecovery) -> object:
    waiting, _ = await house.step_up(first, act, recovery_passphrase=ONE)
    if not isinstance(waiting, Waiting):
        return waiting
    approval = acts.Approve(waiting.proposal, waiting.digest)
    answer, _ = await house.step_up(second, approval, recovery_passphrase=TWO)
    return answer


def current(house: House) -> Recovery:
    found = house.core.settings().recovery
    assert found is not None
    return found


async def test_two_passphrases_open_together_and_not_alone(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)

    assert isinstance(await set_by(house, admin, manager, acts.SetRecovery()), Done)

    held = current(house)
    assert not held.sole
    assert recovery.describe(held, 0) == "two passphrases together"
    pair = recovery.pair_from_passphrases(held, [text(ONE), text(TWO)])
    assert pair.public == held.public
    for wrong in ([text(TWO), text(ONE)], [text(ONE), text(ONE)]):
        with pytest.raises(RecoveryError, match="do not open"):
            recovery.pair_from_passphrases(held, wrong)
    with pytest.raises(RecoveryError, match="takes 2"):
        recovery.pair_from_passphrases(held, [text(ONE)])


async def test_before_there_is_a_second_person_one_passphrase_is_flagged(house: House) -> None:
    admin = await house.administrator()

    weak, _ = await house.step_up(admin, acts.SetRecovery(), recovery_passphrase="short")
    answer, _ = await house.step_up(admin, acts.SetRecovery(), recovery_passphrase=ONE)

    assert isinstance(weak, Invalid)
    assert isinstance(answer, Done)
    assert answer.sole
    assert current(house).sole
    assert recovery.describe(current(house), 0).startswith("one passphrase")
    assert recovery.pair_from_passphrases(current(house), [text(ONE)]).public


async def test_shares_are_collected_by_their_holders_alone(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    holders = (admin.id, manager.id, doctor.id)
    answer = await set_by(house, admin, manager, acts.SetRecovery(2, holders))
    assert isinstance(answer, Done)
    assert recovery.describe(current(house), 3) == "2 of 3 shares, 0 collected"

    words = []
    for someone in (admin, manager, doctor):
        done, asker = await house.step_up(someone, acts.CollectShare())
        assert isinstance(done, Done)
        words.append(asker.open(done.answer, RecoveryShare).mnemonic)
        again, _ = await house.step_up(someone, acts.CollectShare())
        assert again == Refusal()
        await house.log_in(someone)

    assert list(house.core.store.all(Share)) == []
    for two in (words[:2], words[1:], words[::2]):
        assert recovery.pair_from_shares(two).public == current(house).public
    for wrong in (words[:1], [*words[:1], "not a share"]):
        with pytest.raises(RecoveryError, match="shares"):
            recovery.pair_from_shares(wrong)
    again_set = await set_by(house, admin, manager, acts.SetRecovery(2, holders))
    assert isinstance(again_set, Done)
    await set_by(house, admin, manager, acts.SetRecovery(2, holders[:2]))
    assert len(list(house.core.store.all(Share))) == 2


@pytest.mark.parametrize(
    ("threshold", "pattern"), [(1, "am"), (3, "am"), (2, "aa"), (2, "a"), (2, "as")]
)
async def test_a_split_one_person_could_open_is_refused(
    house: House, threshold: int, pattern: str
) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    stranger = Someone(uuid4(), "invited")
    await house.done(admin, acts.AddPerson(stranger.id, "invited"))
    people = {"a": admin.id, "m": manager.id, "s": stranger.id}
    act = acts.SetRecovery(threshold, tuple(people[letter] for letter in pattern))

    assert await set_by(house, admin, manager, act) == Refusal()


def test_without_recovery_status_says_what_that_means() -> None:
    assert "lost for ever" in recovery.describe(None, 0)
    held = Recovery("passphrase", Suite.HYBRID, b"")
    assert recovery.describe(held, 0) == "two passphrases together"


async def test_an_act_that_is_not_about_recovery_sets_none(house: House) -> None:
    admin = await house.administrator()
    scene = Scene(house.core.draft(), 0, admin.id, None, bytearray())
    proof = SealedProof(b"", b"", b"", b"", Suite.HYBRID, Protected())
    ask = Ask(acts.Rotate(), proof, Origin("d", "s"), evidence())

    with pytest.raises(No, match="not this act"):
        await Recovering(house.core).set(ask, ask.act, scene)
