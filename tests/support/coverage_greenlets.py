"""A plugin of coverage's: no thread that ends leaves a greenlet of its own to be remembered.

coverage asks each thread for its current greenlet and remembers it weakly. When the thread has
ended, greenlet lets go of the thread's main one from a pending call of the interpreter; the weak
dictionary hears of it in Python, and CPython 3.11 spins for ever in a function that it traces while
another pending call waits: the one of a second thread that ended meanwhile. So one object stands
for the main greenlets of all threads that can end (coverage asks in each thread separately).
"""

import threading
from collections.abc import Callable
from typing import Any

import greenlet
from coverage.collector import Collector
from coverage.plugin_support import Plugins


class _Main:
    """Stands for the greenlet in which a thread begins."""


_MAIN = _Main()


def coverage_init(_registry: Plugins, _options: dict[str, Any]) -> None:
    """In every measured process, before its first thread is traced."""
    Collector.concur_id_func = property(_told_apart_by, lambda _collector, _value: None)


def _told_apart_by(_collector: Collector) -> Callable[[], object]:
    """Asked in the thread that is about to be traced."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return greenlet.getcurrent if in_main_thread else _current


def _current() -> object:
    current = greenlet.getcurrent()
    return _MAIN if current.parent is None else current
