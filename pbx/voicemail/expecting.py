"""What the ledger row of a message says of its file."""

from media.client import Interrupted, Whole
from storage.messages import Message


def expectation(message: Message) -> Whole | Interrupted:
    """A file that a crash cut short opens with exactly what its recovery recorded."""
    if message.is_complete:
        return Whole(message.digest)
    return Interrupted(message.segments, message.digest)
