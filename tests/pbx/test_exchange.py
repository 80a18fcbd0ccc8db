"""What a reload takes over, and what it says waits for a restart."""

import msgspec

from pbx.config import Config
from pbx.exchange import waiting_for_restart


def test_a_changed_port_waits_for_a_restart_and_a_call_limit_does_not() -> None:
    old = Config()
    sip = msgspec.structs.replace(old.sip, port=5071)
    calls = msgspec.structs.replace(old.calls, ring_seconds=20)

    assert waiting_for_restart(old, msgspec.structs.replace(old, sip=sip, calls=calls)) == ["sip"]
    assert waiting_for_restart(old, old) == []
