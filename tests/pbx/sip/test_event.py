"""Event and Subscription-State."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.event import Event, SubscriptionState


def test_an_event_package_and_its_id() -> None:
    event = Event.parse("message-summary;id=7")

    assert (event.package, event.id, str(event)) == ("message-summary", "7", "message-summary;id=7")
    assert Event.parse("dialog").id is None


def test_a_subscription_state() -> None:
    state = SubscriptionState.parse("Terminated;reason=NoResource;retry-after=10;expires=0")

    assert (state.state, state.reason, state.expires) == ("terminated", "noresource", 0)
    assert str(state) == "terminated;reason=NoResource;retry-after=10;expires=0"
    active = SubscriptionState.parse("active")
    assert (active.reason, active.expires) == (None, None)


@pytest.mark.parametrize("text", ["", ";id=1", "a b", "dialog;id=1;id=2"])
def test_a_broken_event_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        Event.parse(text)
    with pytest.raises(PeerError):
        SubscriptionState.parse(text)


def test_a_broken_number_is_refused() -> None:
    with pytest.raises(PeerError):
        SubscriptionState.parse("active;expires=soon").expires  # noqa: B018
