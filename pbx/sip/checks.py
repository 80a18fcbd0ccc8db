"""What a UAS looks at before it acts on a request, in the order of RFC 3261 §8.2."""

from collections.abc import Callable
from dataclasses import dataclass

from pbx.sip.dialog import FORMING, TARGET_REFRESHING, read_route
from pbx.sip.errors import PeerError
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.multipart import MIXED, parts_of

METHODS = (
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE",
    "INFO", "REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE",
)  # fmt: skip


_ABILITIES: dict[str, Callable[[Message], object]] = {
    "Supported": lambda message: message.supported,
    "Allow": lambda message: message.allow,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What this end takes; written into Allow, Supported and Accept."""

    methods: tuple[str, ...] = METHODS
    extensions: tuple[str, ...] = ("100rel", "outbound", "path", "replaces", "timer")
    accept: tuple[str, ...] = (
        "application/sdp", "application/dtmf-relay", "application/dtmf", "message/sipfrag",
    )  # fmt: skip
    schemes: tuple[str, ...] = ("sip", "sips", "tel")
    is_urgent: Callable[[Request], bool] = lambda request: False
    """Requests that are served as well as can be, whatever they require."""

    def describe(self, message: Message) -> None:
        """Say what we take, where the message does not yet (§13.2.1, §13.3.1.4, §20.5)."""
        headers = message.headers
        if "Allow" not in headers:
            headers.add("Allow", ", ".join(self.methods))
        if "Supported" not in headers:
            headers.add("Supported", ", ".join(self.extensions))


def inspect(request: Request, capabilities: Capabilities, *, is_merged: bool) -> Response | None:
    """The refusal of a request that we could not serve, whoever sent it.

    §8.2.1 method, §8.2.2.1 Request-URI, §8.2.2.2 merged requests, §8.2.2.3 Require, §8.2.3 body.
    """
    if request.method not in capabilities.methods:
        return _with(response_to(request, 405), "Allow", ", ".join(capabilities.methods))
    scheme = request.uri_text.partition(":")[0].lower()
    if scheme not in capabilities.schemes and not capabilities.is_urgent(request):
        return response_to(request, 416)
    if is_merged:
        return response_to(request, 482)
    headers = request.headers
    if "Require" in headers:
        unknown = [tag for tag in request.require if tag not in capabilities.extensions]
        if unknown and not capabilities.is_urgent(request):
            return _with(response_to(request, 420), "Unsupported", ", ".join(unknown))
    if request.body:
        refusal = _inspect_body(request, capabilities)
        if refusal is not None:
            return refusal
    if request.method in FORMING and len(request.contacts) != 1:
        raise PeerError("Contact", "names one target in a request that makes a dialog")
    if request.method in TARGET_REFRESHING:
        read_route(request)
        _read_abilities(request, "Supported", "Allow")
    elif request.method == "REGISTER":
        _read_abilities(request, "Supported")
    return None


def _read_abilities(request: Request, *names: str) -> None:
    """What cannot be read of what a peer says of itself is not said: nobody refuses a call for it,
    least of all one for help."""
    headers = request.headers
    for name in names:
        if name in headers:
            try:
                _ABILITIES[name](request)
            except PeerError:
                headers.remove(name)


def options(request: Request, capabilities: Capabilities) -> Response:
    """The answer to OPTIONS (§11.2)."""
    response = response_to(request, 200)
    response.headers.add("Accept", ", ".join(capabilities.accept))
    response.headers.add("Accept-Encoding", "identity")
    response.headers.add("Accept-Language", "en")
    capabilities.describe(response)
    return response


def _inspect_body(request: Request, capabilities: Capabilities) -> Response | None:
    headers = request.headers
    disposition = (headers.first("Content-Disposition") or "").lower()
    if "handling=optional" in disposition.replace(" ", ""):
        return None
    if (headers.first("Content-Encoding") or "identity").strip().lower() != "identity":
        return _with(response_to(request, 415), "Accept-Encoding", "identity")
    kind = request.content_type
    if kind == MIXED and kind in capabilities.accept:
        return _inspect_parts(request, capabilities)
    if kind in capabilities.accept or (not kind and request.method not in ("INVITE", "UPDATE")):
        return None
    return _with(response_to(request, 415), "Accept", ", ".join(capabilities.accept))


def _inspect_parts(request: Request, capabilities: Capabilities) -> Response | None:
    """RFC 5621 §3.1: a part that has to be understood is, or the whole is refused."""
    known = capabilities.is_urgent(request)
    for part in parts_of(request):
        if not (known or part.is_optional or part.content_type in capabilities.accept):
            return _with(response_to(request, 415), "Accept", ", ".join(capabilities.accept))
    return None


def _with(response: Response, name: str, value: str) -> Response:
    response.headers.add(name, value)
    return response
