"""What phones that have not come back yet after a restart of the exchange are still to be told.

A call that was taken back may end before both of its phones are there again: the one that is not
hears of it when it registers. So does a phone that waits for news of a transfer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from pbx.b2bua.ports import NO_FLOW, Phones, UserAgent
from pbx.sip.dialog import Dialog
from pbx.sip.message import Request

PATIENCE = 900.0
"""Seconds after which a phone is not told any more: its session has expired by itself, or will."""

Write = Callable[[], Request]


class Goodbyes:
    """By device, and one thing for each dialog: after a BYE nothing else is worth saying."""

    def __init__(self, agent: UserAgent, phones: Phones) -> None:
        self._agent, self._phones = agent, phones
        self._owed: dict[UUID, dict[Dialog, Write | None]] = {}
        self._timers: dict[Dialog, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def owe(self, device: UUID, dialog: Dialog, write: Write | None = None) -> None:
        """Say this in the dialog when the device is back; without it: BYE."""
        owed = self._owed.setdefault(device, {})
        if dialog in owed and (write is not None or owed[dialog] is None):
            return
        owed[dialog] = write
        if dialog not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[dialog] = loop.call_later(PATIENCE, self._give_up, device, dialog)

    def reachable(self, device: UUID) -> None:
        """The device has registered."""
        for dialog, write in self._owed.pop(device, {}).items():
            self._timers.pop(dialog).cancel()
            flow = self._phones.flow_of(device, NO_FLOW)
            self._agent.request(flow, write() if write else dialog.request("BYE"))

    def close(self) -> None:
        """Nobody is told any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._owed.clear()

    def _give_up(self, device: UUID, dialog: Dialog) -> None:
        del self._timers[dialog]
        was_over = self._owed[device].pop(dialog) is None
        if not self._owed[device]:
            del self._owed[device]
        if was_over:
            self._agent.drop(dialog)
