"""Which leg an event belongs to: by its transaction, else by its dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from pbx.sip.dialog import Dialog, DialogId
from pbx.sip.events import Event, TransactionId

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.b2bua.leg import Leg


class Listeners:
    """What the legs of all calls wait for."""

    def __init__(self) -> None:
        self._by_transaction: dict[TransactionId, Leg] = {}
        self._by_dialog: dict[DialogId, Leg] = {}
        self._of_call: dict[UUID, dict[TransactionId | DialogId, None]] = {}

    def __len__(self) -> int:
        """Transactions and dialogs, and calls that have any."""
        return len(self._by_transaction) + len(self._by_dialog) + len(self._of_call)

    def listen(self, transaction: TransactionId, leg: Leg) -> None:
        """The leg wants to hear of this transaction."""
        self._by_transaction[transaction] = leg
        self._of_call.setdefault(leg.call.id, {})[transaction] = None

    def listen_dialog(self, dialog: Dialog, leg: Leg) -> None:
        """The leg wants to hear of this dialog."""
        if self._by_dialog.get(dialog.id) is not leg:
            self._by_dialog[dialog.id] = leg
            self._of_call.setdefault(leg.call.id, {})[dialog.id] = None

    def over(self, transaction: TransactionId) -> None:
        """Nothing more comes of it: a call of many hours asks many things."""
        leg = self._by_transaction.pop(transaction, None)
        if leg is not None:
            self._of_call[leg.call.id].pop(transaction, None)

    def leg_in(self, dialog: DialogId) -> Leg | None:
        """Whose dialog it is."""
        return self._by_dialog.get(dialog)

    def leg_of(self, event: Event) -> Leg | None:
        """Who wants to hear of it."""
        transaction = getattr(event, "transaction", None)
        leg = self._by_transaction.get(transaction) if transaction is not None else None
        if leg is None and (dialog := getattr(event, "dialog", None)) is not None:
            leg = self._by_dialog.get(dialog.id)
        return leg

    def move(self, leg: Leg, call: Call, to: Call) -> None:
        """The leg goes on in another call: what it waits for is forgotten with that one."""
        theirs = self._of_call.setdefault(call.id, {})
        moved = [key for key in theirs if self._waits_for(key) is leg]
        for key in moved:
            del theirs[key]
        self._of_call.setdefault(to.id, {}).update(dict.fromkeys(moved))

    def forget(self, call: Call) -> None:
        """Nobody in it waits for anything any more."""
        for key in self._of_call.pop(call.id, ()):
            if isinstance(key, DialogId):
                self._by_dialog.pop(key, None)
            else:
                self._by_transaction.pop(key, None)

    def _waits_for(self, key: TransactionId | DialogId) -> Leg | None:
        if isinstance(key, DialogId):
            return self._by_dialog.get(key)
        return self._by_transaction.get(key)
