"""After a crash: every recording that was begun becomes a message, or a row that says it is lost.

The workers list the files whose slots still lie beside them and which nobody records; the log of
deposits says which were begun. A file that was cut short gets a row "interrupted, n segments,
digest"; only with exactly that does it open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager

import msgspec
import structlog

from media.client import LeftRecording, MediaClient, MediaError
from pbx.voicemail.deposits import Deposits, is_too_short
from storage import greetings, messages
from storage.database import Database
from storage.deposits import Begun, OpenDeposit
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.keyholder.signing import SignedKey
from storage.messages import NewMessage

log = structlog.get_logger()

ALL = 1 << 30


class Recovery:
    """`run` until it says that nothing is left to find."""

    def __init__(
        self, deposits: Deposits, media: MediaClient, database: Database, clock: Clock
    ) -> None:
        self._deposits, self._media = deposits, media
        self._database, self._clock = database, clock
        self.found = 0
        """Messages that a crash had cut off from their rows."""
        self.cut = 0
        """Files of which somebody has taken what was durable: an alarm."""
        self.spared: set[bytes] = set()
        """Contents of files that no log knows and somebody works with: greetings that are being
        recorded or listened to, copies for a command."""

    @contextmanager
    def sparing(self, content: bytes) -> Iterator[None]:
        """While it lasts this file is not taken for one that a crash left behind."""
        self.spared.add(content)
        try:
            yield
        finally:
            self.spared.discard(content)

    async def run(self) -> bool:
        """One look; False: look again, a worker or the database is away or still records."""
        ours, cut = self._ours(), self._deposits.log.open_.keys() - self._deposits.under_way
        try:
            # Asked before the files are looked at: whatever ends in between lies among them.
            recording = (await self._media.spool()).recordings
            left = {one.content: one for one in await self._media.left_behind()}
        except MediaError:
            return False
        ours |= self._ours()
        is_recording = recording > 0 or not all(self._media.workers().values())
        await self._deposits.retry()
        try:
            async with self._database.read() as connection:
                known = frozenset(await messages.contents(connection))
                known |= {one.content for one in await greetings.all_(connection)}
                waiting = {one.content for one in await messages.not_adopted(connection, ALL)}
        except StorageError:
            return False
        if not await self._settled(left.keys() & known - waiting):
            return False
        known |= ours  # whatever was committed while we looked
        return await self._match(left, known, cut, is_recording=is_recording)

    def _ours(self) -> frozenset[bytes]:
        """What somebody works with now, or has in the log."""
        open_ = self._deposits.log.open_.keys()
        return self._deposits.under_way | self.spared | open_

    async def _settled(self, contents: Iterable[bytes]) -> bool:
        """The database has what lies beside these; a crash came before it was deleted there."""
        try:
            if settled := list(contents):
                await self._media.settle(settled)
        except MediaError:
            return False
        return True

    async def _match(
        self,
        left: dict[bytes, LeftRecording],
        known: frozenset[bytes],
        cut: Set[bytes],
        *,
        is_recording: bool,
    ) -> bool:
        """`cut` were in the log before the files were looked at, and nobody was at work on them."""
        is_done = True
        held = {
            content: one
            for content, one in self._deposits.log.open_.items()
            if content in cut and one.finished is None and not one.is_unwanted
        }
        for content, one in held.items():
            if content in left:
                await self._take(left[content], one)
            elif is_recording:
                is_done = False  # a call that outlived us, or a worker away, may still record it
            else:
                await self._deposits.lost(one)
        ours = known | self._ours()
        for content, file in left.items():
            if content not in ours:
                await self._take_unknown(file)
        return is_done

    async def _take(self, file: LeftRecording, held: OpenDeposit) -> None:
        if _is_cut(file, held):
            self.cut += 1
            await self._deposits.cut(held, file.segments)
        is_half = held.begun.is_copy and not file.is_complete
        if file.kind != "deposit" or is_half or is_too_short(file):
            await self._deposits.lost(held)
            await self._remove(file.content)
            return
        try:
            new = _message(file, held.begun)
        except (msgspec.MsgspecError, ValueError):
            log.error("a recording was found with a slot that says nothing")
            await self._deposits.lost(held)
            return
        self.found += 1
        await self._deposits.keep(new, held)

    async def _take_unknown(self, file: LeftRecording) -> None:
        """The log is gone, or the file is a greeting or a forward that nobody finished."""
        if file.kind != "deposit" or not file.segments:
            await self._remove(file.content)
            return
        try:
            key = msgspec.msgpack.decode(file.key, type=SignedKey)
        except (msgspec.MsgspecError, ValueError):
            log.error("a recording was found with a slot that says nothing")
            return
        if key.mailbox is None:
            return
        begun = Begun(
            message=new_id(self._clock), mailbox=key.mailbox, content=file.content,
            received_at=file.started,
        )  # fmt: skip
        await self._deposits.log.append(begun)
        await self._take(file, OpenDeposit(begun))

    async def _remove(self, content: bytes) -> None:
        try:
            await self._media.remove([content])
        except MediaError:
            log.warning("a file that nobody wants was not removed")


def _is_cut(file: LeftRecording, held: OpenDeposit) -> bool:
    """Whether it is less, or something else, than its worker said was durable."""
    is_other = file.segments == held.segments and file.digest != held.digest
    return bool(held.segments) and (file.segments < held.segments or is_other)


def _message(file: LeftRecording, begun: Begun) -> NewMessage:
    key = msgspec.msgpack.decode(file.key, type=SignedKey)
    return NewMessage(
        id=begun.message,
        mailbox=begun.mailbox,
        content=file.content,
        deposit_key=key.id,
        slot=file.slot,
        codec=file.codec,
        milliseconds=file.milliseconds,
        octets=0,
        segments=file.segments,
        digest=file.digest,
        received_at=begun.received_at,
        is_complete=file.is_complete,
        call=begun.call,
        forwarded_from=begun.forwarded_from,
    )
