"""One leg: two sockets, a negotiation, what it hears, and where its phone's voice goes."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from media.config import MediaConfig
from media.errors import MediaFull, Misuse
from media.sdp.formats import Codec, Formats, with_coded
from media.sdp.offer_answer import Agreed, Negotiation
from media.values import (
    Digit,
    Direction,
    Fed,
    Held,
    Latched,
    LegId,
    LegStats,
    Manner,
    MediaEvent,
    Place,
    Player,
    Unkeyed,
)
from media.worker import figures, onward
from media.worker.bearings import Bearings
from media.worker.codecs.coder import is_known
from media.worker.control_path import ControlPath
from media.worker.demux import Demux
from media.worker.dtls import Identity
from media.worker.earpiece import LEFT_ALONE, Earpiece, Frames
from media.worker.endpoint import Endpoint
from media.worker.keying import SENDS, Keying
from media.worker.keypad import Keypad
from media.worker.loop import Deadline, Loop
from media.worker.onward import Ahead, Onward
from media.worker.path import Path, VoiceSink
from media.worker.reports import Reports
from media.worker.sounds import Sounds
from media.worker.srtp import Packet
from media.worker.stream import Stream
from media.worker.transcoder import Coding
from media.worker.watchdog import Watchdog
from media.worker.whereabouts import Whereabouts


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all legs of a worker share."""

    loop: Loop
    packet: Packet
    config: MediaConfig
    sounds: Sounds
    tell: Callable[[MediaEvent], None]
    identity: Identity = field(default_factory=Identity)
    coding: Coding = field(default_factory=Coding)


class Leg:
    """One phone's media."""

    def __init__(
        self,
        name: LegId,
        call: str,
        place: Place,
        pair: tuple[socket.socket, socket.socket],
        around: Surroundings,
    ) -> None:
        self.name, self.call = name, call
        self._around = around
        loop, packet, tell = around.loop, around.packet, around.tell
        rtp, rtcp = Endpoint(pair[0]), Endpoint(pair[1])
        self.port: int = rtp.socket.getsockname()[1]
        self.path = Path(rtp, packet, loop.now, loop.handlers)
        loop.watch(rtp.socket.fileno(), self.path.discard)
        self.stream = Stream(rtp, packet, loop.now())
        self.reports = Reports(place, self.path, self.stream)
        self.control = ControlPath(loop, rtcp, packet, self.reports)
        self.negotiation = Negotiation(
            place.advertised or around.config.advertise.get(place.local, place.local),
            self.port,
            around.identity.fingerprint,
            place.manner,
        )
        where = Whereabouts(place, around.config)
        self._others = (
            Demux(self.path.divert, self.path.count_junk),
            Demux(self.control.divert, self.path.count_junk),
        )
        self._bearings = Bearings(loop, where, self.path, self.control, self._others)
        self.keying = Keying(
            loop,
            around.identity,
            where,
            lambda cause: tell(Unkeyed(name, cause)),
            path=self.path,
            control=self.control,
            stream=self.stream,
            others=self._others,
        )
        self._applied: Agreed | None = None
        self._partner: Leg | None = None
        self._feeder: Leg | None = None
        self._ear = Earpiece(loop, self.stream, around.sounds, lambda: tell(Fed(name)))
        self._onward = Onward(loop, around.coding, self.path)
        self._keypad = Keypad(
            loop.now,
            lambda digit, milliseconds: tell(Digit(name, digit, milliseconds)),
            self._onward.relay_event,
        )
        self._reporting: Deadline = loop.at(loop.now() + self.reports.interval(), self._report)
        self.watchdog = Watchdog(name, self.path, self.control, around.config, loop, tell)
        self.path.latched = lambda: tell(Latched(name))
        self.path.resumed = self._speaks
        self.path.receive_event = self._keypad.receive

    # --- offer and answer

    def take_offer(self, sdp: bytes) -> Manner | None:
        """The phone offered; its manner, if that is not the expected one."""
        before = self.negotiation.manner()
        self.negotiation.take_offer(sdp)
        manner = self.negotiation.manner()
        return manner if manner != before else None

    def make_answer(self, like: "Leg | None", direction: Direction) -> bytes:
        """Answer the phone."""
        sdp = self.negotiation.make_answer(_codecs(like), direction)
        self._apply()
        return sdp

    def make_offer(
        self, like: "Leg | None", direction: Direction, *, is_wide: bool = False
    ) -> bytes:
        """Offer to the phone."""
        codecs = _codecs(like)
        if is_wide and codecs:
            codecs = with_coded(codecs, always=True)
        sdp = self.negotiation.make_offer(codecs, direction)
        if self.negotiation.asks_for_handshake:
            self.keying.expect_handshake()
        return sdp

    def take_answer(self, sdp: bytes) -> None:
        """The phone answered."""
        self.negotiation.take_answer(sdp)
        self._apply()

    def withdraw(self) -> None:
        """What was asked is not going to be."""
        self.negotiation.withdraw()

    # --- what it hears, and who hears it

    def check_joins(self, other: "Leg") -> None:
        """Whether the two could hear each other; raises before anything has changed."""
        onward.check(self._applied, other._applied, self._around.coding)

    def to_be_changed(self, other: "Leg") -> "Leg | None":
        """Whose phone is to be asked for another codec, so that the two hear each other; None:
        they do. What we cannot make over is the rarer codec: its phone has others too."""
        (_, _), (_, theirs) = self.voice, other.voice
        try:
            self.check_joins(other)
        except MediaFull:
            if self.is_joined_with(other):
                return None  # made over, or as soon as there is room for it
        except Misuse:
            pass
        else:
            return None
        return self if is_known(theirs) else other

    def lead_to(self, other: "Leg") -> None:
        """The other leg hears this one's phone."""
        self._partner, other._feeder = other, self
        self.listen(None)
        self._relink()

    @property
    def partner(self) -> "Leg | None":
        """Who hears this one's phone."""
        return self._partner

    def is_joined_with(self, other: "Leg") -> bool:
        """Whether the two hear each other, or music where one holds the call."""
        return self._partner is other and other._partner is self

    def left_alone(self) -> None:
        """Whom it heard is gone. It hears music if nobody says soon what else: an exchange that
        was about to may be gone as well."""
        self._ear.turn_after(LEFT_ALONE, self._hear_music)

    def part(self) -> None:
        """Nobody hears this leg, and it hears nobody."""
        self.stop_playing()
        if self._partner is not None:
            self._partner._ear.stop_music()
        self.come_away()

    def come_away(self) -> None:
        """As `part`, to be joined with somebody: what it hears while it waits goes on."""
        if not self._ear.is_waiting:
            self.stop_playing()
        if self._feeder is not None:
            self._feeder._unlink()
        self._unlink()

    def feed(self, player: Player) -> None:
        """It hears a player, and nobody else."""
        self.play(player, lambda: self._around.tell(Fed(self.name)))

    def play(self, player: Player, ended: Callable[[], None]) -> None:
        """It hears a player; whoever asked is told the end."""
        _, codec = self.voice
        self.hear(self._ear.frames(player, codec), ended)
        self._ear.is_waiting = player.times == 0

    def hear(
        self,
        frames: Frames,
        ended: Callable[[], None],
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        """It hears these frames of 20 ms in its own codec, and nobody else."""
        number, _ = self.voice
        self.stop_playing()
        if self._feeder is not None:
            self._feeder._unlink()
        self._ear.play(number, frames, ended, stopped)

    @property
    def voice(self) -> tuple[int, Codec]:
        """The payload type and codec that we send to it."""
        if self._applied is None:
            raise Misuse("the leg is answered before it hears or says anything")
        return self._applied.voice

    def voices(self) -> Formats:
        """What its phone may speak in."""
        if self._applied is None:
            raise Misuse("the leg is answered before it hears or says anything")
        return {n: codec for n, codec in self._applied.receive.items() if codec.is_voice}

    def tap(self, sink: VoiceSink | None) -> None:
        """Let what its phone says be heard by us, while nobody else hears it."""
        self._onward.tap(sink)
        if self._partner is None:
            self._onward.to_nobody(self._applied)

    def listen(self, keys: Callable[[str], bool] | None) -> None:
        """Ask this first of every key press; what it takes goes no further."""
        self._keypad.taken_by = keys

    def stop_playing(self) -> None:
        """Cut the player off."""
        self._ear.stop()

    def report_digits(self, wanted: bool) -> None:
        """Tell key presses instead of passing them on, or stop telling."""
        self._keypad.is_reported = wanted

    # --- figures and the end

    @property
    def is_held(self) -> bool:
        """Its phone listens to nobody: sendonly, inactive, or the nowhere of RFC 2543."""
        return self._applied is not None and self._applied.direction not in SENDS

    def stats(self) -> LegStats:
        """How it is doing."""
        silent = self._around.loop.now() - self.path.heard_at
        coded = self._onward.coded
        return figures.of_leg(
            self._applied, self.path, self.stream, self.reports, self.keying, silent, coded
        )

    def close(self) -> None:
        """Ports, keys and timers gone."""
        self.stop_playing()
        if self._feeder is not None:
            self._feeder._unlink()
        if self._partner is not None:
            self._partner._feeder = None
            self._partner = None
        self._onward.close()
        self.keying.close()
        self._bearings.close()
        for others in self._others:
            others.close()
        self._reporting.cancel()
        self.watchdog.stop()
        if self.stream.packets:
            self.control.send(self.reports.goodbye())
        self.control.close()
        self._around.loop.forget(self.path.endpoint.socket.fileno())
        self.path.close()
        self._around.packet.wipe()

    # --- inside

    def _apply(self) -> None:
        agreed = self.negotiation.agreed
        if agreed is None or agreed is self._applied:
            return
        if agreed.muxed:
            self.control.share(self.path)
        before = self._applied
        self._bearings.follow(agreed)
        self.keying.apply(agreed)
        self._applied = agreed
        self._keypad.expect(agreed.receive.values())
        clock = agreed.voice[1].clock
        self.path.clock = self.stream.clock = clock
        self.watchdog.expect(agreed.direction == "sendrecv")
        if self.is_held != (before is not None and before.direction not in SENDS):
            self._around.tell(Held(self.name, self.is_held))
        self._relink()
        if self._feeder is not None:
            self._feeder._relink()

    def _relink(self) -> None:
        here, partner = self._applied, self._partner
        if here is None:
            return
        if partner is None:
            self._onward.to_nobody(here)
        elif partner is self:
            self._ear.wind_down()
            self._onward.to_itself(here, self.stream)
        elif self.is_held:
            # Whoever waits hears our music and nothing of the room that put them on hold.
            self._onward.hold(here)
            partner._hear_music()
        elif partner._applied is not None:
            partner._ear.wind_down()
            ear = partner._ear
            self._onward.to(here, Ahead(partner._applied, partner.stream, ear.stop_waiting))

    def _hear_music(self) -> None:
        self._ear.play_music(self._applied.voice if self._applied else None)

    def _speaks(self) -> None:
        """The first word of its phone's to its partner."""
        if self._partner is not None:
            self._partner._ear.stop_waiting()

    def _unlink(self) -> None:
        if self._partner is not None:
            self._partner._feeder = None
            self._partner = None
        self._onward.to_nobody(self._applied)

    def _report(self) -> None:
        if self.control.send(self.reports.write()):
            self.reports.sent += 1
        loop = self._around.loop
        self._reporting = loop.at(loop.now() + self.reports.interval(), self._report)


def _codecs(like: Leg | None) -> Formats | None:
    return like.negotiation.codecs() if like else None
