"""Pairs of ports."""

import socket

import pytest

from media.errors import MediaFull, Misuse
from media.worker.ports import Ports
from tests.support.media_worker import free_range


def test_a_pair_is_an_even_port_and_the_next() -> None:
    first, last = free_range(40)
    ports = Ports(range(first, last, 2))
    rtp, rtcp = ports.take("127.0.0.1")

    assert rtp.getsockname()[1] % 2 == 0
    assert rtcp.getsockname()[1] == rtp.getsockname()[1] + 1
    rtp.close()
    rtcp.close()


def test_the_pair_unused_for_longest_is_taken_next() -> None:
    first, _ = free_range(8)
    ports = Ports((first, first + 2))
    taken = []
    for _ in range(4):
        rtp, rtcp = ports.take("127.0.0.1")
        taken.append(rtp.getsockname()[1])
        rtp.close()
        rtcp.close()
        ports.give_back(taken[-1])

    assert taken[0] == taken[2] != taken[1] == taken[3]


@pytest.mark.parametrize("neighbour", [0, 1])
def test_a_pair_of_which_one_is_taken_by_somebody_else_is_passed_over(neighbour: int) -> None:
    first, _ = free_range(8)
    ports = Ports((first, first + 2))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", first + neighbour))
        rtp, rtcp = ports.take("127.0.0.1")
        assert rtp.getsockname()[1] == first + 2
        with pytest.raises(MediaFull):
            ports.take("127.0.0.1")
        rtp.close()
        rtcp.close()
    assert len(ports) == 1


def test_an_address_that_is_not_ours_is_our_own_mistake() -> None:
    first, _ = free_range(8)
    ports = Ports((first,))

    with pytest.raises(Misuse):
        ports.take("192.0.2.1")
    assert len(ports) == 1
