"""`pbx config`: check the file, show it with its defaults."""

from pathlib import Path
from typing import Annotated

import typer

from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, layout_of, say
from pbx.config import Config, ConfigError, as_toml, load, whole

app = typer.Typer(no_args_is_help=True, help="Check and show the configuration.")

FileArgument = Annotated[
    Path | None, typer.Argument(help="The file; by default the one in the data directory.")
]


def _loaded(file: Path | None, data: Path | None) -> tuple[Path, Config]:
    path = file or layout_of(data).config_file
    try:
        return path, load(path)
    except ConfigError as error:
        raise CommandError(str(error), Exit.USAGE) from None


@app.command()
def check(file: FileArgument = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Check the configuration without starting anything.

    Example: pbx config check /etc/pbx-new.toml
    """
    if not json:
        say(f"{_loaded(file, data)[0]}: nothing wrong.")
        return
    try:
        _loaded(file, data)
    except CommandError as wrong:
        as_json({"wrong": [wrong.sentence]})
        raise
    as_json({"wrong": []})


@app.command()
def show(file: FileArgument = None, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the whole configuration, defaults included; secrets never.

    Example: pbx config show --json
    """
    _, config = _loaded(file, data)
    if json:
        as_json(whole(config))
    else:
        say(as_toml(config).rstrip())
