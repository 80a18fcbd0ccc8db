"""Tables for questions to the ledger: which calls and messages a number stands in.

A value is made by the key holder's index key alone: it says that two numbers are the same, and
nothing about either. What could not be indexed in its hour is counted: an answer says so.
"""

from sqlalchemy import Column, Index, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Whole, strict_table

number_index = strict_table(
    "number_index",
    Column("value", LargeBinary, primary_key=True),
    Column("subject_id", Identifier, primary_key=True),
    Column("subject_kind", Text, nullable=False),
    Column("occurred_at", Micros, nullable=False),
    Index("ix_number_index_subject_id", "subject_id"),
)
"""An empty value: the call or message has no number."""

number_gap = strict_table(
    "number_gap",
    Column("records_key_id", Identifier, primary_key=True),
    Column("made_at", Micros, nullable=False),
    Column("count", Whole, nullable=False),
)
"""Calls and messages of one hour that were not indexed before its key was dropped."""
