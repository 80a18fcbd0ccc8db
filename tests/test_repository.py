"""What the repository may not hold: keys, certificates, dumps, recordings, checks by `assert`."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("pbx", "media", "storage", "certs", "migrations")
BAD_SUFFIXES = {
    ".pem", ".key", ".crt", ".cer", ".der", ".p12", ".pfx", ".jks", ".kdbx",
    ".sqlite", ".sqlite3", ".db", ".dump", ".pcap", ".pcapng", ".core",
    ".wav", ".mp3", ".ogg", ".flac", ".opus", ".gsm", ".m4a",
}  # fmt: skip
KEY_BLOCK = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\\?[\sn]+[A-Za-z0-9+/=]{40}")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def python_sources() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and _top(path) in SOURCES]


def _top(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def test_no_key_certificate_dump_or_recording_is_tracked() -> None:
    found = [path for path in tracked() if path.suffix.lower() in BAD_SUFFIXES]
    # Prompts the package speaks are made when it is built and named for what they are.
    assert [path for path in found if "prompts" not in path.parts] == []


def test_no_private_key_stands_in_any_text() -> None:
    found = [path for path in tracked() if KEY_BLOCK.search(path.read_bytes())]

    assert found == []


@pytest.mark.parametrize("path", python_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_input_is_checked_by_assert(path: Path) -> None:
    """`python -O` would drop the check. Telling mypy a type that cannot be another is no check."""
    asserts = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert) and not ast.unparse(node.test).startswith("isinstance(")
    ]

    assert asserts == []


@pytest.mark.parametrize("path", python_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_log_line_is_a_constant_sentence(path: Path) -> None:
    """A value in the sentence would pass the allow-list of keys unseen."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in levels
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"log", "logger"}
        ):
            assert node.args, f"line {node.lineno} says nothing"
            first = node.args[0]
            assert isinstance(first, ast.Constant), f"line {node.lineno} is not a constant"
            assert isinstance(first.value, str)


def test_tests_are_not_packages() -> None:
    """A tests/pbx/__init__.py would make `import pbx` mean tests/pbx."""
    assert [p for p in tracked() if p.name == "__init__.py" and _top(p) == "tests"] == []


def test_the_top_level_is_as_described() -> None:
    folders = {_top(path) for path in tracked() if path.parent != ROOT}

    assert folders <= {*SOURCES, "tests", "deploy", "docs", ".ci"}
