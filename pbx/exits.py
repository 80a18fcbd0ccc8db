"""Exit codes: 0 done, 1 found something (a check failed, a difference was found), 2 wrong usage or
configuration, 3 refused, 4 unavailable.
"""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4


GAVE_WAY = 75
"""Of a process that wants to be started again at once (EX_TEMPFAIL of sysexits.h)."""
