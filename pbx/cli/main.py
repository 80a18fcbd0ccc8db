"""Entry point of the `pbx` command: the nouns of pbx/cli/nouns.py, one way to fail."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from pbx import logs
from pbx.cli.nouns import Nouns
from pbx.cli.output import CommandError, Exit, say, warn
from pbx.cli.remote import HERE_ONLY, Remote, remote, why
from pbx.version import VERSION

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""

app = typer.Typer(
    name="pbx",
    cls=Nouns,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "A private telephone exchange for clinics.\n\n"
        "The data directory is /var/lib/hipaa-pbx for root, else ~/.local/share/hipaa-pbx; "
        "--data or PBX_DATA name another.\n\n"
        "Exit codes: 0 done, 1 found something, 2 usage, 3 refused, 4 unavailable."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"pbx {VERSION}")
        raise typer.Exit


ServerOption = Annotated[
    str,
    typer.Option("--server", envvar="PBX_SERVER", help="https://HOST:PORT of another machine."),
]
IdentityOption = Annotated[
    Path | None,
    typer.Option(
        "--identity", envvar="PBX_IDENTITY", help="What `pbx operator certify` wrote; for --server."
    ),
]
CertOption = Annotated[
    Path | None,
    typer.Option("--cert", envvar="PBX_CERT", help="Instead of operator.pem in --identity."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", envvar="PBX_KEY", help="Where --cert has no key in it.")
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", envvar="PBX_CA", help="Instead of root.pem in --identity."),
]


TicketOption = Annotated[
    str,
    typer.Option("--ticket", envvar="PBX_TICKET", help="Why a change is made; kept, sealed."),
]


@app.callback()
def root(
    context: typer.Context,
    server: ServerOption = "",
    identity: IdentityOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    ca: CaOption = None,
    ticket: TicketOption = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and stop.")
    ] = False,
) -> None:
    """Runs before every command."""
    why.set(ticket)
    if not server:
        remote.set(None)
        return
    if context.invoked_subcommand in HERE_ONLY:
        raise CommandError(
            f"pbx {context.invoked_subcommand} works on the exchange's own machine alone; "
            "leave --server out.",
            Exit.USAGE,
        )
    folder = identity or Path.home() / ".config" / "hipaa-pbx"
    remote.set(Remote(server=server, identity=folder, cert=cert, key=key, ca=ca))


def main() -> None:
    _streams()
    logs.configure(process="pbx")
    logs.take_over()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs one command and returns its exit code; whatever goes wrong ends as one sentence."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="pbx", standalone_mode=False)
        sys.stdout.flush()
    except CommandError as error:
        warn(error.sentence)
        return error.code
    except typer.TyperException as error:
        return _misused(error)
    except (KeyboardInterrupt, typer.Abort):
        warn("Stopped.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough; leave nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except OSError as error:
        warn(f"{error.filename or 'The system'}: {error.strerror or 'an error without a name'}.")
        return Exit.UNAVAILABLE
    except UnicodeError:
        warn("What was typed, or read from a file, is not text in UTF-8; set the terminal to it.")
        return Exit.USAGE
    except Exception:  # noqa: BLE001  # the one place where a command's own fault ends
        structlog.get_logger().exception("the command failed on an error nobody expected")
        warn("This command failed by a fault of ours; its type and place are logged above.")
        return Exit.UNAVAILABLE
    if code == INTERRUPTED:
        warn("Stopped.")
    return code if isinstance(code, int) else Exit.DONE


def _streams() -> None:
    """Where a stream was closed (`>&-`) nothing is read or written; what the terminal's own
    alphabet has not is shown as a question mark."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # for the whole run
        elif mode == "w":
            stream.reconfigure(errors="replace")


def _misused(error: typer.TyperException) -> int:
    """Wrong usage is one sentence with the way to the help; no arguments at all is the help."""
    message = str(getattr(error, "format_message", error.__str__)())
    if message.startswith("Usage:"):
        say(message)
        return Exit.USAGE
    context: typer.Context | None = getattr(error, "ctx", None)
    warn(f"{_sentence(message)} See: {context.command_path if context else 'pbx'} --help")
    return Exit.USAGE


def _sentence(message: str) -> str:
    """On one line, without the words of the library that checks types."""
    plain = " ".join(message.split()).replace("Value error, ", "")
    rule, found, _ = plain.partition("Input should be a valid UUID")
    plain = f"{rule}it is an identifier, as lists show it" if found else plain
    rule, found, _ = plain.partition("Input should be a valid integer")
    plain = f"{rule}it is a whole number" if found else plain
    return plain if plain.endswith((".", "?", "!")) else f"{plain}."
