"""A row of the ledger as commands show it."""

from typing import Any

import msgspec

from pbx.admin.wire.audit import RowView
from pbx.cli.moments import exactly

COLUMNS = ("WHEN", "WHO", "ACT", "OUTCOME", "WHAT", "MORE", "ROW")


def line_of(row: RowView) -> tuple[str, ...]:
    who = row.actor_name or str(row.actor or row.actor_kind)
    what = " ".join(
        part for part in (row.subject_kind, row.subject_name or str(row.subject or "")) if part
    )
    more = [] if row.after is None else [as_line(row.after)]
    more += ["(sealed words)"] if row.has_detail else []
    return (
        exactly(row.occurred_at), who, row.action, row.outcome, what, " ".join(more),
        f"{row.writer} {row.sequence}",
    )  # fmt: skip


def as_line(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()
