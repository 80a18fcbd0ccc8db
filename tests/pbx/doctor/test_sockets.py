"""What listens is read from the kernel, and a stranger among it is named."""

import os
import socket

import pytest

from pbx.doctor import sockets
from pbx.doctor.finding import Broken, CannotTell
from pbx.doctor.sockets import Known

NOTHING = Known(tls=frozenset(), media=range(0))


def test_known_sockets_hold() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        media = udp.getsockname()[1]
        known = Known(
            tls=frozenset((tcp.getsockname()[1],)),
            media=range(media, media + 1),
            local=frozenset((six.getsockname()[1],)),
        )

        evidence = sockets.only_known([os.getpid()], known)

    assert "1 UDP" in evidence


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_an_unknown_socket_is_named(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as stranger:
        stranger.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            stranger.listen()

        with pytest.raises(Broken, match=str(stranger.getsockname()[1])):
            sockets.only_known([os.getpid()], NOTHING)


def test_a_local_port_may_not_be_open_to_the_network() -> None:
    with socket.create_server(("0.0.0.0", 0)) as wide:  # noqa: S104  # the planted defect
        port = wide.getsockname()[1]

        with pytest.raises(Broken):
            sockets.only_known(
                [os.getpid()], Known(tls=frozenset(), media=range(0), local=frozenset((port,)))
            )


def test_nothing_that_runs_proves_nothing() -> None:
    with pytest.raises(CannotTell, match="not running"):
        sockets.only_known([], NOTHING)


def test_a_process_that_ended_proves_nothing() -> None:
    with pytest.raises(CannotTell, match="ended"):
        sockets.only_known([2**22 + 1], NOTHING)
