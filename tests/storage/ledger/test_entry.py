from uuid import UUID

import pytest

from storage.errors import InvalidEntry
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import (
    MAX_DETAIL,
    MAX_JSON,
    SYSTEM,
    Actor,
    ActorKind,
    Entry,
    Subject,
    json_text,
)


def make(**fields: object) -> Entry:
    return Entry(
        action=Action.SYSTEM_STARTED,
        outcome=Outcome.DONE,
        actor=SYSTEM,
        operation=UUID(int=1),
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"detail": b""}, "detail"),
        ({"detail": b"x" * (MAX_DETAIL + 1)}, "detail"),
        ({"occurred_at": -1}, "occurred_at"),
        ({"occurred_at": 2**63}, "occurred_at"),
        ({"before": {"x": object()}}, "before"),
        ({"after": "\ud800"}, "after"),
        ({"after": "x" * MAX_JSON}, "after"),
    ],
)
def test_an_entry_that_breaks_a_rule_names_the_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidEntry, match=f"^{field}: "):
        make(**fields)


def test_json_is_canonical() -> None:
    assert json_text("after", {"b": 1, "a": [True, None]}) == '{"a":[true,null],"b":1}'
    assert json_text("after", None) is None


def test_whoever_acts_has_an_identifier() -> None:
    for kind in (ActorKind.PERSON, ActorKind.DEVICE):
        with pytest.raises(InvalidEntry):
            Actor(kind)
    assert Actor(ActorKind.NOBODY).id is None


@pytest.mark.parametrize("kind", ["", "Extension", "a b", "x" * 33, "1", "a\n"])
def test_a_kind_of_subject_is_a_plain_word(kind: str) -> None:
    with pytest.raises(InvalidEntry):
        Subject(kind)


def test_a_subject_may_have_no_identifier() -> None:
    assert Subject("policy").id is None
