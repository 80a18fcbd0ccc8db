"""What the administration interface gives: every route that the running application declares.

For a former holder with any role that may meet messages, and with none. A privilege that such a
person has, and that nobody described here, cannot be told.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable

from litestar.handlers import HTTPRouteHandler

from pbx.access.roles import Privilege, is_allowed
from pbx.admin.rules import Rule
from pbx.isolation.finding import Finding, judged, unknown
from pbx.isolation.scene import Scene
from pbx.isolation.tables import bound_to_a_tenure
from pbx.voicemail.reading import readable_by
from storage import messages
from storage.keyholder import acts, decisions
from storage.keyholder.views import mailbox_view
from storage.models.people import session
from storage.reach import Reaches

Route = tuple[str, str, HTTPRouteHandler, Rule]
"""As `pbx.admin.rules.declared` finds them."""
Trial = Callable[[Scene, Reaches], Awaitable[tuple[str, str]]]
P = Privilege


async def findings(scene: Scene, reaches: Reaches, routes: Iterable[Route]) -> list[Finding]:
    tried = {privilege: await trial(scene, reaches) for privilege, trial in TRIALS.items()}
    stores = _bound_stores()
    return [_judge(route, tried, stores) for route in routes]


def _judge(route: Route, tried: dict[Privilege, tuple[str, str]], stores: set[str]) -> Finding:
    method, path, handler, rule = route
    named = f"API {method} {path}"
    if rule.privilege is None:
        return _without_session(named, handler, stores)
    holders = [role for role in (None, *sorted(decisions.CONTENT_ROLES))
               if is_allowed([role] if role else [], rule.privilege)]  # fmt: skip
    if not holders:
        return judged(named, "", f"the guard refuses it: it needs {rule.privilege}")
    if rule.privilege not in tried:
        return unknown(named, f"nobody described how to try {rule.privilege}")
    return judged(named, *tried[rule.privilege])


def _without_session(named: str, handler: HTTPRouteHandler, stores: set[str]) -> Finding:
    """Open to anybody: its code may not even know the stores in which a mailbox's rows are."""
    known = vars(sys.modules[handler.fn.__module__]).values()
    made_in = {str(getattr(one, "__module__", getattr(one, "__name__", ""))) for one in known}
    made_in |= {str(getattr(one, "__name__", "")) for one in known}
    if met := sorted(made_in & stores):
        return unknown(named, f"it needs no session, and its code knows {met[0]}")
    return judged(named, "", "its code knows no store of what hangs on a mailbox or a tenure")


def _bound_stores() -> set[str]:
    """The modules that work with a table that hangs on a tenure or a mailbox."""
    bound = {id(table) for table, _ in bound_to_a_tenure()}
    return {
        name
        for name, module in tuple(sys.modules.items())
        if name.startswith("storage.") and any(id(one) in bound for one in vars(module).values())
    }


async def _messages(scene: Scene, _: Reaches) -> tuple[str, str]:
    boxes = [mailbox_view(box) for box in scene.boxes()]
    former = readable_by(scene.old.person, boxes, scene.now)
    present = readable_by(scene.new.person, boxes, scene.now)
    found = await messages.of_mailboxes(scene.connection, present)
    leak = ""
    if former:
        leak = f"the former holder is listed {len(former)} mailboxes"
    elif present != [scene.new.mailbox] or found:
        leak = f"the new holder is listed {len(found)} messages that were left before"
    return leak or _opens(scene), "listed: nothing to the former, an empty box to the new holder"


def _opens(scene: Scene) -> str:
    """The key holder's own decision, for every role that may hear messages."""
    old, new = scene.boxes()
    for role in decisions.CONTENT_ROLES:
        former, present = scene.person(scene.old, role), scene.person(scene.new, role)
        for whom, box in ((former, old), (former, new), (present, old)):
            if decisions.may_open(whom, box, scene.now):
                return f"the key holder's rule opens a mailbox of another tenure to {role}"
    return ""


async def _members(scene: Scene, _reaches: Reaches) -> tuple[str, str]:
    _, box = scene.boxes()
    act = acts.AddMember(box.id, scene.old.person, scene.now)
    for role in decisions.CONTENT_ROLES:
        if decisions.may_ask(act, scene.person(scene.old, role), box, scene.now):
            return "the former holder may make members of the new holder's mailbox", ""
    return "", "the former holder may not say who is a member of the new holder's mailbox"


async def _reach(scene: Scene, reaches: Reaches) -> tuple[str, str]:
    former = await reaches.of(scene.unit, scene.deed, scene.old.person)
    present = await reaches.of(scene.unit, scene.deed, scene.new.person)
    leak = ""
    if former:
        leak = "the former holder still sets how the number is reached"
    elif any(reach.do_not_disturb for reach in present.values()):
        leak = "what the former holder had set is set for the new one"
    return leak, "nothing is the former holder's to set; the new holder begins with nothing set"


async def _glass(scene: Scene, _reaches: Reaches) -> tuple[str, str]:
    _, box = scene.boxes()
    act = acts.BreakGlass(box.id, "isolation proof")
    for role in decisions.CONTENT_ROLES:
        if not decisions.needs_second(act, scene.person(scene.old, role), box, scene.now):
            return "break-glass opens the new holder's mailbox to one person alone", ""
    return "", "break-glass alone, by two people, recorded, for half an hour"


async def _account(_scene: Scene, _: Reaches) -> tuple[str, str]:
    bound = [table.name for table, _ in bound_to_a_tenure() if table is session]
    leak = "sessions hang on a tenure" if bound else ""
    return leak, "sessions and factors are a person's, and hang on no tenure"


TRIALS: dict[Privilege, Trial] = {
    P.OWN_MESSAGES: _messages,
    P.MESSAGE_PLAIN: _messages,
    P.OWN_MAILBOX: _members,
    P.OWN_REACH: _reach,
    P.OWN_SESSIONS: _account,
    P.OWN_FACTORS: _account,
    P.RECOVERY_COLLECT: _account,
    P.BREAK_GLASS_REQUEST: _glass,
    P.BREAK_GLASS_END: _glass,
    P.BREAK_GLASS_LIST: _glass,
}
