"""Months as numbers (202611): how the ledger is cut into segments. UTC."""

from datetime import UTC, datetime

SECOND = 1_000_000


def month_of(micros: int) -> int:
    at = datetime.fromtimestamp(micros // SECOND, UTC)
    return at.year * 100 + at.month


def start_of(month: int) -> int:
    return int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp()) * SECOND


def following(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89
