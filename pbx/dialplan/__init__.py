"""Number to route: pure functions over a snapshot of the directory."""
