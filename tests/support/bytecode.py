"""Where processes that tests start keep their compiled modules: an installed product has them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def environment() -> dict[str, str]:
    """Ours, with a cache of bytecode that outlives a process."""
    cache = Path(tempfile.gettempdir()) / f"pbx-bytecode-{os.getuid()}"
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}
