"""BYEs for phones that have not come back yet after a restart of the exchange.

A call that was taken back may end before both of its phones are there again: the one that is not
hears of it when it registers.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from pbx.b2bua.ports import NO_FLOW, Phones, UserAgent
from pbx.sip.dialog import Dialog

PATIENCE = 900.0
"""Seconds after which a phone is not told any more: its session has expired by itself, or will."""


class Goodbyes:
    """By device."""

    def __init__(self, agent: UserAgent, phones: Phones) -> None:
        self._agent, self._phones = agent, phones
        self._owed: dict[UUID, list[Dialog]] = {}
        self._timers: dict[Dialog, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def owe(self, device: UUID, dialog: Dialog) -> None:
        """Say BYE in this dialog when the device is back."""
        if dialog in self._timers:
            return
        self._owed.setdefault(device, []).append(dialog)
        loop = asyncio.get_running_loop()
        self._timers[dialog] = loop.call_later(PATIENCE, self._give_up, device, dialog)

    def reachable(self, device: UUID) -> None:
        """The device has registered."""
        for dialog in self._owed.pop(device, ()):
            self._timers.pop(dialog).cancel()
            flow = self._phones.flow_of(device, NO_FLOW)
            self._agent.request(flow, dialog.request("BYE"))

    def close(self) -> None:
        """Nobody is told any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._owed.clear()

    def _give_up(self, device: UUID, dialog: Dialog) -> None:
        del self._timers[dialog]
        self._owed[device].remove(dialog)
        if not self._owed[device]:
            del self._owed[device]
        self._agent.drop(dialog)
