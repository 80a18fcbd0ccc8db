"""What a route declares about itself, and the guard that enforces it.

Every route says either which privilege it needs or that it is public, and which ledger action its
row carries. `check_declared` refuses to start with a route that says neither, so nobody can forget.
"""

from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from pbx.access import sessions as limits
from pbx.access.errors import Denied, NotSignedIn
from pbx.access.roles import Privilege, is_allowed
from pbx.admin.authentication import UnknownSession, authenticate, by_key_holder
from pbx.admin.plane import Caller, Plane
from pbx.admin.server import terminal_of
from storage.errors import StorageUnavailable
from storage.ledger.actions import Action

RULE = "rule"
CALLER = "caller"
Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route, and what its ledger row is called."""

    privilege: Privilege | None
    action: Action | None
    """None only where nothing protected is read or changed."""
    without_ledger: bool = False
    """Break-glass alone: goes on while the ledger cannot be written, by the key holder's word."""
    is_passive: bool = False
    """A screen asks by itself: being asked does not keep the session from idling out."""


def public(action: Action | None = None) -> dict[str, Rule]:
    """Needs no session: nothing protected, or what makes a session."""
    return {RULE: Rule(None, action)}


def needs(
    privilege: Privilege,
    action: Action,
    *,
    without_ledger: bool = False,
    is_passive: bool = False,
) -> dict[str, Rule]:
    return {RULE: Rule(privilege, action, without_ledger, is_passive)}


def rule_of(handler: BaseRouteHandler) -> Rule | None:
    rule = handler.opt.get(RULE)
    return rule if isinstance(rule, Rule) else None


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Runs before a request is even parsed: who asks, and may they?"""
    rule = rule_of(handler)
    if rule is None:
        return  # the OpenAPI document itself; everything of ours is declared
    context = connection.app.state.context
    plane: Plane | None = context.plane
    if plane is None:
        if rule.privilege is None:
            return
        raise NotSignedIn("the exchange is still starting")
    caller = plane.caller(terminal_of(connection))
    connection.scope["state"][CALLER] = caller
    if rule.privilege is None:
        return
    try:
        await authenticate(plane, caller, bearer(connection), activity=not rule.is_passive)
    except (StorageUnavailable, UnknownSession) as failure:
        is_ledger_down = not plane.committer.health.is_available
        if not rule.without_ledger or not (
            is_ledger_down or isinstance(failure, StorageUnavailable)
        ):
            raise
        await by_key_holder(plane, caller, bearer(connection))
    if not is_allowed(caller.roles, rule.privilege):
        raise Denied("none of your roles allows this: pbx role matrix")


def bearer(connection: Connection) -> bytes:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        raise NotSignedIn("sign in first: pbx login")
    return limits.handle_of(token)


def caller_of(scope_state: dict[str, Any]) -> Caller | None:
    caller = scope_state.get(CALLER)
    return caller if isinstance(caller, Caller) else None


def declared(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler, Rule]]:
    """Every route of ours as (method, path, handler, rule); the completeness tests walk this."""
    found = []
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            rule = rule_of(handler)
            if rule is None:
                continue
            found += [
                (str(method), route.path, handler, rule)
                for method in sorted(handler.http_methods)
                if method != "OPTIONS"
            ]
    return found


def check_declared(app: Litestar) -> None:
    """Refuses an application with a route that forgot to say who may use it."""
    known = {(path, id(handler)) for _, path, handler, _ in declared(app)}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            ours = route.path.startswith("/v1/")
            automatic = set(handler.http_methods) == {"OPTIONS"}
            if ours and not automatic and (route.path, id(handler)) not in known:
                raise ValueError(
                    f"{route.path}: declares neither a privilege nor that it is public"
                )
