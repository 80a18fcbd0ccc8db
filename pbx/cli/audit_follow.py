"""`pbx audit search --follow`: rows as they come."""

import sys
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from pbx.admin.wire.audit import FollowView, RowsView, RowView
from pbx.cli.audit_rows import as_line, line_of
from pbx.cli.client import AdminClient
from pbx.cli.live import EVERY
from pbx.cli.output import printable, say

REMEMBERED = 1_000
"""Rows of the first answers, which come twice where one was written between the two."""


def follow(client: AdminClient, body: dict[str, Any], *, json: bool, every: float = EVERY) -> None:
    """Until Ctrl-C, or until the session ends."""
    path = "/v1/audit/follow"
    begun = client.post(path, FollowView, body)
    past = client.post("/v1/audit/search", RowsView, body)
    shown = deque(((row.writer, row.sequence) for row in past.rows), maxlen=REMEMBERED)
    _print(reversed(past.rows), json=json)
    if begun.hidden and not json:
        say(f"note  {begun.hidden}")
    last = begun.last
    while True:
        found = client.post(path, FollowView, body | {"last": last})
        _print((row for row in found.rows if (row.writer, row.sequence) not in shown), json=json)
        if found.last == last or len(found.rows) < body["page"]:
            time.sleep(every)
        last = found.last


def _print(rows: Iterable[RowView], *, json: bool) -> None:
    for row in rows:
        say(as_line(row) if json else printable("  ".join(cell for cell in line_of(row) if cell)))
    sys.stdout.flush()  # to a program as well, row by row
