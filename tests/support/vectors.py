"""Reads tests/vectors/*.txt: messages written as in RFC 4475 section 2."""

from __future__ import annotations

import re
from pathlib import Path

VECTORS = Path(__file__).parent.parent / "vectors"


def messages(name: str) -> dict[str, bytes]:
    """The messages of one file by name, as they are on the wire."""
    text = (VECTORS / f"{name}.txt").read_text()
    found: dict[str, bytes] = {}
    for part in re.split(r"(?m)^@@ ", text)[1:]:
        title, _, body = part.partition("\n")
        found[title.split(" ")[0]] = _wire(body)
    return found


def _wire(text: str) -> bytes:
    text = text.replace("<join>\n", "")
    text = re.sub(
        r"<repeat count=(\d+)>(.*?)</repeat>", lambda match: match[2] * int(match[1]), text
    )
    pieces = re.split(r"<hex>([0-9A-F]*)</hex>", text.replace("\n", "\r\n"))
    return b"".join(
        bytes.fromhex(piece) if place % 2 else piece.encode() for place, piece in enumerate(pieces)
    )
