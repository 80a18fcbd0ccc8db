"""Talking with a caller by prompts and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from media.client import (
    Digit,
    Fed,
    LegId,
    MediaError,
    MediaEvent,
    MediaUnavailable,
    Player,
    Prompt,
    Recorded,
    Silence,
    Sound,
)
from pbx.b2bua.call import Call
from pbx.b2bua.events import Heard

LONGEST = 60.0
"""Seconds that prompts may take; a worker that never says they ended cannot hold a call."""
PAUSE = Silence(milliseconds=200)
TENS = 10


class Dialogue:
    """With the caller of one call, on an answered leg."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.media = call.media
        self._loop = asyncio.get_running_loop()
        self._ahead = ""
        """A key that cut short what was only told: it answers the next question."""

    @property
    def leg(self) -> LegId:
        """The caller's; raises MediaUnavailable once it is gone."""
        if self.call.caller.media is None:
            raise MediaUnavailable("the caller has no media")
        return self.call.caller.media

    def now(self) -> float:
        """Loop time."""
        return self._loop.time()

    async def open(self) -> None:
        """Keys are told from now on."""
        await self.media.digits(self.leg, report=True)

    async def say(self, *sounds: str | Sound) -> str:
        """Play; the key that cut it short, or ""."""
        if self._ahead:
            return self._taken()
        await self.call.play(Player(sounds=tuple(_sound(sound) for sound in sounds)))
        deadline = self._loop.time() + LONGEST
        while (event := await self.hear(deadline)) is not None:
            if isinstance(event, Digit):
                await self.media.part(self.leg)
                return event.digit
            if isinstance(event, Fed):
                return ""
        return ""

    async def tell(self, *sounds: str | Sound) -> None:
        """Play what is no question; a key that cuts it short answers the next one."""
        self._ahead = await self.say(*sounds)

    def ahead(self, key: str) -> None:
        """This key answers the next question."""
        self._ahead = key

    def _taken(self) -> str:
        pressed, self._ahead = self._ahead, ""
        return pressed

    async def key(self, seconds: float) -> str:
        """The next key; "" when none was pressed in time."""
        if self._ahead:
            return self._taken()
        deadline = self._loop.time() + seconds
        while (event := await self.hear(deadline)) is not None:
            if isinstance(event, Digit):
                return event.digit
        return ""

    async def ask(self, *sounds: str | Sound, seconds: float = 6.0, times: int = 2) -> str:
        """Say it and wait for a key, so many times; "" when none was ever pressed."""
        for _ in range(times):
            if pressed := await self.say(*sounds) or await self.key(seconds):
                return pressed
        return ""

    async def digits(self, first: str, *, seconds: float = 5.0, most: int = 8) -> str:
        """More keys up to a # (left out), after the first one."""
        text = first
        while text and not text.endswith("#") and len(text) < most:
            pressed = await self.key(seconds)
            if not pressed:
                break
            text += pressed
        return text.rstrip("#")

    async def recorded(self, seconds: float) -> Recorded | None:
        """Until the recording under way has ended, which may last so long. The worker ends it at a
        hash in the sound and tells none; one that is told came in signalling."""
        deadline = self._loop.time() + seconds + 30
        while (event := await self.hear(deadline)) is not None:
            if isinstance(event, Recorded):
                return event
            if isinstance(event, Digit) and event.digit == "#":
                with suppress(MediaError):  # it has ended by itself
                    await self.media.stop_recording(self.leg)
        return None

    async def hear(self, deadline: float) -> MediaEvent | None:
        """What the worker says next of the caller's leg; raises CallOver."""
        while (event := await self.call.next(deadline)) is not None:
            if isinstance(event, Heard) and event.leg is self.call.caller:
                return event.event
        return None


def spelled(digits: str) -> tuple[str, ...]:
    """Digit by digit."""
    return tuple(f"number-{digit}" for digit in digits if digit in "0123456789")


def number(value: int) -> tuple[str, ...]:
    """0 to 99, as it is said; more is said digit by digit."""
    if value > 99:
        return spelled(str(value))
    if value <= 20 or value % TENS == 0:
        return (f"number-{value}",)
    return (f"number-{value // TENS * TENS}", f"number-{value % TENS}")


def numbers() -> Iterable[int]:
    """Those that have a prompt of their own."""
    return (*range(21), *range(30, 100, 10))


def _sound(sound: str | Sound) -> Sound:
    return Prompt(sound) if isinstance(sound, str) else sound
