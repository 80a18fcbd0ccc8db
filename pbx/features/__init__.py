"""What a caller can meet: one coroutine a file."""
