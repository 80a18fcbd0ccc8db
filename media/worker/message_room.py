"""Where a worker's recordings, players and entered secrets meet the verbs that ask for them.

The loop is never kept waiting: what blocks (disk, key holder, codecs) is done in threads, and the
answer goes to whoever asked when it is so.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from media.control import AnyReply, Done, Failed, Fault
from media.errors import MessageRefused, Misuse
from media.parts import LegId
from media.recording_verbs import (
    AskSpool,
    EnterSecret,
    LeftRecordings,
    ListLeft,
    Pause,
    PlayMessage,
    Record,
    RecordingVerb,
    Release,
    Remove,
    Replied,
    Reseal,
    Restart,
    Resume,
    SealedSecrets,
    SealSecrets,
    Seek,
    Settle,
    StopRecording,
)
from media.recordings import (
    Asker,
    AudioCodec,
    Greeting,
    MessageOpened,
    Played,
    Playing,
    RecordingStarted,
    Resealed,
    Resealing,
    Review,
    Spool,
    Ticketed,
)
from media.worker.codecs.conversion import pyav
from media.worker.leg import Leg
from media.worker.message_player import MessagePlayer
from media.worker.recorder import RECORDED, Recorder, Studio
from media.worker.resealing import resealed
from media.worker.secret_entry import SecretEntries
from media.worker.vault import By, Opened, Sealed

log = structlog.get_logger()

THREADS = 8
LAST_WORDS = 5.0
"""Seconds that recordings have for their ends when the worker stops."""
OPUS_SILENCE = b"\xf8\xff\xfe"
"""20 ms of it."""

V = TypeVar("V")
Value = RecordingStarted | MessageOpened | Resealed | Spool | LeftRecordings | SealedSecrets
Later = Callable[[AnyReply], None]


@dataclass(slots=True)
class Desk:
    """What one leg has with us."""

    recorder: Recorder | None = None
    reviewed: Recorder | None = None
    player: MessagePlayer | None = None
    is_opening: bool = False
    secrets: SecretEntries | None = None
    binding: bytearray = field(default_factory=bytearray)
    """What this leg vouches with for whoever signed in on it; drawn when it is first needed."""
    keeps_keys: bool = False
    """Keys go nowhere: a secret was entered, and nobody has asked for digits since."""
    is_gone: bool = False


class MessageRoom:
    """One for each worker."""

    def __init__(self, studio: Studio, later: Callable[[], Later]) -> None:
        self._studio, self._later = studio, later
        self._desks: dict[LegId, Desk] = {}
        self._recorders: set[Recorder] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="messages")

    def warm(self) -> None:
        """Have what codecs need, which takes a third of a second, before the first call."""
        self._threads.submit(pyav)

    # --- asked

    def act(
        self, number: int, verb: RecordingVerb, find: Callable[[LegId], Leg]
    ) -> AnyReply | None:
        """The answer, or None: it comes later."""
        match verb:
            case Record(leg):
                self._record(number, verb, find(leg))
            case PlayMessage(leg, playing):
                self._open(number, playing, find(leg))
            case SealSecrets(leg):
                self._seal_secrets(number, verb, self._desk(find(leg)))
            case Reseal(asked):
                self._reseal(number, asked, find)
            case Remove() | Settle() | ListLeft() | AskSpool():
                self._serve(number, verb)
            case _:
                self._change(verb, find(verb.leg))
                return Done(number)
        return None

    def let_keys_pass(self, leg: LegId) -> None:
        """Somebody has asked for digits, or for none: the secret is over."""
        desk = self._desks.get(leg)
        if desk is not None:
            desk.keeps_keys = False

    def dropped(self, leg: LegId) -> None:
        """The leg ends: its recording is finished, everything else forgotten."""
        desk = self._desks.pop(leg, None)
        if desk is None:
            return
        desk.is_gone = True
        desk.binding[:] = bytes(len(desk.binding))
        if desk.secrets is not None:
            desk.secrets.forget()
        if desk.player is not None:
            desk.player.close()
        if desk.reviewed is not None:
            desk.reviewed.forget()
        if desk.recorder is not None:
            desk.recorder.finish("hang-up")

    def close(self) -> None:
        """The worker stops: recordings get their ends."""
        for leg in list(self._desks):
            self.dropped(leg)
        for recorder in list(self._recorders):
            recorder.wait(LAST_WORDS)
        self._threads.shutdown()
        self._studio.crossing.drain()

    # --- recording

    def _record(self, number: int, verb: Record, leg: Leg) -> None:
        desk = self._desk(leg)
        if desk.recorder is not None:
            raise MessageRefused("busy")
        reply = self._later()
        if desk.reviewed is not None:
            desk.reviewed.forget()
            desk.reviewed = None
        recorder = Recorder(
            self._studio,
            leg,
            verb.recording,
            lambda started: reply(Replied(number, started)),
            lambda fault: reply(_failed(number, fault)),
            lambda recorder: self._recorded(desk, recorder),
        )
        desk.recorder = recorder
        self._recorders.add(recorder)
        self._listen(leg, desk)

    def _recorded(self, desk: Desk, recorder: Recorder) -> None:
        self._recorders.discard(recorder)
        desk.recorder = None
        if desk.is_gone:
            recorder.forget()
        else:
            desk.reviewed = recorder

    # --- playing

    def _open(self, number: int, playing: Playing, leg: Leg) -> None:
        desk, codec = self._desk(leg), RECORDED.get(leg.voice[1].name)
        if codec is None:
            raise Misuse("nothing can be played in the codec of this leg")
        if desk.recorder is not None or desk.is_opening:
            raise MessageRefused("busy")
        source: Sealed | None = None
        if isinstance(playing.opening, Review):
            kept = desk.reviewed
            if kept is None or kept.sealed is None or kept.content != playing.opening.content:
                raise MessageRefused("slot")
            source = kept.sealed
        binding = self._bound(desk)
        desk.is_opening = True
        leg.stop_playing()
        reply = self._later()

        def opened() -> Opened:
            data = self._studio.files.read(playing.opening.content)
            if source is not None:
                return source.reread(data, playing.expect)
            assert isinstance(playing.opening, Ticketed | Greeting)  # noqa: S101 - else a source
            return self._studio.vault.open(data, playing.opening, playing.expect, binding)

        def play(file: Opened) -> None:
            desk.is_opening = False
            if desk.is_gone:
                file.forget()
                return
            self._play(leg, desk, file, codec, playing)
            reply(
                Replied(
                    number,
                    MessageOpened(
                        leg.name,
                        playing.opening.content,
                        file.milliseconds,
                        file.codec,
                        file.started,
                    ),
                )
            )

        def refused(failure: AnyReply) -> None:
            desk.is_opening = False
            reply(failure)

        self._in_thread(number, opened, play, refused)

    def _play(
        self, leg: Leg, desk: Desk, file: Opened, codec: AudioCodec, playing: Playing
    ) -> None:
        silence = OPUS_SILENCE if codec == "opus" else self._studio.sounds.silence(codec)
        player = MessagePlayer(
            file, codec, silence, self._start, self._studio.crossing, playing.from_ms
        )

        def ended() -> None:
            desk.player = None
            told = Played(leg.name, playing.opening.content, player.milliseconds, player.fault)
            self._studio.tell(told)

        def stopped() -> None:
            desk.player = None
            player.close()

        leg.hear(player, ended, stopped)
        desk.player = player

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.submit(work)

    # --- what changes at once

    def _change(self, verb: RecordingVerb, leg: Leg) -> None:
        desk = self._desk(leg)
        match verb:
            case StopRecording():
                if desk.recorder is not None:
                    desk.recorder.finish("stopped")
            case EnterSecret(_, entry):
                if desk.secrets is None:
                    desk.secrets = SecretEntries(leg.name, self._studio.loop, self._studio.tell)
                desk.keeps_keys = True
                desk.secrets.begin(entry)
                self._listen(leg, desk)
            case Release():
                if desk.reviewed is not None:
                    desk.reviewed.forget()
                    desk.reviewed = None
                if desk.secrets is not None:
                    desk.secrets.forget()
            case Pause() | Resume() | Seek() | Restart():
                self._steer(verb, desk)

    def _steer(self, verb: Pause | Resume | Seek | Restart, desk: Desk) -> None:
        player = desk.player
        if player is None:
            raise Misuse("no message is being played")
        match verb:
            case Pause():
                player.is_paused = True
            case Resume():
                player.is_paused = False
            case Seek(_, milliseconds):
                player.seek(milliseconds)
            case Restart():
                player.seek(0, absolute=True)

    def _listen(self, leg: Leg, desk: Desk) -> None:
        def key(digit: str) -> bool:
            if desk.secrets is not None and desk.secrets.is_open:
                return desk.secrets.key(digit)
            if desk.keeps_keys:
                return True
            return desk.recorder is not None and desk.recorder.key(digit)

        leg.listen(key)

    # --- what takes its time

    def _seal_secrets(self, number: int, verb: SealSecrets, desk: Desk) -> None:
        secrets = desk.secrets.secrets() if desk.secrets is not None else {}
        if not secrets:
            raise Misuse("no secret was entered")
        vault, binding = self._studio.vault, self._bound(desk)

        def prove() -> SealedSecrets:
            try:
                return SealedSecrets(vault.prove(verb.act, verb.session, secrets, binding))
            finally:
                for secret in secrets.values():
                    secret[:] = bytes(len(secret))

        self._answer(number, prove)

    def _bound(self, desk: Desk) -> bytearray:
        if not desk.binding:
            desk.binding = self._studio.vault.binding()
        return desk.binding

    def _reseal(self, number: int, asked: Resealing, find: Callable[[LegId], Leg]) -> None:
        """A command vouches for its key itself; what is sent on, the leg where that was asked."""
        files, vault = self._studio.files, self._studio.vault
        by: By = (
            asked.to if isinstance(asked.to, Asker) else self._bound(self._desk(find(asked.leg)))
        )
        self._answer(number, lambda: resealed(files, vault, asked, by))

    def _serve(self, number: int, verb: Remove | Settle | ListLeft | AskSpool) -> None:
        files, vault = self._studio.files, self._studio.vault
        match verb:
            case Remove(contents):
                self._answer(number, lambda: files.remove(contents))
            case Settle(contents):
                self._answer(number, lambda: files.settle(contents))
            case ListLeft():
                self._answer(number, lambda: LeftRecordings(files.left_behind(vault)))
            case AskSpool():
                count = len(self._recorders)
                self._answer(number, lambda: files.space(count))

    def _answer(self, number: int, work: Callable[[], Value | None]) -> None:
        reply = self._later()

        def done(value: Value | None) -> None:
            reply(Done(number) if value is None else Replied(number, value))

        self._in_thread(number, work, done, reply)

    def _in_thread(
        self,
        number: int,
        work: Callable[[], V],
        done: Callable[[V], None],
        failed: Callable[[AnyReply], None],
    ) -> None:
        """Work in a thread; what became of it is dealt with on the loop."""
        post = self._studio.crossing.post

        def run() -> None:
            try:
                value = work()
            except MessageRefused as refusal:
                fault = refusal.fault
            except OSError:
                fault = "disk-error"
            except Exception as failure:  # noqa: BLE001 - whoever asked must not wait for ever
                log.error("a message request failed", kind=type(failure).__name__)
                fault = "altered"
            else:
                post(lambda: done(value))
                return
            post(lambda: failed(_failed(number, fault)))

        self._threads.submit(run)

    def _desk(self, leg: Leg) -> Desk:
        return self._desks.setdefault(leg.name, Desk())


def _failed(number: int, fault: str) -> Failed:
    return Failed(number, Fault("message", fault))
