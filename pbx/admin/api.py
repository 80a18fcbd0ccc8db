"""The management plane's application: Litestar, msgspec in and out, one file per noun beside this.

Every failure is a `Problem`: one sentence, never a traceback, never what was asked for.
"""

from typing import Any, Final

import structlog
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import (
    HTTPException,
    ServiceUnavailableException,
    ValidationException,
)
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ControllerRouterHandler, Scope

from pbx.admin import (
    audit,
    breakglass,
    call_tests,
    calls,
    console,
    devices,
    exceptions,
    exports,
    extensions,
    factors,
    groups,
    history,
    isolation,
    keys,
    mailboxes,
    messages,
    operators,
    people,
    phones,
    policies,
    proposals,
    reach,
    restarts,
    reviews,
    roles,
    scoping,
    sessions,
    shared_phones,
    sites,
    tracing,
    voicemail,
    words,
)
from pbx.admin.context import AdminContext
from pbx.admin.models import Problem, Status
from pbx.admin.plane import Caller, Plane
from pbx.admin.problems import in_words, refusals
from pbx.admin.refreshing import changes_reach_phones
from pbx.admin.refusals import refusals_leave_rows
from pbx.admin.rules import caller_of, check_declared, guard, public
from pbx.admin.server import AdminRequest
from pbx.admin.tickets import tickets_leave_rows
from pbx.telephony import Telephony
from pbx.version import VERSION

MAX_BODY: Final = 1_000_000

log = structlog.get_logger()


@get("/v1/status", opt=public(), summary="What is running and what deserves attention")
async def status(state: State) -> Status:
    context: AdminContext = state.context
    return context.status()


def own_plane(state: State) -> Plane:
    plane: Plane | None = state.context.plane
    if plane is None:
        raise ServiceUnavailableException("The exchange is still starting.")
    return plane


def own_telephony(state: State) -> Telephony:
    telephony: Telephony | None = state.context.telephony
    if telephony is None:
        raise ServiceUnavailableException("The exchange is still starting.")
    return telephony


def own_caller(scope: Scope) -> Caller:
    caller = caller_of(dict(scope["state"]))
    if caller is None:
        raise ServiceUnavailableException("The exchange is still starting.")
    return caller


ROUTES: Final[list[ControllerRouterHandler]] = [
    status,
    *sessions.ROUTES,
    *factors.ROUTES,
    *people.ROUTES,
    *operators.ROUTES,
    *roles.ROUTES,
    *proposals.ROUTES,
    *sites.ROUTES,
    *extensions.ROUTES,
    *isolation.ROUTES,
    *reach.ROUTES,
    *groups.ROUTES,
    *mailboxes.ROUTES,
    *breakglass.ROUTES,
    *messages.ROUTES,
    *voicemail.ROUTES,
    *devices.ROUTES,
    *phones.ROUTES,
    *shared_phones.ROUTES,
    *calls.ROUTES,
    *call_tests.ROUTES,
    *console.ROUTES,
    *exceptions.ROUTES,
    *policies.ROUTES,
    *history.ROUTES,
    *audit.ROUTES,
    *tracing.ROUTES,
    *scoping.ROUTES,
    *exports.ROUTES,
    *reviews.ROUTES,
    *words.ROUTES,
    *keys.ROUTES,
    *restarts.ROUTES,
]
"""Every noun's handlers; a route that is not in this list does not exist."""


class _Framework(Litestar):
    """Litestar without pydantic and attrs, which it would import because they are installed."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


def create_app(context: AdminContext) -> Litestar:
    app = _Framework(
        route_handlers=ROUTES,
        guards=[guard],
        middleware=[refusals_leave_rows, tickets_leave_rows, changes_reach_phones],
        dependencies={
            "plane": Provide(own_plane, sync_to_thread=False),
            "telephony": Provide(own_telephony, sync_to_thread=False),
            "caller": Provide(own_caller, sync_to_thread=False),
        },
        state=State({"context": context}),
        openapi_config=OpenAPIConfig(
            title="hipaa-pbx",
            version=VERSION,
            # Only the document itself: the usual viewers load scripts from elsewhere.
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            path="/",
        ),
        exception_handlers={
            **refusals,
            HTTPException: _known,
            RecursionError: _too_deep,
            Exception: _unknown,
        },
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    check_declared(app)
    return app


def _known(_request: AdminRequest, error: HTTPException) -> Response[Problem]:
    return Response(Problem(error=_sentence(error)), status_code=error.status_code)


def _sentence(error: HTTPException) -> str:
    """Names the fields that are wrong and the rule of each, not what they held."""
    if isinstance(error, ValidationException):
        extra = error.extra if isinstance(error.extra, list) else []
        named = ", ".join(
            sorted({_rule(found) for found in extra if isinstance(found, dict)} - {""})
        )
        return f"The request is not valid: {named}." if named else "The request is not valid."
    if error.status_code == 404:
        return "There is no such thing here."
    return error.detail


def _rule(found: dict[str, Any]) -> str:
    """A message that begins otherwise may repeat the value."""
    field, rule = str(found.get("key", "")), str(found.get("message", ""))
    if not field or not rule.startswith("Expected "):
        return field
    return f"{field} ({in_words(rule)})"


def _too_deep(_request: AdminRequest, _error: RecursionError) -> Response[Problem]:
    """A body of nothing but brackets, which the decoder gives up in its own way."""
    return Response(Problem(error="The request is not valid: nested too deeply."), status_code=400)


def _unknown(_request: AdminRequest, error: Exception) -> Response[Problem]:
    log.error("the admin interface met an error nobody expected", exc_info=error)
    return Response(
        Problem(error="The exchange failed to do this by a fault of ours; its log has the place."),
        status_code=500,
    )
