"""Every command by name and in one line; its module is imported when it is called.

All of them together import the database, the interface's framework and most of the cryptography,
two seconds of processor time; `pbx status` needs none of it.
"""

import re
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

Command = TyperCommand | TyperGroup

LINES: Final = {
    "quickstart": "Make an installation with safe defaults if there is none, then run it.",
    "init": "Make the data directory: configuration, keys, database, first administrator.",
    "serve": "Run the exchange until Ctrl-C or SIGTERM.",
    "restart": "Restart the exchange; whoever talks goes on talking.",
    "status": "Show what is running and what deserves attention; exit 1 if something does.",
    "console": "Watch health, calls, phones, alarms, exceptions and the ledger's end.",
    "doctor": "Attack the running exchange and say what holds; exit 1 if something does not.",
    "login": "Sign in with password and second factor.",
    "logout": "Sign out.",
    "whoami": "Show whose session this is, and what it may do.",
    "enrol": "Use a one-time enrolment code: set your password and second factor.",
    "password": "Change your own password; nobody can set another person's.",
    "second-factor": "Replace your own second factor and recovery codes.",
    "factor": "Security keys beside your app: add, list, remove.",
    "pin": "Set your own PIN for the telephone.",
    "person": "People: add, show, suspend, and end their access.",
    "operator": "Operators at other machines: their certificates.",
    "organisation": "The organisation: show and name it.",
    "site": "Sites: add, list, show, rename, locate, remove.",
    "extension": "Extensions: assign, release, show.",
    "group": "Ring groups: add, set, members, remove.",
    "mailbox": "Mailboxes: make shared ones, show them, members.",
    "voicemail": "Voicemail: hear, export, delete, hold, purge.",
    "device": "Phones: add, place, assign, lock out.",
    "registrations": "Show which phones are registered, from where, and how they logged in.",
    "calls": "Show the calls that are up; no number, no name of a person.",
    "call": "Calls: records, receipts, hanging up, testing.",
    "role": "Roles: the table, and grants from request to end.",
    "approval": "The second person's yes or no.",
    "breakglass": "Break-glass: somebody else's mailbox for half an hour, by two people.",
    "policy": "Policy values: show and change them.",
    "exceptions": "Exceptions: owner, reason, expiry.",
    "sessions": "Live sessions: see them, end them.",
    "history": "Show what happened to one object, with before and after, from the ledger.",
    "undo": "Undo the last change: whose a number is, what a group is, how somebody is reached.",
    "audit": "The audit ledger: ask it, verify it, anchor its heads.",
    "cert": "List, renew, revoke and import certificates.",
    "keys": "Keys: state, rotation, recovery, backup.",
    "config": "Check and show the configuration.",
    "db": "Upgrade the database and show its schema.",
    "manual": "Print the manual page, for man(1).",
}
"""What `pbx --help` says of each, in its order."""

ELSEWHERE: Final = {
    **dict.fromkeys(("logout", "whoami", "enrol", "password", "second-factor", "pin"), "login"),
    "undo": "extension",
    "calls": "call",
}
"""Commands that stand in another one's file; the others stand in a file of their name."""


SENTENCE: Final = re.compile(r"(.+?[.!?])(?:\s|$)", re.DOTALL)
EXAMPLE: Final = re.compile(r"\s+(Example: .*(?:\n.+)*)")
WIDTH: Final = 78
"""Columns of help on a terminal of 80."""
CONTINUED: Final = " \\\n    "


class Deferred(TyperCommand):
    """Stands for a command until it is called: enough of it for help and completion."""

    def __init__(self, name: str) -> None:
        super().__init__(name, help=LINES[name], short_help=LINES[name], rich_markup_mode=None)

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        return self.whole().make_context(*arguments, **extra)

    def whole(self) -> Command:
        """The command itself: a noun with verbs (`app`), or a function of the command's name."""
        name = str(self.name)
        module = import_module(f"pbx.cli.{ELSEWHERE.get(name, name)}")
        shell = typer.Typer(add_completion=False, rich_markup_mode=None)
        if hasattr(module, "app") and name not in ELSEWHERE:
            shell.add_typer(module.app, name=name)
        else:
            shell.command(name)(getattr(module, name.replace("-", "_")))
        command = typer.main.get_group(shell).commands[name]
        if not isinstance(command, Command):
            raise TypeError("a command is one of Typer's")
        return laid_out(command)


def laid_out(command: Command) -> Command:
    """Lists show the whole first sentence of each verb; examples stand on lines of their own,
    which no width of the terminal breaks."""
    if isinstance(command, TyperGroup):
        for verb in command.commands.values():
            if isinstance(verb, Command):
                laid_out(verb)
    text = command.help or ""
    if found := SENTENCE.match(text):
        command.short_help = " ".join(found[1].split())
    command.help = EXAMPLE.sub(lambda example: "\n\n\b\n" + _on_lines(example[1]), text)
    return command


def _on_lines(example: str) -> str:
    """As a shell takes it, best before an option, where one line of the terminal is too short."""
    example = " ".join(example.split("\n"))
    if len(example) <= WIDTH:
        return example
    at = max(example.rfind(" --", 0, WIDTH - 1), 0) or example.rfind(" ", 0, WIDTH - 1)
    return f"{example[:at]}{CONTINUED}{example[at + 1 :]}"


class Nouns(TyperGroup):
    """The `pbx` command itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name in LINES:
            self.add_command(Deferred(name), name)
