"""The body of a message-summary notification (RFC 3842 §5.2): counts, and nothing else."""

from storage.messages import Counts

PACKAGE = "message-summary"
CONTENT_TYPE = "application/simple-message-summary"
MAILBOX_NUMBER = "*97"
"""What the message key of a phone dials."""

NOTHING = Counts()


def summary(counts: Counts, domain: str) -> bytes:
    """Nobody's name, no number: how many are new and old, and of those urgent."""
    waiting = "yes" if counts.new else "no"
    return (
        f"Messages-Waiting: {waiting}\r\n"
        f"Message-Account: sip:{MAILBOX_NUMBER}@{domain}\r\n"
        f"Voice-Message: {counts.new}/{counts.old} ({counts.urgent_new}/{counts.urgent_old})\r\n"
    ).encode()
