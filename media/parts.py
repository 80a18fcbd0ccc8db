"""What the values of `media` are made of."""

import msgspec

LegId = str
"""`<worker>.<number>`: names the worker too, so that a handle in a snapshot finds its way back."""


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that crosses the socket."""


class Told(Struct, tag_field="kind", frozen=True):
    """Base of what a worker tells unasked."""

    leg: LegId


class Verb(Struct, tag_field="verb", frozen=True):
    """Base of the requests to a worker."""


class LegVerb(Verb, frozen=True):
    """Base of the requests about one leg."""

    leg: LegId


class Reply(Struct, tag_field="kind", frozen=True):
    """Base of what a worker sends; `number` is 0 for what was not asked."""
