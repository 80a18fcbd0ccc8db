"""What is shown of telephony: status, alarms, registered phones, metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from pbx.admin.models import Fact
from pbx.metrics import gauge

if TYPE_CHECKING:
    from pbx.telephony import Telephony

_registered = gauge("registrations", "Bindings of phones that are in force.")
_calls = gauge("calls", "Calls that are up.")
_flows = gauge("flows", "TLS connections of phones.")
_waiting = gauge("call_records_waiting", "Call records that are not written yet.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A phone that can be reached now, for an operator's table."""

    device: UUID
    source: str
    user_agent: str
    tls: str
    login: str
    since: int
    seen_at: int
    expires_at: int


def section(of: Telephony) -> dict[str, Fact]:
    """For `pbx status`."""
    directory = of.keeper.current()
    answered = of.media.workers()
    return {
        **of.listening.snapshot(),
        "phones known": len(directory.devices),
        "phones registered": len({binding.device for binding in of.location}),
        "connections": len(of.driver.flows),
        "calls": len(of.calls),
        "emergency calls": sum(row.route == "emergency" for row in of.calls.snapshot()),
        "phones that answer emergency calls": len(directory.emergency_devices),
        "media workers": f"{sum(answered.values())} of {len(answered)}",
        "call records waiting": of.recorder.waiting,
    }


def alarms(of: Telephony) -> list[str]:
    """What needs somebody."""
    found = []
    if any(row.route == "emergency" for row in of.calls.snapshot()):
        found.append("AN EMERGENCY CALL IS IN PROGRESS.")
    directory = of.keeper.current()
    if directory.devices and not directory.emergency_devices:
        found.append(
            "No phone answers emergency calls; name one with `pbx device emergency LABEL`."
        )
    if of.keeper.is_from_copy:
        found.append("The database is away: phones are served from the sealed copy.")
    if of.keeper.is_copy_stale and not of.keeper.is_from_copy:
        found.append("The sealed copy of the directory cannot be written.")
    if not all(of.media.workers().values()):
        found.append("A media worker does not answer: fewer calls can be carried.")
    if of.records_key.current() is None:
        found.append("No records key: call records are kept without numbers and names.")
    if of.recorder.lost:
        found.append("Call records were lost: the database was away for too long.")
    if of.recorder.rows_lost or of.journal.lost:
        found.append("Ledger rows about calls or phones were lost: neither disk took them.")
    if not of.writes:
        found.append("Calls or registrations are not written down any more: restart the PBX.")
    if of.notices.failed:
        found.append("A notice by e-mail is not taken: see [voicemail.notice], and its server.")
    if of.listening.alarm:
        found.append(of.listening.alarm)
    return found


def registrations(of: Telephony) -> list[Registration]:
    """Every binding, the longest standing first."""
    offset = of.ground.clock() - int(asyncio.get_running_loop().time() * 1_000_000)

    def at(moment: float) -> int:
        return offset + int(moment * 1_000_000)

    rows = []
    for binding in sorted(of.location, key=lambda binding: binding.since):
        facts = of.stack.facts(binding.flow)
        rows.append(
            Registration(
                device=UUID(binding.device),
                source=binding.source,
                user_agent=binding.user_agent,
                tls=facts.tls_version if facts is not None else "",
                login=of.registered.authentication_of(binding.flow),
                since=at(binding.since),
                seen_at=at(binding.seen),
                expires_at=at(binding.expires_at),
            )
        )
    return rows


def gauges(of: Telephony) -> None:
    """For the metrics."""
    _registered.set_function(lambda: float(len(of.location)))
    _calls.set_function(lambda: float(len(of.calls)))
    _flows.set_function(lambda: float(len(of.driver.flows)))
    _waiting.set_function(lambda: float(of.recorder.waiting))
