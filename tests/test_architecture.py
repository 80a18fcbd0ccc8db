"""The arrows: who may import whom. ARCHITECTURE.md says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("pbx", "media", "storage", "certs", "migrations")

ALLOWED: dict[str, tuple[str, ...]] = {
    "media": ("media",),
    "storage": ("storage", "migrations"),
    "certs": ("certs",),
    "migrations": ("storage", "migrations"),
    "pbx.sip": ("pbx.sip",),
    "pbx.dialplan": ("pbx.dialplan",),
    "pbx": (
        "pbx",
        "storage",
        "certs",
        "media.client",
        "media.config",
        "media.prompts",
        "media.recordings",
        "media.sound_files",
        "media.sdp",
    ),
}
"""The longest name that fits a module decides. `pbx.config` assembles `media.config`, and
`pbx init` has `media.prompts` made."""

ASSEMBLERS = {"pbx.service", "pbx.exchange"}
"""Only these construct processes, and may therefore reach into media.worker."""

ARCHITECTURAL = {"asyncio", "socket", "ssl", "select", "threading", "time", "random"}
"""What sans-IO code may not touch."""


def modules() -> Iterator[tuple[str, Path]]:
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = list(modules())


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def allowed_for(module: str) -> tuple[str, ...]:
    return ALLOWED[max((p for p in ALLOWED if within(module, p)), key=len)]


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_every_import_follows_an_arrow(module: str, path: Path) -> None:
    allowed = allowed_for(module)
    if module in ASSEMBLERS:
        allowed = (*allowed, "media")
    for line, name in imports(path):
        if any(within(name, top) for top in OURS):
            assert any(within(name, package) for package in allowed), f"line {line}: {name}"


@pytest.mark.parametrize("package", ["pbx.sip", "pbx.dialplan"])
def test_pure_packages_touch_no_clock_and_no_socket(package: str) -> None:
    for module, path in MODULES:
        if within(module, package):
            for line, name in imports(path):
                assert name.split(".")[0] not in ARCHITECTURAL, f"{module} line {line}: {name}"


def test_nothing_but_the_assemblers_imports_the_service() -> None:
    for module, path in MODULES:
        if module not in ASSEMBLERS:
            for line, name in imports(path):
                assert not within(name, "pbx.service"), f"{module} line {line}"


def test_relative_imports_are_not_used() -> None:
    for module, path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module} line {node.lineno}"


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "manager", "handler"])
def test_no_module_is_named_for_nothing(word: str) -> None:
    assert [module for module, _ in MODULES if word in module.split(".")[-1]] == []
