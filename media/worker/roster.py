"""The legs of a worker by name, the calls they belong to, and what is asked of them."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from media import control
from media.control import AnyReply, AnyVerb, Described, Done, Listed, Measured, Opened
from media.errors import LegGone, Misuse
from media.recording_verbs import RecordingVerb
from media.values import Ended, Learnt, LegId, LegStats, Place, StoredCall, Unmatched
from media.worker.kept import Kept
from media.worker.leg import Leg, Surroundings
from media.worker.message_room import MessageRoom
from media.worker.ports import Ports

PAGE = 64
"""Calls in one list: each comes with a snapshot of some kilobytes."""


PAGE_BYTES = 1 << 20
"""Of snapshots in one list, beyond the first: one that the other end cannot take ends all calls."""


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
        self._kept = Kept()
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
            case control.Drop(legs, snapshot):
                return Measured(number, self._drop_all(legs, snapshot))
            case control.Stats(leg):
                return Measured(number, (self._leg(leg).stats(),))
            case control.Bridge():
                return Described(number, self._bridge(verb))
            case control.MakeAnswer(leg, like, direction):
                return Described(number, self._leg(leg).make_answer(self._like(like), direction))
            case control.MakeOffer(leg, like, direction):
                return Described(number, self._leg(leg).make_offer(self._like(like), direction))
            case control.ListCalls(after):
                return Listed(number, self._list(after))
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
                self._join_patiently(self._leg(leg), self._leg(other))
            case control.Move():
                self._move(self._leg(verb.leg), verb)
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
            case control.Forget(calls):
                self._kept.forget(calls)
            case _:  # Ping: being asked is all it is for
                pass

    def _open(self, number: int, verb: control.Open) -> Opened:
        leg = self._new(verb.call, verb.place)
        manner = None
        if verb.offer:
            with self._dropped_if_it_fails(leg):
                manner = leg.take_offer(verb.offer)
        if verb.snapshot:
            self._kept.store(verb.call, verb.snapshot)
        return Opened(number, leg.name, manner=manner)

    def _open_offering(self, verb: control.OpenOffering) -> tuple[LegId, bytes]:
        like = self._like(verb.like)
        leg = self._new(verb.call, verb.place)
        with self._dropped_if_it_fails(leg):
            return leg.name, leg.make_offer(like, verb.direction, is_wide=verb.is_wide)

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

    def _bridge(self, verb: control.Bridge) -> bytes:
        leg, other = self._leg(verb.leg), self._leg(verb.other)
        leg.take_answer(verb.sdp)
        answer = other.make_answer(leg, "sendrecv")
        self._join(other, leg)
        if verb.snapshot:
            self._kept.store(leg.call, verb.snapshot)
        return answer

    def _join_patiently(self, one: Leg, other: Leg) -> None:
        """They are in calls already: one of them can be asked for another codec."""
        unmatched = one.to_be_changed(other)
        if not one.is_joined_with(other):
            self._link(one, other)
        if unmatched is not None:
            self._around.tell(Unmatched(unmatched.name))

    def _join(self, one: Leg, other: Leg) -> None:
        if one.is_joined_with(other):
            return
        one.check_joins(other)
        self._link(one, other)

    def _link(self, one: Leg, other: Leg) -> None:
        one.come_away()
        other.come_away()
        one.lead_to(other)
        if other is not one:
            other.lead_to(one)

    def _drop_all(self, names: tuple[LegId, ...], snapshot: bytes) -> tuple[LegStats | None, ...]:
        known = [self._legs[name] for name in names if name in self._legs]
        if snapshot and known:
            self._kept.store(known[0].call, snapshot)
        stay = [leg.partner for leg in known if leg.partner and leg.partner not in known]
        figures = tuple(self._drop(name) if name in self._legs else None for name in names)
        for leg in stay:
            leg.left_alone()
        return figures

    def _drop(self, name: LegId) -> LegStats:
        leg = self._leg(name)
        stats = leg.stats()
        if self._room is not None:
            self._room.dropped(name)
        try:
            leg.close()
        finally:  # whatever closing met, the port is the next call's
            self._leave(name, leg, stats)
        return stats

    def _leave(self, name: LegId, leg: Leg, stats: LegStats) -> None:
        del self._legs[name]
        self._kept.left(leg.call, name, stats)
        self._ports.give_back(leg.port)
        self._left(leg.call, name)

    def _move(self, leg: Leg, verb: control.Move) -> None:
        before, leg.call = leg.call, verb.call
        self._calls.setdefault(verb.call, set()).add(leg.name)
        for call, snapshot in ((verb.call, verb.snapshot), (before, verb.left)):
            if snapshot:
                self._kept.store(call, snapshot)
        self._left(before, leg.name)

    def _left(self, call: str, name: LegId) -> None:
        legs = self._calls[call]
        legs.discard(name)
        if not legs:
            del self._calls[call]
            self._kept.ended(call)

    def _store(self, call: str, snapshot: bytes) -> None:
        if call not in self._calls:
            raise LegGone("the call has no leg here")
        self._kept.store(call, snapshot)

    def _list(self, after: str) -> tuple[StoredCall, ...]:
        names = sorted(name for name in {*self._calls, *self._kept} if name > after)
        found: list[StoredCall] = []
        size = 0
        for name in names[:PAGE]:
            stored = self._kept.as_stored(name, self._calls.get(name, ()))
            size += len(stored.snapshot)
            if found and size > PAGE_BYTES:
                break
            found.append(stored)
        return tuple(found)

    def _leg(self, name: LegId) -> Leg:
        leg = self._legs.get(name)
        if leg is None:
            raise LegGone("the worker does not know the leg")
        return leg

    def _like(self, name: LegId) -> Leg | None:
        return self._leg(name) if name else None
