"""The version of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("hipaa-pbx")
    except PackageNotFoundError:
        return "0 (not installed)"


VERSION: Final = _installed()
