"""What the supervisor and its children agree on: lifeline, accounts, limits, backoff."""
