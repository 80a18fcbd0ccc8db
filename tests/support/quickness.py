"""How long something takes at best, in this thread's own time: the machine may be busy."""

import gc
import time
from collections.abc import Callable


def least_seconds(work: Callable[[], object], enough: float, tries: int = 5) -> float:
    """The least of several tries, or the first that is below `enough`.

    Without the collector: its time is the heap's, which all tests before have filled.
    """
    least = float("inf")
    gc.disable()
    try:
        for _ in range(tries):
            start = time.thread_time()
            work()
            least = min(least, time.thread_time() - start)
            if least < enough:
                break
    finally:
        gc.enable()
    return least
