"""The body of a notification: counts alone."""

from pbx.voicemail.summary import summary
from storage.messages import Counts


def test_only_counts_are_said() -> None:
    assert summary(Counts(2, 1, 1, 0), "pbx.internal") == (
        b"Messages-Waiting: yes\r\n"
        b"Message-Account: sip:*97@pbx.internal\r\n"
        b"Voice-Message: 2/1 (1/0)\r\n"
    )


def test_old_messages_light_no_lamp() -> None:
    assert summary(Counts(0, 3), "x").startswith(b"Messages-Waiting: no\r\n")
