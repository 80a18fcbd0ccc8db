"""The legs of a worker by name, the calls they belong to, and what is asked of them."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from media import control
from media.control import AnyReply, AnyVerb, Described, Done, Listed, Measured, Opened
from media.errors import LegGone, Misuse
from media.recording_verbs import RecordingVerb
from media.values import Ended, Learnt, LegId, LegStats, Place, StoredCall
from media.worker.leg import Leg, Surroundings
from media.worker.message_room import MessageRoom
from media.worker.ports import Ports


class Roster:
    """Carries out verbs, one after the other."""

    def __init__(
        self,
        index: int,
        around: Surroundings,
        run: str = "",
        room: MessageRoom | None = None,
    ) -> None:
        self._index, self._around, self._run = index, around, run
        self._room = room
        self._ports = Ports(around.config.ports_of(index))
        self._legs: dict[LegId, Leg] = {}
        self._calls: dict[str, set[LegId]] = {}
        self._snapshots: dict[str, bytes] = {}
        self._names = itertools.count(1)

    def __len__(self) -> int:
        return len(self._legs)

    @property
    def capacity(self) -> int:
        """Legs that still find ports."""
        return len(self._ports)

    def act(self, number: int, verb: AnyVerb) -> AnyReply | None:
        """The reply to a request, None if it comes later; raises `MediaError`."""
        if isinstance(verb, RecordingVerb):
            if self._room is None:
                raise Misuse("this worker keeps no messages")
            return self._room.act(number, verb, self._leg)
        match verb:
            case control.Open():
                return self._open(number, verb)
            case control.OpenOffering():
                return Opened(number, *self._open_offering(verb))
            case control.Drop(legs):
                return Measured(number, tuple(map(self._drop_known, legs)))
            case control.Stats(leg):
                return Measured(number, (self._leg(leg).stats(),))
            case control.Bridge(leg, sdp, other):
                return Described(number, self._bridge(self._leg(leg), sdp, self._leg(other)))
            case control.MakeAnswer(leg, like, direction):
                return Described(number, self._leg(leg).make_answer(self._like(like), direction))
            case control.MakeOffer(leg, like, direction):
                return Described(number, self._leg(leg).make_offer(self._like(like), direction))
            case control.ListCalls():
                return Listed(number, tuple(map(self._stored, self._calls)))
            case _:
                self._change(verb)
                return Done(number)

    def end_orphans(self) -> None:
        """Nobody has asked for anything for too long."""
        for name in list(self._legs):
            self._drop(name)
            self._around.tell(Ended(name, "orphan"))

    def close(self) -> None:
        """The worker stops."""
        for name in list(self._legs):
            self._drop(name)

    def _change(self, verb: AnyVerb) -> None:
        match verb:
            case control.TakeOffer(leg, sdp):
                if (manner := self._leg(leg).take_offer(sdp)) is not None:
                    self._around.tell(Learnt(leg, manner))
            case control.TakeAnswer(leg, sdp):
                self._leg(leg).take_answer(sdp)
            case control.Withdraw(leg):
                self._leg(leg).withdraw()
            case control.Join(leg, other):
                self._join(self._leg(leg), self._leg(other))
            case control.Part(leg):
                self._leg(leg).part()
            case control.Feed(leg, player):
                self._leg(leg).feed(player)
            case control.Digits(leg, report):
                self._leg(leg).report_digits(report)
                if self._room is not None:
                    self._room.let_keys_pass(leg)
            case control.Store(call, snapshot):
                self._store(call, snapshot)
            case _:  # Ping: being asked is all it is for
                pass

    def _open(self, number: int, verb: control.Open) -> Opened:
        leg = self._new(verb.call, verb.place)
        manner = None
        if verb.offer:
            with self._dropped_if_it_fails(leg):
                manner = leg.take_offer(verb.offer)
        return Opened(number, leg.name, manner=manner)

    def _open_offering(self, verb: control.OpenOffering) -> tuple[LegId, bytes]:
        like = self._like(verb.like)
        leg = self._new(verb.call, verb.place)
        with self._dropped_if_it_fails(leg):
            return leg.name, leg.make_offer(like, verb.direction)

    def _new(self, call: str, place: Place) -> Leg:
        pair = self._ports.take(place.local)
        name = f"{self._index}.{self._run}{next(self._names)}"
        leg = self._legs[name] = Leg(name, call, place, pair, self._around)
        self._calls.setdefault(call, set()).add(name)
        return leg

    @contextmanager
    def _dropped_if_it_fails(self, leg: Leg) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._drop(leg.name)
            raise

    def _bridge(self, leg: Leg, sdp: bytes, other: Leg) -> bytes:
        leg.take_answer(sdp)
        answer = other.make_answer(leg, "sendrecv")
        self._join(other, leg)
        return answer

    def _join(self, one: Leg, other: Leg) -> None:
        one.check_joins(other)
        one.part()
        other.part()
        one.lead_to(other)
        if other is not one:
            other.lead_to(one)

    def _drop_known(self, name: LegId) -> LegStats | None:
        return self._drop(name) if name in self._legs else None

    def _drop(self, name: LegId) -> LegStats:
        leg = self._leg(name)
        stats = leg.stats()
        if self._room is not None:
            self._room.dropped(name)
        try:
            leg.close()
        finally:  # whatever closing met, the port is the next call's
            self._leave(name, leg)
        return stats

    def _leave(self, name: LegId, leg: Leg) -> None:
        del self._legs[name]
        self._ports.give_back(leg.port)
        legs = self._calls[leg.call]
        legs.discard(name)
        if not legs:
            del self._calls[leg.call]
            self._snapshots.pop(leg.call, None)

    def _store(self, call: str, snapshot: bytes) -> None:
        if call not in self._calls:
            raise LegGone("the call has no leg here")
        self._snapshots[call] = snapshot

    def _stored(self, call: str) -> StoredCall:
        return StoredCall(call, tuple(sorted(self._calls[call])), self._snapshots.get(call, b""))

    def _leg(self, name: LegId) -> Leg:
        leg = self._legs.get(name)
        if leg is None:
            raise LegGone("the worker does not know the leg")
        return leg

    def _like(self, name: LegId) -> Leg | None:
        return self._leg(name) if name else None
