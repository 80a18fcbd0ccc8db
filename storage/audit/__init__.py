"""Questions to the ledger and the tables beside it. Nothing here opens anything sealed."""
