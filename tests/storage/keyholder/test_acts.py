"""storage/keyholder/acts.py"""

from uuid import UUID

import msgspec

from storage.keyholder import acts


def test_every_field_of_an_act_is_part_of_its_digest() -> None:
    act = acts.GrantRole(UUID(int=1), UUID(int=2), acts.Role.BILLING, 5)

    assert acts.digest(act) == acts.digest(msgspec.structs.replace(act))
    for change in ({"person": UUID(int=3)}, {"role": acts.Role.PHYSICIAN}, {"until": 9}):
        assert acts.digest(msgspec.structs.replace(act, **change)) != acts.digest(act)


def test_two_acts_with_the_same_fields_have_different_digests() -> None:
    one = UUID(int=1)

    assert acts.digest(acts.Suspend(one)) != acts.digest(acts.Leave(one))
    assert acts.name(acts.Suspend(one)) == "suspend"


def test_an_act_survives_the_wire_with_its_digest() -> None:
    act = acts.OpenTenure(UUID(int=1), UUID(int=2), None)

    arrived = msgspec.msgpack.decode(msgspec.msgpack.encode(act), type=acts.AnyAct)

    assert acts.digest(arrived) == acts.digest(act)
    assert msgspec.msgpack.decode(acts.canonical(act), type=acts.AnyAct) == act
