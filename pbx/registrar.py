"""REGISTER: what a device says about where it is (RFC 3261 §10.3, RFC 3327, 3608, 5626).

Pure: who is asking, the flow and the time are arguments; the answer is a response and the
changes it made to the location service. A request is checked whole before any of it is done.
"""

from __future__ import annotations

from msgspec import Struct

from pbx import gruu
from pbx.location import Binding, Cause, Change, Location
from pbx.sip.address import Address
from pbx.sip.errors import PeerError
from pbx.sip.flows import FlowId
from pbx.sip.grammar import quote, write_parameters
from pbx.sip.message import Request, Response, response_to
from pbx.sip.uri import SipUri, parse_uri

LONGEST_USER_AGENT = 200
_OURS = frozenset({"expires", "pub-gruu", "temp-gruu"})
"""Parameters of a Contact that the registrar writes; some phones send them back."""
HOUR = 3600  # RFC 3261 §10.3: an interval of an hour or more is never too brief


class RegistrarConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[registrar]"""

    default_expires: int = 600
    min_expires: int = 60
    """A shorter wish is answered 423."""
    max_expires: int = 10_800
    """A longer wish is shortened to three hours."""
    contacts_per_device: int = 4
    """With more, the one that was refreshed longest ago makes room."""
    service_route: tuple[str, ...] = ()
    """RFC 3608; what phones are told to put into Route."""
    flow_timer: int | None = None
    """RFC 5626 §4.4: seconds between keep-alives, told to phones that speak outbound."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_expires <= self.default_expires <= self.max_expires <= 10_800:
            raise ValueError("expires: 1 <= min <= default <= max <= 10800")
        if self.min_expires > HOUR:
            raise ValueError("min_expires: at most 3600 (RFC 3261 §10.3)")
        if not 1 <= self.contacts_per_device <= 16:
            raise ValueError("contacts_per_device: 1 to 16")


class Registrant(Struct, frozen=True):
    """The device that proved itself, and the name it may register."""

    device: str
    name: str


class Arrival(Struct, frozen=True):
    """How a request came."""

    flow: FlowId
    node: str
    source: str


class Registered(Struct, frozen=True):
    """The answer to a REGISTER and what it changed."""

    response: Response
    changes: list[Change] = []


class _Wish(Struct, frozen=True):
    """One Contact of a request, beside the binding it updates."""

    contact: Address
    expires: int
    old: Binding | None
    instance: str | None
    reg_id: int | None
    """With an instance, else None: RFC 5626 outbound."""


class Registrar:
    """Turns REGISTER requests into bindings."""

    def __init__(
        self,
        location: Location,
        domain: str,
        config: RegistrarConfig | None = None,
        *,
        aliases: frozenset[str] = frozenset(),
    ) -> None:
        """`aliases`: other names and addresses of ours; many a phone is told no more than the
        address of its server, and takes it for the domain."""
        self._location = location
        self._domain, self._domains = domain, aliases | {domain}
        self._config = config or RegistrarConfig()

    def register(
        self, request: Request, registrant: Registrant, arrival: Arrival, now: float
    ) -> Registered:
        """Answer a REGISTER of an authenticated device; never raises for what a peer sent."""
        try:
            _ = request.supported  # is read for the answer, when it is too late to refuse
            refusal = self._refusal(request, registrant)
            if refusal is not None:
                return Registered(response_to(request, refusal))
            changes = self._change(request, registrant, arrival, now)
        except _TooBrief:
            response = response_to(request, 423)
            response.headers.add("Min-Expires", str(self._config.min_expires))
            return Registered(response)
        except PeerError as error:
            return Registered(response_to(request, error.status))
        return Registered(self._answer(request, registrant, now), changes)

    def _refusal(self, request: Request, registrant: Registrant) -> int | None:
        """§10.3 steps 1 to 5: our domain, and the device's own address of record."""
        target, to = request.uri, request.to.uri
        if not isinstance(target, SipUri) or target.host not in self._domains:
            return 404
        if not isinstance(to, SipUri):
            return 404
        if to.host not in self._domains or to.user != registrant.name:
            return 403
        return None

    def _change(
        self, request: Request, registrant: Registrant, arrival: Arrival, now: float
    ) -> list[Change]:
        """§10.3 steps 6 and 7."""
        device, lines = registrant.device, request.headers.all("Contact")
        if not lines:
            return []
        held = self._location.bindings_of(device)
        if lines == ["*"]:
            return self._remove_all(request, held)
        # Counted before anything is parsed: a flood of Contacts costs next to nothing.
        if sum(line.count(",") + 1 for line in lines) > 4 * self._config.contacts_per_device:
            raise PeerError("Contact", "is not repeated so often", 403)
        wishes = self._wishes(request, held)
        path = tuple(request.headers.elements("Path"))
        if any(wish.reg_id is not None for wish in wishes):
            _check_outbound(request, wishes, path)
        new = [self._binding(request, registrant, arrival, wish, path, now) for wish in wishes]
        changes: list[Change] = []
        for wish, binding in zip(wishes, new, strict=True):  # nothing raises from here on
            if wish.expires:
                if wish.old is None or wish.old.flow != binding.flow:
                    changes += self._superseded(binding, wish.old)
                changes.append(self._location.bind(binding, wish.old))
            elif wish.old is not None:
                changes += self._location.unbind(wish.old, Cause.UNREGISTERED)
        is_more = any(wish.old is None for wish in wishes)
        return changes + self._evicted(device) if is_more else changes

    def _remove_all(self, request: Request, held: list[Binding]) -> list[Change]:
        if request.expires != 0:
            raise PeerError("Contact", "is * only with Expires: 0")
        for binding in held:
            _check_order(request, binding)
        changes: list[Change] = []
        for binding in held:
            changes += self._location.unbind(binding, Cause.UNREGISTERED)
        return changes

    def _wishes(self, request: Request, held: list[Binding]) -> list[_Wish]:
        contacts = request.contacts
        if len(contacts) > self._config.contacts_per_device:
            raise PeerError("Contact", "is not repeated so often", 403)
        wishes: list[_Wish] = []
        for contact in contacts:
            instance = contact.instance
            reg_id = None if instance is None else contact.reg_id
            old = _same(contact, held, instance, reg_id)
            is_known = old is not None and old.uri == contact.uri_text
            if not is_known and not isinstance(contact.uri, SipUri):
                raise PeerError("Contact", "is a SIP URI")
            if old is not None:
                if any(wish.old is old for wish in wishes):
                    raise PeerError("Contact", "is not repeated")
                _check_order(request, old)
            expires = self._expires(request, contact)
            wishes.append(_Wish(contact, expires, old, instance, reg_id))
        return wishes

    def _expires(self, request: Request, contact: Address) -> int:
        config = self._config
        wish = contact.expires
        if wish is None:
            wish = request.expires
        if wish is None:
            wish = config.default_expires
        if 0 < wish < config.min_expires:
            raise _TooBrief
        return min(wish, config.max_expires)

    def _binding(
        self,
        request: Request,
        registrant: Registrant,
        arrival: Arrival,
        wish: _Wish,
        path: tuple[str, ...],
        now: float,
    ) -> Binding:
        contact, headers = wish.contact, request.headers
        parameters = {k: v for k, v in contact.parameters.items() if k not in _OURS}
        return Binding(
            device=registrant.device,
            node=arrival.node,
            flow=arrival.flow,
            uri=contact.uri_text,
            parameters=write_parameters(parameters),
            q=contact.q,
            instance=wish.instance,
            reg_id=wish.reg_id,
            path=path,
            call_id=request.call_id,
            cseq=request.cseq.number,
            expires_at=now + wish.expires,
            since=now if wish.old is None else wish.old.since,
            seen=now,
            source=arrival.source,
            user_agent=(headers.first("User-Agent") or "")[:LONGEST_USER_AGENT],
        )

    def _superseded(self, new: Binding, old: Binding | None) -> list[Change]:
        """A phone that moved to another flow keeps its Call-ID (§10.2.4) while its port, and so
        its Contact, changes: what it left behind is not another phone. RFC 5626 says it with
        reg-id, and then each flow stands for itself."""
        changes: list[Change] = []
        if new.reg_id is None:
            for held in self._location.bindings_of(new.device):
                moved = held.call_id == new.call_id and held.flow != new.flow
                if moved and held is not old and held.reg_id is None:
                    changes += self._location.unbind(held, Cause.REPLACED)
        return changes

    def _evicted(self, device: str) -> list[Change]:
        held = self._location.bindings_of(device)
        surplus = len(held) - self._config.contacts_per_device
        changes: list[Change] = []
        if surplus > 0:
            for binding in sorted(held, key=lambda b: b.seen)[:surplus]:
                changes += self._location.unbind(binding, Cause.EVICTED)
        return changes

    def _answer(self, request: Request, registrant: Registrant, now: float) -> Response:
        """§10.3 step 8: all bindings, with what is left of their time."""
        response = response_to(request, 200)
        headers, config = response.headers, self._config
        outbound, wants_gruu = False, "gruu" in request.supported
        for binding in self._location.bindings_of(registrant.device):
            left = max(1, round(binding.expires_at - now))
            contact = f"<{binding.uri}>{binding.parameters};expires={left}"
            if wants_gruu and binding.instance is not None and gruu.is_urn(binding.instance):
                public = gruu.public(registrant.name, self._domain, binding.instance)
                contact += f";pub-gruu={quote(public)}"
            headers.add("Contact", contact)
            outbound = outbound or binding.reg_id is not None
        if "path" in request.supported:  # RFC 3327 §5.3; others are reached by it all the same
            for path in request.headers.all("Path"):
                headers.add("Path", path)
        for route in config.service_route:
            headers.add("Service-Route", route)
        if outbound:
            headers.add("Require", "outbound")
            if config.flow_timer is not None:
                headers.add("Flow-Timer", str(config.flow_timer))
        return response


class _TooBrief(Exception):
    """An interval below Min-Expires."""


def _same(
    contact: Address, held: list[Binding], instance: str | None, reg_id: int | None
) -> Binding | None:
    """The binding a Contact updates: by instance and reg-id (RFC 5626 §6), else by URI."""
    for binding in held:
        if reg_id is not None:
            if (binding.instance, binding.reg_id) == (instance, reg_id):
                return binding
        elif binding.reg_id is None and _is_same_uri(binding.uri, contact):
            return binding
    return None


def _is_same_uri(text: str, contact: Address) -> bool:
    return text == contact.uri_text or parse_uri(text).matches(contact.uri)


def _check_order(request: Request, binding: Binding) -> None:
    """§10.3 step 7: an older request of the same phone changes nothing."""
    if binding.call_id == request.call_id and request.cseq.number <= binding.cseq:
        raise PeerError("CSeq", "rises with each REGISTER", 500)


def _check_outbound(request: Request, wishes: list[_Wish], path: tuple[str, ...]) -> None:
    """RFC 5626 §6: one flow at a time, and an edge between must know about outbound."""
    if sum(wish.reg_id is not None and wish.expires > 0 for wish in wishes) > 1:
        raise PeerError("Contact", "names one flow")
    if len(request.headers.elements("Via")) > 1:
        first_hop = Address.parse(path[-1], "Path").uri if path else None
        if not isinstance(first_hop, SipUri) or "ob" not in first_hop.parameters:
            raise PeerError("Path", "marks the first hop with ob", 439)
