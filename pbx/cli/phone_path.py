"""How commands name a phone."""

from typing import Annotated
from urllib.parse import quote

import typer

LabelArgument = Annotated[str, typer.Argument(help="What the phone is called.")]


def path_of(label: str, verb: str = "") -> str:
    return f"/v1/devices/{quote(label, safe='')}{verb}"
