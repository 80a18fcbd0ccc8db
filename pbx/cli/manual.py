"""The manual page, generated from the commands themselves (man(7) macros)."""

from collections.abc import Iterator

import typer
from typer.core import TyperGroup

from pbx.cli.nouns import CONTINUED, Command, Deferred
from pbx.cli.output import say
from pbx.version import VERSION

_SECTION = 1


def manual(context: typer.Context) -> None:
    """Print the manual page, for man(1).

    Example: pbx manual > /usr/local/share/man/man1/pbx.1
    """
    root = context.find_root().command
    if isinstance(root, TyperGroup):
        say(page(root, VERSION).rstrip())


def page(root: Command, version: str) -> str:
    """The whole tree of commands as one page for `man`."""
    name = root.name or "pbx"
    lines = [
        f'.TH {name.upper()} {_SECTION} "" "hipaa-pbx {_text(version)}" "User Commands"',
        ".SH NAME",
        f"{name} \\- {_text(_first_sentence(root))}",
        ".SH SYNOPSIS",
        f".B {name}",
        ".I command",
        "[\\fIoptions\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or ""),
        ".SH OPTIONS",
        *_options(root, name),
        ".SH COMMANDS",
    ]
    for path, command in commands(root, name):
        lines += _command(path, command)
    return "\n".join(lines) + "\n"


def commands(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    """Every command that does something, with the words that call it."""
    if isinstance(command, Deferred):
        yield from commands(command.whole(), path)
    elif isinstance(command, TyperGroup):
        for name, child in sorted(command.commands.items()):
            if not child.hidden and isinstance(child, Command):
                yield from commands(child, f"{path} {name}")
    else:
        yield path, command


def _command(path: str, command: Command) -> list[str]:
    with typer.Context(command, info_name=path) as context:
        usage = " ".join(command.collect_usage_pieces(context))
    head = f".SS {_text(path)} {_text(usage)}"
    return [head, *_paragraphs(command.help or ""), *_options(command, path)]


def _options(command: Command, path: str) -> list[str]:
    """Options and arguments, each with its meaning."""
    lines: list[str] = []
    with typer.Context(command, info_name=path) as context:
        for parameter in command.params:
            if (record := parameter.get_help_record(context)) is not None:
                names, meaning = record
                lines += [".TP", f".B {_text(names)}", _text(meaning)]
    return lines


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.replace("\b", "").replace(CONTINUED, " ").split("\n\n"):
        lines += [".PP", *(_text(line.strip()) for line in paragraph.splitlines() if line.strip())]
    return lines


def _first_sentence(command: Command) -> str:
    return (command.help or "").strip().split("\n")[0].rstrip(".")


def _text(text: str) -> str:
    """Plain text for roff: no line can become a request, no hyphen a dash."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
