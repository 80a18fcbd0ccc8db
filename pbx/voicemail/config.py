"""The `[voicemail]` table."""

import msgspec


class NoticeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[voicemail.notice]: an e-mail that says no more than that a message came; off by default."""

    server: str = ""
    """An SMTP server that speaks TLS from the first byte. Empty: nothing is ever sent."""

    port: int = 465
    sender: str = ""
    user: str = ""
    password_file: str = ""
    says_when: bool = False
    """Whether the hour stands in it."""

    alarms_to: str = ""
    """The practice manager's address: told when messages cannot be heard for long."""

    addresses: dict[str, str] = {}
    """Extension to e-mail address; whoever is not here gets none."""

    def __post_init__(self) -> None:
        if self.server and "@" not in self.sender:
            raise ValueError("sender: is an e-mail address where there is a server")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("password_file: belongs with user, and user with it")
        if not all(map(_is_address, (*filter(None, (self.alarms_to,)), *self.addresses.values()))):
            raise ValueError("alarms_to, addresses: are e-mail addresses")
        if not 1 <= self.port <= 65_535:
            raise ValueError("port: is between 1 and 65535")


def _is_address(text: str) -> bool:
    return "@" in text and text.isascii() and text.isprintable()


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

    purge_first_seconds: int = 300
    """Seconds from a start to its first purge."""

    notice: NoticeConfig = msgspec.field(default_factory=NoticeConfig)

    def __post_init__(self) -> None:
        if not 10 <= self.limit_seconds <= 1_800:
            raise ValueError("limit_seconds: 10 to 1800")
        if not (self.silence_seconds == 0 or 3 <= self.silence_seconds <= 60):
            raise ValueError("silence_seconds: 3 to 60, or 0 for never")
        if not 30 <= self.idle_seconds <= 300:
            raise ValueError("idle_seconds: 30 to 300")
        if not 1 <= self.purge_first_seconds <= 86_400:
            raise ValueError("purge_first_seconds: 1 to 86400")
        if not 1 <= self.away_minutes <= 1_440:
            raise ValueError("away_minutes: 1 to 1440")
        if not (
            len(self.urgent_number) <= 15 and all(c in "0123456789" for c in self.urgent_number)
        ):
            raise ValueError("urgent_number: up to 15 digits")
        if not 1 <= self.purge_hours <= 168:
            raise ValueError("purge_hours: 1 to 168")
