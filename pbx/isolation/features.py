"""What telephones get: every kind of route that the dial plan knows, tried for both holders.

The list is the dial plan's own type. A kind that carries an identifier or a number and that nobody
described here cannot be told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import get_args
from uuid import UUID

from pbx.dialplan import codes, plan
from pbx.isolation.finding import Finding, judged, unknown
from pbx.isolation.scene import Scene

NOBODY = UUID(int=0)
Trial = Callable[[Scene], tuple[str, str]]
"""What came through, and what was tried."""


def findings(scene: Scene) -> list[Finding]:
    return [_judge(kind, scene) for kind in get_args(plan.Route)]


def _judge(kind: type, scene: Scene) -> Finding:
    path = f"feature {kind.__name__}"
    trial = TRIALS.get(kind.__name__)
    if trial is not None:
        return judged(path, *trial(scene))
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    carries = [name for name, of in fields.items() if "UUID" in of or "str" in of]
    if carries:
        return unknown(path, f"nobody described how to try it; it carries {', '.join(carries)}")
    return judged(path, "", "it names no person, no number and no mailbox")


def _dialled(scene: Scene, code: str = "", caller: UUID = NOBODY) -> plan.Route:
    """The number, behind a code or alone, as the dial plan understands it."""
    return plan.route(caller, code + scene.number, scene.directory, scene.now)


def _rings(scene: Scene) -> tuple[str, str]:
    route = _dialled(scene)
    if not isinstance(route, plan.RingPerson):
        return "what the former holder had set keeps the new one from being rung", ""
    leak = ""
    if (route.person, route.tenure) != (scene.new.person, scene.new.id):
        leak = "a call to the number reaches somebody else than its holder"
    elif scene.shared in route.devices:
        leak = "a phone on which the former holder had signed in rings for the new one"
    return leak, "a call rings the new holder's phones alone"


def _group(scene: Scene) -> tuple[str, str]:
    held = scene.directory.of_extension(scene.new.extension)
    leak = (
        "" if held is not None and held.person == scene.new.person else "the number rings another"
    )
    return leak, "whoever rings for a group by this number is the new holder"


def _leaves(scene: Scene) -> tuple[str, str]:
    route = _dialled(scene, codes.LEAVE_MESSAGE)
    keeper = route.number if isinstance(route, plan.LeaveMessage) else ""
    held = scene.directory.taking_messages(keeper)
    leak = "" if held is not None and held.mailbox == scene.new.mailbox else (
        "a message for the number goes into another mailbox than its holder's"
    )  # fmt: skip
    return leak, "a message goes into the new holder's mailbox"


def _hears(scene: Scene) -> tuple[str, str]:
    at_phone, at_shared = map(scene.directory.holder_of, (scene.phone, scene.shared))
    leak = ""
    if at_phone is None or at_phone.person != scene.new.person:
        leak = "the number's phone asks for the PIN of somebody else than its holder"
    elif at_shared is not None:
        leak = "a shared phone still counts as the former holder's"
    return leak, "the PIN asked for is the new holder's; the former one's sign-in is gone"


def _signs_in(scene: Scene) -> tuple[str, str]:
    held = scene.directory.tenancies.get(scene.number)
    leak = "" if held is not None and held.person == scene.new.person else (
        "the number signs in somebody else than its holder"
    )  # fmt: skip
    return leak, "number and PIN sign in the new holder alone"


def _picks_up(scene: Scene) -> tuple[str, str]:
    route = _dialled(scene, codes.PICK_UP, scene.shared)
    allowed = isinstance(route, plan.PickUp) and route.is_allowed
    leak = "the former holder's phone may pick up the new holder's calls" if allowed else ""
    return leak, "the former holder's phone may not pick up"


def _helps(scene: Scene) -> tuple[str, str]:
    found = set(scene.directory.emergency_devices)
    rings = {one.id for one in scene.directory.entries.devices if one.answers_emergency}
    leak = "" if found == rings else "emergency calls ring by holder, not by phone"
    return leak, "emergency calls ring designated phones, whoever holds them"


TRIALS: dict[str, Trial] = {
    "RingPerson": _rings,
    "RingGroup": _group,
    "LeaveMessage": _leaves,
    "OwnMessages": _hears,
    "SetReach": _hears,
    "SignIn": _signs_in,
    "SignOut": _hears,
    "PickUp": _picks_up,
    "Emergency": _helps,
    "EmergencyTest": _helps,
}
