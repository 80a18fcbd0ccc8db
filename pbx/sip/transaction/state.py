"""The states of RFC 3261 figures 5 to 8 as RFC 6026 draws them.

CONFIRMED is absent: on a reliable transport Timer I is zero and nothing can happen in it.
"""

from enum import Enum, auto


class State(Enum):
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    TERMINATED = auto()
