"""Each trial of the proof can fail: it finds a rehearsal in which no number changed hands."""

from dataclasses import replace

import msgspec
import pytest

from pbx.admin.rules import Rule, declared
from pbx.directory import Directory
from pbx.isolation import elsewhere, features, following, routes
from pbx.isolation.finding import Finding, Verdict
from pbx.isolation.scene import Scene, rehearsed
from pbx.signalling import CAPABILITIES
from storage.ledger.unit import Unit
from tests.support.clinic import Clinic, application


def stale(scene: Scene) -> Scene:
    """As if the exchange still went by the former holder's tenure."""
    entries = scene.directory.entries
    old = scene.old
    tenancies = tuple(
        msgspec.structs.replace(one, tenure=old.id, person=old.person, mailbox=old.mailbox)
        if one.number == scene.number
        else one
        for one in entries.tenancies
    )
    known = msgspec.structs.replace(entries, tenancies=tenancies)
    return replace(scene, directory=Directory(known, scene.directory.signed_in))


class Nobody(Directory):
    """Emergency calls ring nowhere: not by the phones that are designated."""

    emergency_devices = ()


async def verdicts(clinic: Clinic, *, is_stale: bool) -> dict[str, Verdict]:
    async def work(unit: Unit) -> list[Finding]:
        async with rehearsed(unit, clinic.plane, clinic.telephony.phones) as scene:
            tried = stale(scene) if is_stale else scene
            lamps = clinic.telephony.lamps
            return [
                *features.findings(tried),
                *elsewhere.findings(tried, lamps),
                *following.findings(tried),
            ]

    return {one.path: one.verdict for one in await clinic.plane.committer.run(work)}


async def test_a_number_that_never_changed_hands_is_not_isolated(clinic: Clinic) -> None:
    good = await verdicts(clinic, is_stale=False)
    bad = await verdicts(clinic, is_stale=True)

    assert set(good.values()) == {Verdict.ISOLATED}
    harmless = {f"SIP {tag}" for tag in following.HARMLESS}
    isolated = {path for path, verdict in bad.items() if verdict is not Verdict.BROKEN}
    assert isolated == {
        "files", "feature Slot", "feature Echo", "feature Refused", "feature Emergency",
        "feature EmergencyTest", "monitoring", "SIP join", *harmless,
    }  # fmt: skip


async def test_emergency_calls_that_follow_a_person_are_not_isolated(clinic: Clinic) -> None:
    async def work(unit: Unit) -> list[Finding]:
        async with rehearsed(unit, clinic.plane, clinic.telephony.phones) as scene:
            await clinic.telephony.phones.set_emergency(scene.unit, scene.deed, scene.phone, True)
            designated = tuple(
                msgspec.structs.replace(one, answers_emergency=one.id == scene.phone)
                for one in scene.directory.entries.devices
            )
            known = msgspec.structs.replace(scene.directory.entries, devices=designated)
            return features.findings(replace(scene, directory=Nobody(known)))

    found = {one.path: one.verdict for one in await clinic.plane.committer.run(work)}
    assert found["feature Emergency"] is Verdict.BROKEN
    assert found["feature EmergencyTest"] is Verdict.BROKEN


async def test_a_route_that_needs_no_session_and_knows_messages_cannot_be_told(
    clinic: Clinic,
) -> None:
    found = {path: handler for _, path, handler, _ in declared(application())}
    handlers = [found["/v1/own/messages"], found["/v1/challenge"]]
    opened = [("GET", handler.fn.__name__, handler, Rule(None, None)) for handler in handlers]

    async def work(unit: Unit) -> list[Finding]:
        async with rehearsed(unit, clinic.plane, clinic.telephony.phones) as scene:
            return await routes.findings(scene, clinic.plane.reaches, opened)

    verdicts_ = [one.verdict for one in await clinic.plane.committer.run(work)]
    assert verdicts_ == [Verdict.UNKNOWN, Verdict.ISOLATED]


async def test_an_exchange_that_lets_a_phone_join_is_not_isolated(clinic: Clinic) -> None:
    joins = replace(CAPABILITIES, extensions=(*CAPABILITIES.extensions, "join"))

    async def work(unit: Unit) -> list[Finding]:
        async with rehearsed(unit, clinic.plane, clinic.telephony.phones) as scene:
            return following.findings(scene, joins)

    found = await clinic.plane.committer.run(work)
    assert [one.verdict for one in found if one.path == "SIP join"] == [
        Verdict.UNKNOWN, Verdict.BROKEN,
    ]  # fmt: skip


async def test_a_package_that_tells_of_calls_is_not_isolated(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the lamps served it: what they serve is theirs to say."""
    monkeypatch.setattr(following, "TELL_OF_CALLS", ("dialog", "message-summary"))

    async def work(unit: Unit) -> list[Finding]:
        async with rehearsed(unit, clinic.plane, clinic.telephony.phones) as scene:
            return following.findings(scene)

    [monitoring, *_] = await clinic.plane.committer.run(work)
    assert (monitoring.path, monitoring.verdict) == ("monitoring", Verdict.BROKEN)
    assert "message-summary" in monitoring.evidence
