"""What the admin API answers, for the exchange that builds it and the command that shows it."""

import msgspec

TICKET = "pbx-ticket"
"""Header of a change: why it is made, in base64."""

Fact = str | int | float | bool | None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process, as the supervisor last reported it."""

    name: str
    state: str
    pid: int | None = None
    restarts: int = 0
    uptime_seconds: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of GET /v1/status. No number, no name of a person, no secret."""

    version: str
    state: str
    mode: str
    uptime_seconds: int
    processes: list[Process]
    sections: dict[str, dict[str, Fact]]
    alarms: list[str]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the admin API answers instead of a result: one sentence for a person."""

    error: str
    code: str = ""
    """A constant word for programs, where a sentence alone would not tell cases apart."""
