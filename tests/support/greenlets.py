"""Threads that end while coverage is measured.

coverage asks every thread for its greenlet and remembers it weakly. When a thread has ended,
greenlet lets go of its own from a pending call of the interpreter; coverage's Python code hears of
it there, and CPython 3.11 spins for ever in a function that it traces while more pending calls
wait. So the greenlet of each thread is kept until the process ends.
"""

import sys
import threading
from typing import Any

import greenlet

_kept: list[greenlet.greenlet] = []


def keep_those_of_threads() -> None:
    """Of all that begin from now on."""
    threading.setprofile(_keep)


def _keep(_frame: Any, _event: str, _argument: Any) -> None:
    sys.setprofile(None)
    _kept.append(greenlet.getcurrent())
