"""pbx/admin/problems.py"""

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from pbx.admin.problems import in_words


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Annotated[str, Meta(min_length=3)], "x", "at least 3 characters"),
        (Annotated[str, Meta(max_length=3)], "xxxx", "at most 3 characters"),
        (Annotated[str, Meta(pattern="^[0-9]+$")], "x", "not in the form that it has"),
        (Annotated[int, Meta(ge=3)], 1, "at least 3"),
        (Annotated[int, Meta(le=3)], 4, "at most 3"),
        (Annotated[list[int], Meta(min_length=1)], [], "at least 1"),
        (Annotated[list[int], Meta(max_length=1)], [1, 2], "at most 1"),
        (int, "x", "expected int, got str"),
    ],
)
def test_a_rule_of_a_field_is_said_in_words(kind: Any, value: object, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert({"field": value}, dict[str, kind])

    assert in_words(str(error.value)) == words
