"""What a reload takes over, and what it says waits for a restart."""

import msgspec
from structlog.testing import capture_logs

from pbx.config import Config, load
from pbx.exchange import Exchange, waiting_for_restart
from pbx.paths import Layout
from storage.keyfiles import GREETINGS
from tests.support.installation import installation

__all__ = ["installation"]


def test_a_changed_port_waits_for_a_restart_and_a_call_limit_does_not() -> None:
    old = Config()
    sip = msgspec.structs.replace(old.sip, port=5071)
    calls = msgspec.structs.replace(old.calls, ring_seconds=20)

    assert waiting_for_restart(old, msgspec.structs.replace(old, sip=sip, calls=calls)) == ["sip"]
    assert waiting_for_restart(old, old) == []


async def test_an_older_directory_is_served_and_a_reload_takes_voicemail_over(
    installation: Layout,
) -> None:
    key = installation.credentials / GREETINGS
    key.unlink()
    exchange = Exchange(installation, load(installation.config_file), "single")
    with capture_logs() as logs:
        await exchange.start()
    try:
        assert key.stat().st_mode & 0o777 == 0o600
        assert any(
            line["event"].startswith("greetings.key was missing") and line["count"] == 0
            for line in logs
        )
        assert exchange.telephony.voicemail.config.limit_seconds == 180

        with installation.config_file.open("a") as file:
            file.write('\n[voicemail]\nlimit_seconds = 60\n[voicemail.notice]\nsender = "a@b"\n')
        await exchange.reload()

        assert exchange.telephony.voicemail.config.limit_seconds == 60
        assert exchange.telephony.notices.config.sender == "a@b"
    finally:
        await exchange.stop()
