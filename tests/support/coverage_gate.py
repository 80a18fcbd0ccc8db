"""Demands coverage: each security module by its own test file, everything else on the whole, and
the packages that people and programs steer the exchange by each on their own.

Run after `pytest --cov` (measuring.py names what ran by the test's file). A security module must
have every line and branch executed by the test file that mirrors it (or by importing it), not by
some test far away.
"""

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import coverage

ROOT = Path(__file__).parent.parent.parent
SECURITY = (
    "pbx/sip",
    "pbx/access",
    "media/worker/srtp.py",
    "media/worker/dtls.py",
    "media/worker/stun.py",
    "media/worker/path.py",
    "storage/sealed",
    "storage/ledger",
    "storage/keyholder",
)
REST = 92.0
PACKAGES = {"pbx/admin": 92.0, "pbx/cli": 85.0}
"""Percent that each reaches by itself, lines and branches together."""
IMPORTING = r"^$"


def main() -> int:
    measured = coverage.Coverage(data_file=str(ROOT / ".coverage"), config_file=True)
    measured.load()
    failures = [line for path in security_modules() for line in shortfall(measured, path)]
    total = report(measured, None, None)["totals"]["percent_covered"]
    print(f"coverage on the whole: {total:.1f} % (at least {REST} % wanted)")
    if total < REST:
        failures.append(f"on the whole: {total:.1f} %")
    for package in PACKAGES:
        reached = percent_of(measured, package)
        print(f"coverage of {package}: {reached:.1f} %")
        if reached < PACKAGES[package]:
            failures.append(f"{package} on its own: {reached:.1f} %")
    for failure in failures:
        print(f"not covered: {failure}")
    return 1 if failures else 0


def security_modules() -> list[Path]:
    found: list[Path] = []
    for name in SECURITY:
        path = ROOT / name
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if path.name != "__init__.py"]


def mirrors(path: Path) -> str:
    """A pattern of the contexts that belong to the module's own test file or files."""
    inner = path.relative_to(ROOT)
    return rf"tests/{re.escape(str(inner.parent))}/test_{re.escape(inner.stem)}(_\w+)?\.py::"


def shortfall(measured: coverage.Coverage, path: Path) -> list[str]:
    name = str(path.relative_to(ROOT))
    files = report(measured, path, [IMPORTING, mirrors(path)])["files"]
    if name not in files:
        return [f"{name}: not measured at all"]
    found = files[name]
    lines, branches = found["missing_lines"], found.get("missing_branches", [])
    if not lines and not branches:
        return []
    where = ", ".join(str(line) for line in lines[:8])
    arcs = ", ".join(f"{a}->{b}" for a, b in branches[:5])
    return [f"{name} by its own test file: lines {where or 'all'}; branches {arcs or 'all'}"]


def percent_of(measured: coverage.Coverage, package: str) -> float:
    """Lines and branches of everything below; coverage.py reports files, not folders."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        measured.json_report(include=[f"{ROOT}/{package}/*"], outfile=file.name, contexts=None)
        found: float = json.loads(Path(file.name).read_bytes())["totals"]["percent_covered"]
    return found


def report(measured: coverage.Coverage, path: Path | None, contexts: list[str] | None) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        measured.json_report(
            morfs=[str(path)] if path else None, outfile=file.name, contexts=contexts
        )
        return json.loads(Path(file.name).read_bytes())


if __name__ == "__main__":
    sys.exit(main())
