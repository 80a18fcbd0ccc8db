"""Failed credentials of phones as ledger rows, which a flood of them cannot multiply.

The first of a kind (device, network, reason) stand alone, later ones are a row with their number.
A guessed name is not written down, nor is the address it came from: no row tells them in clear.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from pbx.access.authenticate import Failure, Reason
from pbx.access.floods import FloodLimits, Floods, network_of
from storage.identifiers import Clock, new_id
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import NOBODY, Actor, ActorKind, Entry, Subject


@dataclass(frozen=True, slots=True)
class Kind:
    """What is counted together."""

    action: Action
    reason: Reason
    listener: str
    device: UUID | None
    network: str


class FailedCredentials:
    """`failed` hears of each failure; `report` is called now and then, and at the end."""

    def __init__(
        self, note: Callable[[Entry], None], clock: Clock, limits: FloodLimits | None = None
    ) -> None:
        self._note = note
        self._clock = clock
        self._floods: Floods[Kind] = Floods(_rest, limits)

    def failed(self, failure: Failure) -> None:
        """A failed credential, and the lock-out it led to."""
        now = self._clock()
        network = network_of(failure.source)
        actions = [Action.CREDENTIAL_FAILED] + [Action.DEVICE_LOCKED] * failure.locked
        for action in actions:
            kind = Kind(action, failure.reason, failure.listener, failure.device, network)
            if self._floods.stands_alone(kind, now):
                self._note(self._entry(kind, {}, now))

    def report(self, *, all_: bool = False) -> None:
        """Rows for what was only counted."""
        for counted in self._floods.due(self._clock(), all_=all_):
            self._note(self._entry(counted.kind, counted.number, counted.last_at))

    def _entry(self, kind: Kind, number: dict[str, int], at: int) -> Entry:
        return Entry(
            action=kind.action,
            outcome=Outcome.REFUSED,
            actor=NOBODY if kind.device is None else Actor(ActorKind.DEVICE, kind.device),
            operation=new_id(self._clock),
            subject=Subject("device", kind.device),
            after={"reason": kind.reason.value, "listener": kind.listener, **number},
            occurred_at=at,
        )


def _rest(kind: Kind) -> Kind:
    """From all over: neither device nor network tells anything."""
    return replace(kind, device=None, network="")
