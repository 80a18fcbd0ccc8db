"""How long something lasts, for tables and lines that people read."""


def lasting(seconds: int) -> str:
    """How long something lasts, in the largest unit alone."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
