"""A client transaction and what the UAC core keeps beside it until it is over."""

from __future__ import annotations

from collections.abc import Callable

from pbx.sip.dialog import Dialog
from pbx.sip.events import TransactionId
from pbx.sip.flows import Flow
from pbx.sip.message import Request
from pbx.sip.reliable import ProvisionalOrder
from pbx.sip.transaction.client_invite import InviteClientTransaction
from pbx.sip.transaction.client_non_invite import NonInviteClientTransaction
from pbx.sip.transaction.keys import ClientKey


class Sent:
    """One request of ours."""

    __slots__ = (
        "_ring",
        "dialog",
        "flow",
        "forks",
        "id",
        "is_quiet",
        "key",
        "machine",
        "orders",
        "reason",
    )

    def __init__(
        self,
        transaction: TransactionId,
        flow: Flow,
        machine: InviteClientTransaction | NonInviteClientTransaction,
        key: ClientKey,
        ring: Callable[[Sent, float], None],
    ) -> None:
        self.id = transaction
        self.flow = flow
        self.machine = machine
        self.key = key
        self.is_quiet = False
        """CANCEL and PRACK are the stack's own: nobody hears of their responses."""
        self.dialog: Dialog | None = None
        """The dialog the request was sent in."""
        self.forks: dict[str, Dialog] = {}
        """Dialogs its responses made, by To tag (§13.2.2.4)."""
        self.orders: dict[str, ProvisionalOrder] = {}
        self.reason: str | None = None
        """Why it was cancelled (RFC 3326)."""
        self._ring = ring

    @property
    def request(self) -> Request:
        return self.machine.request

    @property
    def deadline(self) -> float | None:
        return self.machine.deadline

    def ring(self, now: float) -> None:
        self._ring(self, now)
