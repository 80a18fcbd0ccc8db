"""How each device describes its media: as it was last heard to offer itself, else as its row says.

A phone knows one way of keying; offered the other one it refuses, answers nonsense, or worse. What
is heard goes into the row, so that it is known still when the exchange has been away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from media.client import Manner

DTLS, FEEDBACK, MUX, ICE = "dtls", "feedback", "mux", "ice"
SDES = "sdes"
WORDS = (FEEDBACK, MUX, ICE)

Kept = Callable[[UUID], str]
Keep = Callable[[UUID, str], None]


def written(manner: Manner) -> str:
    """In words, as a row has them: `sdes`, `dtls mux ice`."""
    more = ((manner.feedback, FEEDBACK), (manner.muxed, MUX), (manner.ice, ICE))
    return " ".join([manner.keying, *(word for is_so, word in more if is_so)])


def read(text: str) -> Manner:
    """From a row; what cannot be read is how most phones are."""
    keying, *more = text.split() or [SDES]
    if keying not in (SDES, DTLS):
        return Manner()
    return of_words(keying == DTLS, more)


def of_words(dtls: bool, more: Collection[str]) -> Manner:
    """From what somebody has said of a phone."""
    return Manner(
        keying="dtls" if dtls else "sdes",
        feedback=FEEDBACK in more,
        muxed=MUX in more,
        ice=ICE in more,
    )


class Manners:
    """By device; `kept` is what its row says, `keep` has it written there."""

    def __init__(
        self, kept: Kept = lambda device: "", keep: Keep = lambda device, text: None
    ) -> None:
        self._kept, self._keep = kept, keep
        self._heard: dict[UUID, Manner] = {}

    def of(self, device: UUID) -> Manner:
        """How to offer to it."""
        return self._heard.get(device) or read(self._kept(device))

    def is_known(self, device: UUID) -> bool:
        """Whether anybody has said, the device itself above all."""
        return device in self._heard or bool(self._kept(device))

    def heard(self, device: UUID, manner: Manner) -> None:
        """It has offered like this."""
        is_news = manner != self.of(device)
        self._heard[device] = manner
        if is_news:
            self._keep(device, written(manner))

    def forget(self, device: UUID) -> None:
        """Its row was set by hand, and counts until the device is heard again."""
        self._heard.pop(device, None)
