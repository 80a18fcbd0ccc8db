"""No privileged path without a row: the paths are found in the running program, not listed here.

Found are the API's routes, every verb of a store that opens a sealed field, every act of the key
holder, and every command. A path that nobody drives, or that leaves nothing, fails the build.
"""

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import storage
from pbx.access.roles import Role
from pbx.admin.rules import declared
from pbx.cli import main as cli
from pbx.cli.manual import Command, commands
from pbx.reconciling import Reconciler
from storage.keyholder import acts, decisions
from storage.ledger import reconciliation
from storage.ledger.reconciliation import GRACE
from storage.sealed.fields import FieldKey
from tests.support import privileges
from tests.support.clinic import Clinic, application
from tests.support.privileges import USES

LATER = {
    # By telephone (tests/scenarios/test_voicemail.py).
    acts.PhoneLogIn,
    # The exchange's own start, by `pbx init`.
    acts.Bootstrap,
}


class Watched(FieldKey):
    """Remembers who opened a sealed field."""

    def __init__(self, key: bytes, purpose: str) -> None:
        super().__init__(key, purpose)
        self.openers: set[str] = set()

    def open(self, sealed: bytes, cell: Any) -> str:
        frame, left = inspect.currentframe(), 6
        while frame is not None and left:
            path = Path(frame.f_code.co_filename)
            if path.parent.name == "storage":
                self.openers.add(f"{path.stem}.{frame.f_code.co_name}")
            frame, left = frame.f_back, left - 1
        return super().open(sealed, cell)


@pytest.fixture
def field_key() -> Watched:
    """In place of the clinic's own."""
    return Watched(bytes(range(32)), "directory")


def openers_in_source() -> set[str]:
    """Every function of a store in which a sealed field is opened."""
    found = set()
    for path in Path(storage.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                isinstance(call, ast.Call) and ast.unparse(call.func) == "self._fields.open"
                for call in ast.walk(node)
            ):
                found.add(f"{path.stem}.{node.name}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_route_and_every_opening_leaves_a_row(
    clinic: Clinic, field_key: Watched
) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    officer = await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    for method, path, _, rule in declared(application()):
        who = manager if "proposals" in path else root
        if "holds" in path or "glass" in path or "audit" in path:
            who = officer
        await clinic.present(who)
        count = await clinic.row_count()
        opened = len(field_key.openers)
        response = await USES[method, path](clinic, who)
        rows = [row.action for row in await clinic.rows(after=count)]
        if rule.action is not None:
            assert rows, (method, path, response.text)
        else:
            assert rule.privilege is None
            assert len(field_key.openers) == opened, (method, path)
        if method == "DELETE" or path.startswith("/v1/own/"):
            who.token = ""

    await _check_closed(clinic)
    assert openers_in_source() <= field_key.openers
    await _undone(clinic)
    wanted = {
        act for act in vars(acts).values() if isinstance(act, type) and issubclass(act, acts.Act)
    }
    assert wanted - LATER - {acts.Act} <= clinic.performed
    assert set(decisions.RULES) <= clinic.performed | LATER
    await _check_closed(clinic)
    await _check_journal(clinic)


async def _check_closed(clinic: Clinic) -> None:
    """Every intent, of founding and enrolments too, was followed at once in its own operation."""
    async with clinic.plane.database.read() as connection:
        expectation = await reconciliation.expected(connection, clinic.now + 2 * GRACE)
    assert [(row.action, row.sequence) for row in expectation.intents] == []


async def _check_journal(clinic: Clinic) -> None:
    """Whatever the key holder opened, destroyed or changed meanwhile has its one row."""
    plane = clinic.plane
    reconciler = Reconciler(plane.database, plane.committer, plane.keyholder, plane.clock)
    assert (await reconciler.once()).findings == []


async def _undone(clinic: Clinic) -> None:
    """The one act that needs two changes before it: reopening a mailbox."""
    root, manager = clinic.members["root"], clinic.members["manager"]
    anna = await clinic.hire("reopened", await clinic.present(root))
    await clinic.enrol(anna, root, await clinic.present(manager))
    number = await privileges.extension(clinic, anna)
    await clinic.present(root)
    assert (await privileges.release(clinic, root, number, 2)).is_success
    waits = await privileges.undo(clinic, root, number)
    await clinic.approve(await clinic.present(manager), waits.json())


def leaves() -> list[tuple[str, Command]]:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    return list(commands(root, "pbx"))


@pytest.mark.parametrize(("path", "command"), leaves(), ids=str)
def test_every_command_has_help_with_an_example(path: str, command: Command) -> None:
    assert command.help
    assert f"Example: {path.split()[0]}" in command.help


def test_every_route_is_reached_by_a_command(clinic: Clinic) -> None:
    """Each path of the API stands in the source of some command."""
    source = "".join(path.read_text() for path in Path(inspect.getfile(cli)).parent.glob("*.py"))
    for _, path, _, _ in declared(application()):
        last = path.rstrip("/").split("/")[-1]
        noun = path.split("/")[2]
        wanted = noun if last.startswith("{") else last
        assert wanted in source, path
