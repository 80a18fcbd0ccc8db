"""A notice by e-mail that a message came, and nothing else: off unless it is set up.

No name, no number, no sound; the hour only where `says_when` wants it. SMTP over TLS from the
first byte, with the server's certificate checked; there is no other way to send it.
"""

from __future__ import annotations

import asyncio
import itertools
import smtplib
import ssl
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import structlog

from pbx.voicemail.config import NoticeConfig

log = structlog.get_logger()

PATIENCE = 20.0
AGAIN = (30.0, 300.0, 900.0)
"""Seconds until what was not sent is tried again; an alarm for as long as it holds."""
MOST = 200
"""Notices that wait for a server to come back; what comes then is not sent."""
WORDS = "There is a new message in your mailbox. Call *97 to hear it."

ALARM = (
    "The key holder is away: messages can be left, and cannot be heard. Callers are told so. "
    "Look with `pbx status`, unlock with `pbx keys unlock`."
)


class Notices:
    """`send` never holds anything up, and never fails anybody."""

    def __init__(
        self,
        config: Callable[[], NoticeConfig],
        context: ssl.SSLContext | None = None,
        again: Sequence[float] = AGAIN,
    ) -> None:
        self._config = config
        self._context, self._again = context, again
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.Task[None] | None = None
        self.failed = 0
        """Tries since the last that succeeded: an alarm."""

    @property
    def config(self) -> NoticeConfig:
        return self._config()

    def send(self, address: str, at: int) -> None:
        """In a while, in a thread of its own."""
        if self.config.server and len(self._tasks) < MOST:
            self._begin(written(self.config, address, at), self._again)

    def alarm(self) -> None:
        """To whoever manages the practice: nobody can hear messages."""
        config = self.config
        if config.server and config.alarms_to:
            last = itertools.repeat(self._again[-1])
            self._alarm = self._begin(alarmed(config), itertools.chain(self._again, last))

    def over(self) -> None:
        """Messages can be heard again: an alarm that could not be sent is not sent any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _begin(self, message: EmailMessage, again: Iterable[float]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._send(message, again), name="notice")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def idle(self) -> None:
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """What waits for a server to come back is not sent."""
        for task in self._tasks:
            task.cancel()
        await self.idle()

    async def _send(self, message: EmailMessage, again: Iterable[float]) -> None:
        pauses = iter(again)
        while self.config.server and not await self._is_sent(message):
            pause = next(pauses, None)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _is_sent(self, message: EmailMessage) -> bool:
        try:
            await asyncio.to_thread(self._deliver, self.config, message)
        except (OSError, smtplib.SMTPException) as failure:
            self.failed += 1
            log.warning("a notice was not sent", reason=type(failure).__name__)
            return False
        self.failed = 0
        return True

    def _deliver(self, config: NoticeConfig, message: EmailMessage) -> None:
        context = self._context or ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with smtplib.SMTP_SSL(
            config.server, config.port, context=context, timeout=PATIENCE
        ) as server:
            if config.user:
                password = Path(config.password_file).read_text(encoding="utf-8").strip()
                server.login(config.user, password)
            server.send_message(message)


def alarmed(config: NoticeConfig) -> EmailMessage:
    """For the practice manager; of no message and nobody."""
    message = EmailMessage()
    message["From"], message["To"] = config.sender, config.alarms_to
    message["Subject"] = "Voicemail cannot be heard"
    message.set_content(ALARM)
    return message


def written(config: NoticeConfig, address: str, at: int) -> EmailMessage:
    """The whole of it."""
    message = EmailMessage()
    message["From"], message["To"] = config.sender, address
    message["Subject"] = "You have a new message"
    words = WORDS
    if config.says_when:
        moment = datetime.fromtimestamp(at / 1_000_000, UTC).astimezone()
        words += f" It came at {moment:%H:%M}."
    message.set_content(words)
    return message
