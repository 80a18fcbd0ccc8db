"""`make bench`: runs every benchmark, or those named (`python -m tests.bench relay`)."""

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    found = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
    benches = [name for name in found if not name.startswith("_")]
    for name in sys.argv[1:] or benches:
        module = importlib.import_module(f"tests.bench.{name}")
        if hasattr(module, "run"):
            print(f"== {name}", flush=True)
            module.run()


if __name__ == "__main__":
    main()
