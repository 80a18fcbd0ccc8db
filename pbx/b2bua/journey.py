"""Somebody is on the way from one phone to another: what has to be known to end that well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.b2bua.leg import Leg
    from pbx.b2bua.news import News


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Who puts whom through to whom."""

    kind: str
    by: Leg
    who: Leg
    number: str
    news: News
    to: Leg | None = None
    """Who has taken the call; the transferor has only to be told so and to leave."""

    def arrived(self, to: Leg) -> Journey:
        """The target has answered, or had before."""
        return replace(self, to=to)
