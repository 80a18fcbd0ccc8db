"""The `[voicemail]` table."""

import msgspec


class VoicemailConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How messages are left and heard."""

    limit_seconds: int = 180
    """A message is no longer than this."""

    silence_seconds: int = 10
    """So much silence at a stretch ends a message; 0: none does."""

    idle_seconds: int = 300
    """A listener who presses nothing for so long is hung up on; at most five minutes."""

    away_minutes: int = 10
    """The key holder away for longer: callers hear that messages cannot be heard at present."""

    urgent_number: str = ""
    """Whom to dial then if it is urgent: digits, said one by one. Empty: "by other means"."""

    purge_hours: int = 24
    """Hours between two purges by the retention rules."""

    def __post_init__(self) -> None:
        if not 10 <= self.limit_seconds <= 1_800:
            raise ValueError("limit_seconds: 10 to 1800")
        if not (self.silence_seconds == 0 or 3 <= self.silence_seconds <= 60):
            raise ValueError("silence_seconds: 3 to 60, or 0 for never")
        if not 30 <= self.idle_seconds <= 300:
            raise ValueError("idle_seconds: 30 to 300")
        if not 1 <= self.away_minutes <= 1_440:
            raise ValueError("away_minutes: 1 to 1440")
        if not (
            len(self.urgent_number) <= 15 and all(c in "0123456789" for c in self.urgent_number)
        ):
            raise ValueError("urgent_number: up to 15 digits")
        if not 1 <= self.purge_hours <= 168:
            raise ValueError("purge_hours: 1 to 168")
