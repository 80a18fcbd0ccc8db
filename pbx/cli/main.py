"""Entry point of the `pbx` command."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def root() -> None:
    """A private telephone exchange for clinics."""


def main() -> None:
    app()
