"""Event and Subscription-State (RFC 6665 sections 8.2.1 and 8.2.3)."""

from __future__ import annotations

from msgspec import Struct

from pbx.sip.grammar import Parameters, number, token, value_and_parameters, write_parameters


class Event(Struct, frozen=True):
    """The event package of a subscription; package and id together match, other parameters not."""

    package: str
    """Compared case-sensitively."""
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str) -> Event:
        """event-type *( SEMI event-param )"""
        package, parameters = value_and_parameters(text, "Event")
        return cls(token(package, "Event"), parameters)

    @property
    def id(self) -> str | None:
        """Tells two subscriptions to one package in one dialog apart."""
        return self.parameters.get("id")

    def __str__(self) -> str:
        return self.package + write_parameters(self.parameters)


class SubscriptionState(Struct, frozen=True):
    """The state of a subscription as a NOTIFY tells it."""

    state: str
    """Lower case: active, pending, terminated or an extension."""
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """substate-value *( SEMI subexp-params )"""
        state, parameters = value_and_parameters(text, "Subscription-State")
        return cls(token(state, "Subscription-State").lower(), parameters)

    @property
    def expires(self) -> int | None:
        """Seconds left."""
        return self._number("expires")

    @property
    def reason(self) -> str | None:
        """Why it ended, lower case."""
        value = self.parameters.get("reason")
        return value and value.lower()

    def _number(self, name: str) -> int | None:
        value = self.parameters.get(name)
        return None if value is None else number(value, "Subscription-State", 2**32 - 1)

    def __str__(self) -> str:
        return self.state + write_parameters(self.parameters)
