"""RTCP terminated at a leg."""

import socket
from collections.abc import Iterator

import pytest

from media.values import Place
from media.worker.endpoint import Endpoint
from media.worker.path import Path
from media.worker.reports import INTERVAL, Reports
from media.worker.rtcp import ReportBlock, Sent, compound, middle_of_ntp, reports
from media.worker.srtp import Packet
from media.worker.stream import Stream


class World:
    """A leg that has received 90 of 100 packets."""

    def __init__(self, cname: str = "nurse-station") -> None:
        self.wall = 1_800_000_000.0
        self.endpoint = Endpoint(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        packet = Packet()
        self.path = Path(self.endpoint, packet, lambda: 0.0, {})
        self.stream = Stream(self.endpoint, packet, 0.0)
        place = Place(local="127.0.0.1", peer="127.0.0.1", cname=cname)
        self.reports = Reports(place, self.path, self.stream, lambda: self.wall)
        self.path.source, self.path.base, self.path.extended = 7, 1, 100
        self.path.received = 90


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.endpoint.close()


def test_loss_is_told_in_all_and_since_the_last_report(world: World) -> None:
    (first,) = reports(world.reports.write())
    world.path.extended += 100
    world.path.received += 100
    (second,) = reports(world.reports.write())

    assert (first.blocks[0].lost, first.blocks[0].fraction) == (10, 25)
    assert (second.blocks[0].lost, second.blocks[0].fraction) == (10, 0)
    (third,) = reports(world.reports.write())
    assert third.blocks[0].fraction == 0


def test_a_leg_that_has_sent_nothing_new_is_no_sender(world: World) -> None:
    assert reports(world.reports.write())[0].sent is None
    world.stream.packets = 5
    assert reports(world.reports.write())[0].sent is not None
    assert reports(world.reports.write())[0].sent is None


def test_a_leg_that_has_heard_nothing_reports_on_nobody(world: World) -> None:
    world.path.source = -1

    assert reports(world.reports.write())[0].blocks == ()


def test_the_phones_sender_report_is_answered_with_its_time_and_our_delay(world: World) -> None:
    world.reports.receive(compound(7, "phone", world.wall, Sent(1, 1, 1), ()))
    world.wall += 2.0

    block = reports(world.reports.write())[0].blocks[0]

    assert block.last_report == middle_of_ntp(world.wall - 2.0)
    assert block.delay == 2 * 65_536


def test_the_round_trip_is_what_is_left_without_the_phones_delay(world: World) -> None:
    sent = middle_of_ntp(world.wall)
    world.wall += 0.150
    block = ReportBlock(world.stream.ssrc, 0, 4, 0, 80, sent, 65_536 // 10)
    world.reports.receive(compound(7, "phone", world.wall, None, (block,)))

    assert world.reports.round_trip == pytest.approx(0.05, abs=0.001)
    assert (world.reports.lost_there, world.reports.jitter_there) == (4, 80)


def test_what_was_lost_before_the_stream_began_anew_is_lost_still(world: World) -> None:
    for lost, all_of_it in ((4, 4), (5, 5)):
        block = ReportBlock(world.stream.ssrc, 0, lost, 0, 80, 0, 0)
        world.reports.receive(compound(7, "phone", world.wall, None, (block,)))
        assert world.reports.lost_there == all_of_it

    world.stream.begin_anew()
    for lost, all_of_it in ((0, 5), (2, 7), (3, 8)):
        block = ReportBlock(world.stream.ssrc, 0, lost, 0, 80, 0, 0)
        world.reports.receive(compound(7, "phone", world.wall, None, (block,)))
        assert world.reports.lost_there == all_of_it


@pytest.mark.parametrize("last", [0, 12345])
def test_a_report_without_sense_of_time_gives_no_round_trip(world: World, last: int) -> None:
    block = ReportBlock(world.stream.ssrc, 0, -4, 0, 80, last, 0)
    world.reports.receive(compound(7, "phone", world.wall, None, (block,)))

    assert world.reports.round_trip is None
    assert world.reports.lost_there == 0


def test_a_block_about_somebody_else_is_passed_over(world: World) -> None:
    block = ReportBlock(world.stream.ssrc ^ 1, 0, 4, 0, 80, 0, 0)
    world.reports.receive(compound(7, "phone", world.wall, None, (block,)))

    assert world.reports.lost_there == 0


def test_a_leg_without_a_name_gets_a_random_one() -> None:
    worlds = [World(cname=""), World(cname="")]

    assert worlds[0].reports.goodbye()[16:40] != worlds[1].reports.goodbye()[16:40]
    for world in worlds:
        world.endpoint.close()


def test_reports_are_spread_in_time(world: World) -> None:
    intervals = [world.reports.interval() for _ in range(100)]

    assert all(0.5 * INTERVAL <= interval < 1.5 * INTERVAL for interval in intervals)
    assert len(set(intervals)) > 90
