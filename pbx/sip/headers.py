"""The header fields of one message (RFC 3261 section 7.3).

Fields keep their order. Typed values are made when they are first asked for and kept until
the field changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pbx.sip.errors import LocalError, PeerError
from pbx.sip.grammar import checked, split_list
from pbx.sip.names import KNOWN, SINGULAR, canonical

T = TypeVar("T")
Field = tuple[str, str, str]
"""Key (names.canonical), name as written, value."""


class Headers:
    """An ordered multi-map; names are case-insensitive and compact forms are understood."""

    __slots__ = ("_fields", "_first", "_repeated", "_typed")

    def __init__(self, *fields: tuple[str, str]) -> None:
        self._fields: list[Field] = []
        self._first: dict[str, str] = {}
        self._repeated: frozenset[str] = frozenset()
        """Keys that may have more than one line; few have."""
        self._typed: dict[str, object] = {}
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def parsed(
        cls,
        fields: list[Field],
        first: dict[str, str],
        repeated: frozenset[str],
        typed: dict[str, object],
    ) -> Headers:
        """From the parser, which has checked them; `typed` is what it has parsed already."""
        headers = cls.__new__(cls)
        headers._fields, headers._first = fields, first
        headers._repeated, headers._typed = repeated, typed
        return headers

    def first(self, name: str) -> str | None:
        """The value of the first line with this name."""
        return self._first.get(KNOWN.get(name) or canonical(name))

    def all(self, name: str) -> list[str]:
        """The value of each line with this name, not split at commas."""
        key = KNOWN.get(name) or canonical(name)
        if key in self._repeated:
            return [value for k, _, value in self._fields if k == key]
        return [self._first[key]] if key in self._first else []

    def elements(self, name: str) -> list[str]:
        """The elements of a comma-separated field over all its lines."""
        return [piece for line in self.all(name) if line for piece in split_list(line, name)]

    def add(self, name: str, value: str) -> None:
        """Append a line; a second line of a singular field is refused."""
        known = KNOWN.get(name)
        key = known or _key(name)
        value = checked(value, key).strip(" \t")
        if key not in self._first:
            self._first[key] = value
        elif key in SINGULAR:
            raise LocalError(key, "appears once")
        else:
            self._repeated |= {key}
        self._fields.append((key, known or _spelling(key, name), value))
        self._typed.clear()

    def prepend(self, name: str, value: str) -> None:
        """Put a line before all others (a Via or Record-Route of ours goes on top)."""
        self.add(name, value)
        field = self._fields.pop()
        self._fields.insert(0, field)
        self._first[field[0]] = field[2]

    def set(self, name: str, value: str) -> None:
        """Replace all lines with this name by one, where the first of them was."""
        key = _key(name)
        place = next((i for i, field in enumerate(self._fields) if field[0] == key), None)
        if place is None:
            self.add(name, value)
            return
        checked(value, key)
        self.remove(name)
        self.add(name, value)
        self._fields.insert(place, self._fields.pop())

    def amend(self, key: str, value: str) -> None:
        """Replace the first line with this key; what other fields read as stays known."""
        checked(value, key)
        for place, field in enumerate(self._fields):
            if field[0] == key:
                self._fields[place] = (key, field[1], value)
                self._first[key] = value
                self._typed.pop(key, None)
                self._typed.pop(f"{key}*", None)
                return
        raise LocalError(key, "is there to be amended")

    def remove_first(self, name: str) -> list[str]:
        """Take the first line away; returns its elements but the first."""
        key = _key(name)
        for place, field in enumerate(self._fields):
            if field[0] == key:
                del self._fields[place]
                break
        else:
            raise LocalError(key, "is there to be replaced")
        self._index(key)
        return split_list(field[2], key)[1:]

    def remove(self, name: str) -> None:
        """Take all lines with this name away; there may be none."""
        key = _key(name)
        if self._first.pop(key, None) is not None:
            self._fields = [field for field in self._fields if field[0] != key]
        self._typed.clear()

    def pick(self, keys: frozenset[str]) -> Headers:
        """A copy of the lines with these keys, in the order they have here."""
        fields = [field for field in self._fields if field[0] in keys]
        first = {key: value for key, _, value in reversed(fields)}  # the first line has the word
        return Headers.parsed(fields, first, self._repeated, {})

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.parsed(list(self._fields), dict(self._first), self._repeated, {})

    def typed(self, key: str, parse: Callable[[Headers], T]) -> T:
        """The value under which `key` is kept parsed; `parse` runs once per change."""
        value = self._typed.get(key)
        if value is None:
            value = self._typed[key] = parse(self)
        return value  # type: ignore[return-value]  # there is one parse function per key

    def encode(self) -> str:
        """The lines as they are sent, without Content-Length (the message knows its body)."""
        return "".join(
            [f"{name}: {value}\r\n" for key, name, value in self._fields if key != "Content-Length"]
        )

    def __contains__(self, name: str) -> bool:
        return (KNOWN.get(name) or canonical(name)) in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(name, value) for _, name, value in self._fields])

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._compared() == other._compared()

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        # Names only: values are protected.
        return f"<Headers {' '.join(name for _, name, _ in self._fields)}>"

    def _compared(self) -> list[tuple[str, str]]:
        # Content-Length is a property of the body, not of the head.
        return [(key, value) for key, _, value in self._fields if key != "Content-Length"]

    def _index(self, key: str) -> None:
        self._typed.clear()
        self._first.pop(key, None)
        for k, _, value in self._fields:
            if k == key:
                self._first[key] = value
                break


def _key(name: str) -> str:
    try:
        return canonical(name)
    except PeerError:
        raise LocalError("header name", "is a token") from None


def _spelling(key: str, name: str) -> str:
    return name if key == name.lower() else key
