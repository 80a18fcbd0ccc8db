"""Phones that look for their path by ICE (RFC 8445); we are lite and answer.

PJSIP makes no candidates of the loopback address: these calls go by another address.
"""

from pathlib import Path

import pytest

from storage.database import Database
from tests.support import tone
from tests.support.baresip import BaresipPhone
from tests.support.capture import Clear
from tests.support.exchange import DOMAIN, SECRET, TestExchange
from tests.support.netns import run
from tests.support.pjsua import PjsuaPhone

pytestmark = pytest.mark.slow

PJSIP_HZ, CAROL_HZ = 440.0, 700.0


HERE = "198.51.100.7"  # RFC 5737


@pytest.fixture
def here(nothing_in_clear: Clear) -> str:
    """An address, beside the loopback's, of the network that this test has to itself."""
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
    run("ip", "addr", "add", f"{HERE}/24", "dev", "here")
    for end in ("here", "there"):
        run("ip", "link", "set", end, "up")
    return HERE


@pytest.mark.parametrize("keying", ["srtp-mand", "dtls_srtp"])
async def test_baresip_and_pjsip_with_ice_call_each_other(
    open_path: Path, database: Database, keying: str, here: str
) -> None:
    async with TestExchange(open_path / "x", database, addresses=(here,)) as exchange:
        await exchange.enrol("1001", "alice")
        await exchange.enrol("1003", "carol", md5=True)
        where = {"host": here, "bind": here, "verify": False}
        options = exchange.phone_options(
            "alice", tone_hz=PJSIP_HZ, answer_with=200, ice=True, **where
        )
        carol = BaresipPhone(
            exchange.folder / "carol", user="carol", username="carol", password=SECRET,
            domain=DOMAIN, port=exchange.md5_port, tone_hz=int(CAROL_HZ), host=here, bind=here,
            mediaenc=keying, medianat="ice",
        )  # fmt: skip
        async with PjsuaPhone(**options) as alice, carol:
            await alice.registered()
            await carol.wait("REGISTER_OK")

            carol.do("dial", f"sip:1001@{DOMAIN}")
            await carol.wait("CALL_ESTABLISHED")
            await both_hear(alice, carol)
            carol.do("hangup")
            await alice.disconnected(0)
            for old in carol.folder.glob("dump-*"):
                old.unlink()

            # baresip 1.0 with SDES answers before it has read our keys when it has ICE to wait for.
            to_carol = keying == "dtls_srtp"
            call = await alice.call(f"sip:{'1003' if to_carol else '*43'}@{DOMAIN}")
            await alice.confirmed(call)
            if to_carol:
                await both_hear(alice, carol)
            else:
                recording = (await alice.wait("recording"))["path"]
                await tone.until_heard(recording, PJSIP_HZ, seconds=2.0)
            alice.do("hangup", call=call)
            await alice.disconnected(call)

        assert [record.outcome for record in await exchange.over()] == ["answered", "answered"]


async def both_hear(alice: PjsuaPhone, carol: BaresipPhone) -> None:
    recording: str = (await alice.wait("recording"))["path"]
    await tone.until_heard(recording, CAROL_HZ, seconds=2.0)
    await tone.until_heard(lambda: carol.heard, PJSIP_HZ, seconds=2.0, rate=8000)
