"""Refusals name a rule in one sentence that may be shown."""

import pytest

from pbx.access.errors import AccessError, Denied, NotSignedIn, RuleBroken, StepUpNeeded


@pytest.mark.parametrize("kind", [NotSignedIn, StepUpNeeded, Denied, RuleBroken])
def test_every_refusal_is_an_access_error_with_its_sentence(kind: type[AccessError]) -> None:
    with pytest.raises(AccessError) as caught:
        raise kind("say why")

    assert caught.value.sentence == "say why"
