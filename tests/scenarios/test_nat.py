"""A NAT router that forgets: the phones' sound comes from other ports in the middle of a call."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import tone
from tests.support.netns import EXCHANGE, PHONES, NatNetwork
from tests.support.phonebook import Line
from tests.support.pjsua import PjsuaPhone
from tests.support.product import DOMAIN, Product
from tests.support.two_way import in_front

pytestmark = pytest.mark.slow

LINES = (Line(number="1001", username="alice"), Line(number="1002", username="bob"))
ALICE_HZ, BOB_HZ = 440.0, 1000.0
WINDOW = 0.02
BACK_WITHIN = 1.0


def outside_ports(network: NatNetwork) -> set[int]:
    """The source ports that the exchange sees sound from."""
    flows = network.inside("router", "conntrack", "-L", "-p", "udp")
    answers = re.findall(rf"src={EXCHANGE} dst=198\.51\.100\.1 sport=\d+ dport=(\d+)", flows)
    return {int(port) for port in answers} - {9}  # where the capture knocks


def longest_gap(path: str, hertz: float, start: int) -> float:
    """Seconds without the tone, at most, after this sample of a recording."""
    samples, rate = tone.read_wav(path)
    size, gap, longest = int(rate * WINDOW), 0, 0
    for at in range(start, len(samples) - size + 1, size):
        gap = 0 if tone.power(samples[at : at + size], rate, hertz) > 0.5 else gap + 1
        longest = max(longest, gap)
    return longest * WINDOW


async def test_sound_is_back_within_a_second_after_the_router_changed_the_ports(
    open_path: Path, network: NatNetwork
) -> None:
    product = Product(open_path, address=EXCHANGE, prefix=network.prefix("exchange"))
    phones = network.prefix("phones")
    async with product:
        await product.provision(*LINES)
        await product.start()
        options = [
            product.phone_options("alice", bind=PHONES, tone_hz=ALICE_HZ),
            product.phone_options("bob", bind=PHONES, tone_hz=BOB_HZ, answer_with=200),
        ]
        async with (
            PjsuaPhone(prefix=phones, **options[0]) as alice,
            PjsuaPhone(prefix=phones, **options[1]) as bob,
        ):
            await alice.registered()
            await bob.registered()
            call = await alice.call(f"sip:1002@{DOMAIN}")
            await alice.confirmed(call)
            heard = [
                ((await alice.wait("recording"))["path"], BOB_HZ),
                ((await bob.wait("recording"))["path"], ALICE_HZ),
            ]
            for path, hertz in heard:
                await tone.until_heard(path, hertz, seconds=1.0)
            before = outside_ports(network)
            assert before
            assert all(20_000 <= port < 30_000 for port in before)

            in_front(product.processes["worker"].pid)
            for phone in (alice, bob):
                in_front(phone.pid)
            starts = [len(tone.read_wav(path)[0]) for path, _ in heard]
            network.map_ports("40000-49999")
            for (path, hertz), start in zip(heard, starts, strict=True):
                already = tone.seconds_of(tone.read_wav(path)[0], 16_000, hertz)
                await tone.until_heard(path, hertz, seconds=already + 3.0)
                assert longest_gap(path, hertz, start) < BACK_WITHIN
            assert any(port >= 40_000 for port in outside_ports(network))

            alice.do("hangup", call=call)
            await bob.disconnected(0)
    assert "Traceback" not in product.log
