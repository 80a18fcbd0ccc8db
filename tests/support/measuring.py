"""What coverage is taken of, and under whose name: a hook of pytest's.

The gate asks which *file* ran a line, so contexts are files. One for each test and phase, which is
what `--cov-context=test` makes, would write down everything seen three times for each test.
"""

from collections.abc import Generator, Mapping

import coverage
import pytest

BY = ("COVERAGE_", "COV_")
UNDER = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    measured = coverage.Coverage.current()
    if measured is None:
        return (yield)
    if item.get_closest_marker("unmeasured"):
        measured.stop()
        try:
            return (yield)
        finally:
            measured.start()
    file, stash = item.nodeid.partition("::")[0], item.config.stash
    if stash.get(UNDER, "") != file:
        stash[UNDER] = file
        measured.switch_context(f"{file}::")
    return (yield)


def unmeasured(environment: Mapping[str, str]) -> dict[str, str]:
    """For a process of which no coverage is taken, which costs it as much again as its start."""
    return {name: text for name, text in environment.items() if not name.startswith(BY)}
