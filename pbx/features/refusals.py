"""Why nobody is put through."""

from __future__ import annotations

NO_TRANSFER = "an emergency call stays where it is"
NO_EMERGENCY = "an emergency number is dialled, and nobody is put through to it"
NOT_OURS = "calls are put through to numbers of this exchange only"
NO_PLACE = "there is no free place to park a call"
NO_SERVICE = "nobody is put through to this service"


class NotDone(Exception):
    """The transfer is refused; the call stays as it is."""

    def __init__(self, status: int, why: str = "") -> None:
        super().__init__(why)
        self.status, self.why = status, why
