"""storage/keyholder/vouchers.py"""

from uuid import uuid4

import pytest

from storage.keyholder import vouchers
from storage.keyholder.vouchers import Vouched

MINE, OTHERS = b"m" * 32, b"o" * 32
TICKET, CONTENT, MESSAGE = b"t" * 32, b"c" * 16, uuid4()
PUBLIC, ATTACKERS = b"my key", b"the attacker's key"


def good(vouched: Vouched, *, binding: bytes = MINE, **changes: object) -> bool:
    facts = {"ticket": TICKET, "content": CONTENT, "message": MESSAGE} | changes
    return vouchers.is_good(binding, vouched, **facts)  # type: ignore[arg-type]


def test_a_leg_vouches_for_one_ticket_and_content() -> None:
    vouched = vouchers.of_leg(MINE, TICKET, CONTENT)

    assert good(vouched)
    assert not good(vouched, ticket=b"u" * 32)
    assert not good(vouched, content=b"d" * 16)
    assert not good(vouchers.of_leg(OTHERS, TICKET, CONTENT))


def test_a_command_vouches_for_one_message_and_one_key() -> None:
    voucher = vouchers.of_command(MINE, MESSAGE, "P384", PUBLIC)

    assert good(Vouched(voucher, vouchers.asker_id("P384", PUBLIC)))
    assert not good(Vouched(voucher, vouchers.asker_id("P384", ATTACKERS)))
    assert not good(Vouched(voucher, vouchers.asker_id("P38", b"4" + PUBLIC)))
    assert not good(Vouched(voucher, vouchers.asker_id("P384", PUBLIC)), message=uuid4())
    assert not good(Vouched(voucher)), "not for a leg"


def test_what_a_leg_said_is_nothing_for_a_key() -> None:
    vouched = vouchers.of_leg(MINE, TICKET, CONTENT)

    assert not good(Vouched(vouched.voucher, vouchers.asker_id("P384", ATTACKERS)))


@pytest.mark.parametrize("binding", [b"", MINE[:31], MINE + b"m"])
def test_a_session_without_a_binding_opens_nothing(binding: bytes) -> None:
    assert not good(vouchers.of_leg(binding, TICKET, CONTENT), binding=binding)
