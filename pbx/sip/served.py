"""A server transaction and what the UAS core keeps beside it until it is over."""

from __future__ import annotations

from collections.abc import Callable

from pbx.sip.dialog import Dialog
from pbx.sip.events import TransactionId
from pbx.sip.flows import Flow
from pbx.sip.message import Request
from pbx.sip.reliable import ReliableProvisionals
from pbx.sip.retransmission import Retransmission
from pbx.sip.transaction.keys import MergeKey, ServerKey
from pbx.sip.transaction.server_invite import InviteServerTransaction
from pbx.sip.transaction.server_non_invite import NonInviteServerTransaction
from pbx.sip.transaction.state import State


class Served:
    """One request that we answer."""

    __slots__ = (
        "_ring",
        "answer",
        "dialog",
        "flow",
        "id",
        "is_cancelled",
        "key",
        "machine",
        "merge_key",
        "provisionals",
        "tag",
    )

    def __init__(
        self,
        transaction: TransactionId,
        flow: Flow,
        machine: InviteServerTransaction | NonInviteServerTransaction,
        key: ServerKey,
        ring: Callable[[Served, float], None],
    ) -> None:
        self.id = transaction
        self.flow = flow
        self.machine = machine
        self.key = key
        self.merge_key: MergeKey | None = None
        self.dialog: Dialog | None = None
        self.tag = ""
        """Our To tag, if the request had none."""
        self.answer: Retransmission | None = None
        """Our 2xx to INVITE while it waits for its ACK."""
        self.provisionals: ReliableProvisionals | None = None
        self.is_cancelled = False
        self._ring = ring

    @property
    def request(self) -> Request:
        return self.machine.request

    @property
    def deadline(self) -> float | None:
        """The earliest of the transaction's own and of what waits for ACK or PRACK."""
        deadline = self.machine.deadline
        for other in (self.answer, self.provisionals):
            if other is not None and (when := other.deadline) is not None:
                deadline = when if deadline is None else min(deadline, when)
        return deadline

    @property
    def is_over(self) -> bool:
        return self.machine.state is State.TERMINATED and self.answer is None

    def ring(self, now: float) -> None:
        self._ring(self, now)
