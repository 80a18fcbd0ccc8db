"""Which failure is which answer: one table, so that every noun answers alike."""

import re
from collections.abc import Callable
from typing import Any, Final

from litestar import Response
from sqlalchemy.exc import IntegrityError

from pbx.access.errors import AccessError, NotSignedIn, StepUpNeeded
from pbx.admin.models import Problem
from pbx.admin.server import AdminRequest
from storage.conflicts import Conflict, NotFound
from storage.errors import StorageUnavailable
from storage.keyholder.client import InvalidRequest, KeyHolderUnavailable, Refused

Answer = Callable[[AdminRequest, Any], Response[Problem]]


def _as(status: int, code: str) -> Answer:
    def answer(_request: AdminRequest, error: Exception) -> Response[Problem]:
        return Response(Problem(error=sentence(str(error)), code=code), status_code=status)

    return answer


def _saying(status: int, code: str, text: str) -> Answer:
    def answer(_request: AdminRequest, _error: Exception) -> Response[Problem]:
        return Response(Problem(error=text, code=code), status_code=status)

    return answer


def sentence(text: str) -> str:
    """Our errors are written without capital and full stop, to stand inside others."""
    return f"{text[:1].upper()}{text[1:]}."


def in_words(rule: str) -> str:
    """A rule of a field as people say it; msgspec writes "Expected `str` of length >= 3"."""
    rule = rule.partition(" - at ")[0]
    for form, words in RULES:
        if found := form.fullmatch(rule):
            return words.format(*found.groups())
    return f"e{rule[1:].replace('`', '')}"


RULES: Final = (
    (re.compile(r"Expected `str` of length >= (\d+)"), "at least {0} characters"),
    (re.compile(r"Expected `str` of length <= (\d+)"), "at most {0} characters"),
    (re.compile(r"Expected `array` of length >= (\d+)"), "at least {0}"),
    (re.compile(r"Expected `array` of length <= (\d+)"), "at most {0}"),
    (re.compile(r"Expected `int` >= (-?\d+)"), "at least {0}"),
    (re.compile(r"Expected `int` <= (-?\d+)"), "at most {0}"),
    (re.compile(r"Expected `str` matching regex .*"), "not in the form that it has"),
)
refusals: Final[dict[int | type[Exception], Any]] = {
    NotSignedIn: _as(401, "not-signed-in"),
    StepUpNeeded: _as(403, "step-up"),
    AccessError: _as(403, "refused"),
    NotFound: _as(404, "not-found"),
    Conflict: _as(409, "conflict"),
    # Two people were faster than our own checks; the database has the last word.
    IntegrityError: _saying(409, "conflict", "This contradicts something changed meanwhile."),
    StorageUnavailable: _as(503, "storage"),
    Refused: _saying(403, "refused", "The key holder refused."),
    InvalidRequest: _as(400, "invalid"),
    KeyHolderUnavailable: _as(503, "key-holder"),
}
"""The most particular class of an error decides."""
