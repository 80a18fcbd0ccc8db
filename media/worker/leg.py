"""One leg: two sockets, a negotiation, what it hears, and where its phone's voice goes."""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from media.config import MediaConfig
from media.errors import MediaFull, Misuse
from media.sdp.formats import Codec, Formats, number_of, with_coded
from media.sdp.ice import Ice
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
from media.worker import figures, payloads
from media.worker.codecs.coder import WIDEST, is_known, recoded
from media.worker.control_path import ControlPath
from media.worker.demux import Demux
from media.worker.dtls import Identity
from media.worker.dtmf import EventDecoder
from media.worker.endpoint import Endpoint
from media.worker.ice import Checks
from media.worker.keying import SENDS, Keying
from media.worker.loop import Deadline, Loop
from media.worker.path import NOTHING, Path, VoiceSink
from media.worker.player import Playback
from media.worker.reports import Reports
from media.worker.sounds import CODECS, WAITING, Sounds
from media.worker.srtp import Packet
from media.worker.stream import Stream
from media.worker.transcoder import Coding, Transcoder
from media.worker.watchdog import Watchdog
from media.worker.whereabouts import Whereabouts, named_by

LEFT_ALONE = 0.02
"""Seconds until somebody whose partner is gone hears music."""
WORDLESS = 0.5
"""Seconds that music or ringing go on at most, for somebody who is joined with a silent phone."""


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
        self._where = Whereabouts(place, around.config)
        self._others = (
            Demux(self.path.divert, self.path.count_junk),
            Demux(self.control.divert, self.path.count_junk),
        )
        self._ice: Ice | None = None
        self._checks: list[Checks] = []
        self.keying = Keying(
            loop,
            around.identity,
            self._where,
            lambda cause: tell(Unkeyed(name, cause)),
            path=self.path,
            control=self.control,
            stream=self.stream,
            others=self._others,
        )
        self._applied: Agreed | None = None
        self._partner: Leg | None = None
        self._feeder: Leg | None = None
        self._playback: Playback | None = None
        self._music: tuple[int, Codec] | None = None
        """What the playback is in while it is the music of somebody who waits."""
        self._is_waiting = False
        """It hears something without end, until somebody is there."""
        self._turn: Deadline | None = None
        """When what it hears changes, if nobody says otherwise."""
        self._named: tuple[str | None, int, int] | None = None
        self._digits = EventDecoder()
        self._reports_digits = False
        self._keys: Callable[[str], bool] | None = None
        self._tap: VoiceSink | None = None
        self._coder: Transcoder | None = None
        self.coded = 0
        """Frames of its phone's that were made over for a partner with other codecs."""
        self._reporting: Deadline = loop.at(loop.now() + self.reports.interval(), self._report)
        self.watchdog = Watchdog(name, self.path, self.control, around.config, loop, tell)
        self.path.latched = self._latched
        self.path.resumed = self._speaks
        self.path.receive_event = self._receive_event

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
        if self._applied is None or other._applied is None:
            raise Misuse("both legs are answered before they are joined")
        if self._is_deaf_to(other) or other._is_deaf_to(self):
            raise Misuse("the legs have no codec in common")
        if not (self._needs_coding(other) or other._needs_coding(self)):
            return
        if not self._around.coding.has_room():
            raise MediaFull("too many calls between phones without a common codec")

    def to_be_changed(self, other: "Leg") -> "Leg | None":
        """Whose phone is to be asked for another codec, so that the two hear each other; None:
        they do. What we cannot make over is the rarer codec: its phone has others too."""
        (_, _), (_, theirs) = self.voice, other.voice
        try:
            self.check_joins(other)
        except (Misuse, MediaFull):
            return self if is_known(theirs) else other
        return None

    def _needs_coding(self, other: "Leg") -> bool:
        """Whether what this phone says is not heard there as it is."""
        if self._applied is None or other._applied is None:
            return False
        return not payloads.have_voice_in_common(self._applied.receive, other._applied.send)

    def _is_deaf_to(self, other: "Leg") -> bool:
        """Whether what the other phone says is not heard here, not even made over."""
        if self._applied is None or other._applied is None or not other._needs_coding(self):
            return False
        return not payloads.can_be_coded(other._applied.receive, self._applied.send)

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
        self._turn_after(LEFT_ALONE, self._hear_music)

    def part(self) -> None:
        """Nobody hears this leg, and it hears nobody."""
        self.stop_playing()
        if self._partner is not None:
            self._partner._end_music()
        self.come_away()

    def come_away(self) -> None:
        """As `part`, to be joined with somebody: what it hears while it waits goes on."""
        if not self._is_waiting:
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
        frames = self._frames(player, codec)
        if frames is None:
            raise Misuse("nothing can be played in the codec of this leg")
        self.hear(frames, ended)
        self._is_waiting = player.times == 0

    def hear(
        self,
        frames: Iterator[bytes | memoryview],
        ended: Callable[[], None],
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        """It hears these frames of 20 ms in its own codec, and nobody else."""
        number, _ = self.voice
        self.stop_playing()
        if self._feeder is not None:
            self._feeder._unlink()

        def over() -> None:
            self._playback = None
            ended()

        loop, stream = self._around.loop, self.stream
        self._playback = Playback(loop, stream, number, frames, over, stopped)

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
        self._tap = sink
        if self._partner is None:
            self.path.lead(None, self._unheard())

    def listen(self, keys: Callable[[str], bool] | None) -> None:
        """Ask this first of every key press; what it takes goes no further."""
        self._keys = keys

    def stop_playing(self) -> None:
        """Cut the player off."""
        self._forget_turn()
        self._music, self._is_waiting = None, False
        if self._playback is not None:
            self._playback.stop()
            self._playback = None

    def report_digits(self, wanted: bool) -> None:
        """Tell key presses instead of passing them on, or stop telling."""
        self._reports_digits = wanted

    # --- figures and the end

    @property
    def is_held(self) -> bool:
        """Its phone listens to nobody: sendonly, inactive, or the nowhere of RFC 2543."""
        return self._applied is not None and self._applied.direction not in SENDS

    def stats(self) -> LegStats:
        """How it is doing."""
        silent = self._around.loop.now() - self.path.heard_at
        coded = self.coded + (self._coder.frames if self._coder else 0)
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
        self._stop_coding()
        self.path.lead(None, NOTHING)
        self.keying.close()
        self._stop_looking()
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
        self._aim(agreed, before)
        self._look(agreed.ice)
        self.keying.apply(agreed)
        self._applied = agreed
        self._digits.clock = self._event_clock()
        clock = agreed.voice[1].clock
        self.path.clock = self.stream.clock = clock
        self.watchdog.expect(agreed.direction == "sendrecv")
        if self.is_held != (before is not None and before.direction not in SENDS):
            self._around.tell(Held(self.name, self.is_held))
        self._relink()
        if self._feeder is not None:
            self._feeder._relink()

    def _aim(self, agreed: Agreed, before: Agreed | None) -> None:
        """Before the phone is known by a packet: send only where its signalling comes from.

        A re-offer that names the same place changes nothing: the address learnt from packets is
        better than the one a phone behind a NAT believes in.
        """
        address, port, rtcp_port = there = named_by(agreed)
        if address is None or self._named == there:
            return  # nowhere is the old way to hold a call: the phone is where it was
        self._named = there
        if before is not None:
            self.path.reopen()  # it has moved, and may have nothing to say
        if self._where.may_send_to(address):
            self.path.endpoint.aim((address, port))
            self.control.endpoint.aim((address, port if agreed.muxed else rtcp_port))

    def _look(self, agreed: Ice | None) -> None:
        """From now on the phone's checks show the way; a new set of them begins anew."""
        if agreed == self._ice:
            return
        self._ice = agreed
        self._stop_looking()
        sockets = [self.path.endpoint, *([self.control.endpoint] if self.control.is_own else [])]
        for endpoint, others in zip(sockets, self._others, strict=False):
            if agreed is not None:
                checks = Checks(self._around.loop, endpoint, self._where.prove, agreed)
                self._checks.append(checks)
                others.take_stun(checks.receive)
        self.path.reopen()

    def _stop_looking(self) -> None:
        for checks, others in zip(self._checks, self._others, strict=False):
            checks.close()
            others.take_stun(None)
        self._checks.clear()

    def _relink(self) -> None:
        if self._applied is None:
            return
        partner = self._partner
        if partner is not None and partner is not self:
            self._stop_coding()
            if self.is_held:
                # Whoever waits hears our music and nothing of the room that put them on hold.
                self.path.lead(None, payloads.table(self._applied.receive, None))
                partner._hear_music()
                return
        if partner is not None:
            partner._wind_down()
        send = partner._applied.send if partner and partner._applied else None
        stream = partner.stream if partner else None
        table = payloads.table(self._applied.receive, send) if partner else self._unheard()
        self.path.lead(stream, table)
        if partner and send and partner is not self:
            self.path.receive_voice = self._make_over
            is_apart = self._needs_coding(partner) and not partner._is_deaf_to(self)
            if is_apart and self._around.coding.has_room(1):
                self._code_for(partner)

    def _make_over(self, number: int, timestamp: int, payload: memoryview) -> None:
        """The phone speaks in what its partner has not, though it could do otherwise; or, coding
        once, in what needs no coding any more."""
        partner = self._partner
        if partner is None or partner._applied is None or self._applied is None:
            return
        if number_of(partner._applied.send, self._applied.receive[number]) is not None:
            self._relink()
            return
        if self._coder is None and self._around.coding.has_room():
            self._code_for(partner)
        if self._coder is not None:
            self._coder.receive(number, timestamp, payload)

    def _code_for(self, partner: "Leg") -> None:
        if self._applied is None or partner._applied is None:
            return
        self.path.lead(None, payloads.tapped(self._applied.receive))
        if partner._is_waiting:
            partner.stop_playing()
        there = partner._applied
        self._coder = self._around.coding.begin(
            self._around.loop, self._applied.receive, partner.stream, there.voice, there.send
        )

    def _stop_coding(self) -> None:
        if self._coder is not None:
            self._around.coding.end(self._coder)
            self.coded += self._coder.frames
            self._coder = None

    def _unheard(self) -> Sequence[int]:
        """What becomes of its phone's packets while it is joined to nobody."""
        if self._applied is None:
            return NOTHING
        receive = self._applied.receive
        if self._tap is None:
            return payloads.table(receive, None)
        self.path.receive_voice = self._tap
        return payloads.tapped(receive)

    def _hear_music(self) -> None:
        """Until its partner listens again; a codec we cannot play in is left silent."""
        self._forget_turn()
        if self._applied is None or self._music == self._applied.voice:
            return
        self.stop_playing()
        number, codec = self._applied.voice
        frames = self._frames(WAITING, codec)
        if frames is not None:
            self._playback = Playback(self._around.loop, self.stream, number, frames, self._fed)
            self._music, self._is_waiting = (number, codec), True

    def _wind_down(self) -> None:
        """What it hears while it waits goes on until a word of whom it is joined with: that may
        take a handshake. Not for long, they may have nothing to say."""
        if self._is_waiting:
            self._turn_after(WORDLESS, self.stop_playing)

    def _speaks(self) -> None:
        """The first word of its phone's to its partner."""
        if self._partner is not None and self._partner._is_waiting:
            self._partner.stop_playing()

    def _turn_after(self, seconds: float, act: Callable[[], None]) -> None:
        self._forget_turn()
        self._turn = self._around.loop.at(self._around.loop.now() + seconds, act)

    def _forget_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _frames(self, player: Player, codec: Codec) -> Iterator[bytes | memoryview] | None:
        """A player's frames as they are kept, or coded while they are played."""
        if codec.name in CODECS:
            return self._around.sounds.frames(player, codec.name)
        if is_known(codec):
            return recoded(self._around.sounds.frames(player, WIDEST), WIDEST, codec.name)
        return None

    def _end_music(self) -> None:
        if self._music is not None:
            self.stop_playing()

    def _unlink(self) -> None:
        self._stop_coding()
        if self._partner is not None:
            self._partner._feeder = None
            self._partner = None
        self.path.lead(None, self._unheard())

    def _fed(self) -> None:
        self._playback = None
        self._around.tell(Fed(self.name))

    def _latched(self) -> None:
        self._around.tell(Latched(self.name))

    def _receive_event(self, timestamp: int, payload: bytes) -> bool:
        if not self._reports_digits and self._keys is None:
            self._digits.pass_over(timestamp, payload)
            if self._coder is not None:
                self._coder.relay_event(timestamp, payload, self._event_clock())
            return True
        for digit, milliseconds in self._digits.receive(timestamp, payload):
            is_taken = self._keys is not None and self._keys(digit)
            if self._reports_digits and not is_taken:
                self._around.tell(Digit(self.name, digit, milliseconds))
        return False

    def _event_clock(self) -> int:
        formats = self._applied.receive.values() if self._applied else ()
        events: list[Codec] = [codec for codec in formats if codec.is_event]
        return events[0].clock if events else 8000

    def _report(self) -> None:
        if self.control.send(self.reports.write()):
            self.reports.sent += 1
        loop = self._around.loop
        self._reporting = loop.at(loop.now() + self.reports.interval(), self._report)


def _codecs(like: Leg | None) -> Formats | None:
    return like.negotiation.codecs() if like else None
