"""Table of shared mailboxes: what each is called. Who may open one, the key holder decides."""

from sqlalchemy import Column, LargeBinary

from storage.models.columns import Identifier, Micros, Whole, strict_table

shared_mailbox = strict_table(
    "shared_mailbox",
    Column("id", Identifier, primary_key=True),
    Column("label_sealed", LargeBinary, nullable=False),
    Column("label_index", LargeBinary, nullable=False, unique=True),
    Column("created_at", Micros, nullable=False),
    Column("version", Whole, nullable=False, server_default="1"),
)
