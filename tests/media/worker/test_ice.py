"""Connectivity checks on a leg's own sockets: who is answered, and where we send."""

import os
import secrets
import select
import socket
from collections.abc import Iterator

import pytest

from media import control
from media.values import Latched, Manner, Player, Tone
from media.worker import ice as ice_module
from media.worker import stun
from media.worker.demux import Demux
from media.worker.ice import Checks
from tests.support.dtls_phone import DtlsPhone
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
NOMINATE = (stun.USE_CANDIDATE, b"")


class IcePhone:
    """Sends checks from its own sockets, or from others of its host."""

    def __init__(self, phone: RtpPhone) -> None:
        self.phone, self.ufrag = phone, "evtj"
        self.other = phone._socket()
        self.username = self.password = ""

    def sdp(self) -> bytes:
        lines = f"a=ice-ufrag:{self.ufrag}\r\na=ice-pwd:{PASSWORD}\r\n"
        return self.phone.sdp() + lines.encode()

    def read(self, sdp: bytes) -> None:
        self.phone.read(sdp)
        lines = dict(line.split(":", 1) for line in sdp.decode().split("\r\n") if ":" in line)
        self.username = f"{lines['a=ice-ufrag']}:{self.ufrag}"
        self.password = lines["a=ice-pwd"]

    def check(
        self, *extra: tuple[int, bytes], by: socket.socket | None = None, to: int = 0
    ) -> None:
        assert self.phone.there is not None
        wire = stun.request(secrets.token_bytes(12), self.username, self.password, *extra)
        by = by or (self.phone.rtcp if to else self.phone.rtp)
        by.sendto(wire, (self.phone.there[0], self.phone.there[1] + to))

    def close(self) -> None:
        self.other.close()

    def answer(self, by: socket.socket | None = None) -> bytes:
        by = by or self.phone.rtp
        return by.recv(2048) if select.select([by], [], [], 0)[0] else b""


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inline]:
    monkeypatch.setattr(ice_module, "SETTLED_AFTER", 0.2)
    inline = Inline(relatch_after=5.0)
    yield inline
    inline.close()


def started(inline: Inline, phone: RtpPhone, call: str = "call", **where: object) -> tuple:  # type: ignore[type-arg]
    checking = IcePhone(phone)
    leg = inline.open(phone, call, **where)
    inline.phones.append(checking)  # closed with them
    inline.ask(control.TakeOffer(leg, checking.sdp()))
    checking.read(inline.ask(control.MakeAnswer(leg)).sdp)
    return checking, leg


def test_a_check_is_answered_where_it_came_from(inline: Inline) -> None:
    checking, _ = started(inline, RtpPhone())

    checking.check()
    checking.check(to=1)
    inline.spin()

    for by in (checking.phone.rtp, checking.phone.rtcp):
        answer = checking.answer(by)
        assert answer[:2] == b"\x01\x01"
        port = by.getsockname()[1] ^ (stun.COOKIE >> 16)
        assert b"\x00\x20\x00\x08\x00\x01" + port.to_bytes(2, "big") in answer


def test_nobody_else_is_answered(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())
    checking.check()
    inline.spin()
    assert checking.answer()

    checking.password += "x"
    checking.check()
    checking.password = checking.password[:-1]
    checking.username = "some:body"
    checking.check()
    checking.phone.throw(b"\x00\x01" + os.urandom(30))
    checking.phone.throw(b"\x16 DTLS that nobody agreed to")
    checking.phone.throw(b"\x70 nothing at all")
    inline.spin()

    assert checking.answer() == b""
    assert inline.stats(leg).junk == 5


def test_roles_and_unknown_attributes_are_refused_by_name(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())

    checking.check((stun.ICE_CONTROLLED, bytes(8)), NOMINATE)
    inline.spin()
    assert b"\x00\x00\x04\x57Role Conflict" in checking.answer()
    checking.check((0x7F00, b""), NOMINATE)
    inline.spin()
    assert b"\x00\x00\x04\x14Unknown Attribute" in checking.answer()
    assert inline.roster._legs[leg].path.endpoint.nominated is None


def test_media_goes_where_the_phone_decides_until_it_decides_again(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())
    inside = inline.roster._legs[leg]
    inline.ask(control.Feed(leg, Player(sounds=(Tone("test"),), times=0)))

    checking.check(NOMINATE, by=checking.other)
    inline.spin(0.1)
    checking.phone.send()  # from the other address: heard, but no reason to send there
    inline.spin(0.1)
    checking.phone.take()
    inline.spin(0.1)
    assert checking.phone.take() == []
    assert inline.stats(leg).received == 1
    assert not inside.path.endpoint.is_latched

    checking.check(NOMINATE)
    inline.spin(0.1)
    assert len(checking.phone.take()) >= 3


def test_after_a_while_the_socket_is_the_phones_alone(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())
    checking.check(NOMINATE)
    inline.spin()
    checking.phone.send()
    inline.spin()
    assert Latched(leg) not in inline.told

    inline.spin(0.25)
    checking.phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    checking.answer()
    checking.check()  # consent (RFC 7675): still answered
    inline.spin()
    assert checking.answer()[:2] == b"\x01\x01"
    checking.check(by=checking.other)
    inline.spin()
    assert checking.answer(checking.other) == b""


def test_a_phone_that_never_checks_is_found_by_its_packets(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice_module, "PATIENCE", 0.1)
    checking, leg = started(inline, RtpPhone())
    checking.phone.send()
    inline.spin(0.15)
    assert Latched(leg) not in inline.told

    checking.phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    checking.check(NOMINATE)
    inline.spin()
    assert inline.roster._legs[leg].path.endpoint.nominated == checking.phone.rtp.getsockname()


def test_a_restart_asks_for_new_checks_and_the_old_ones_are_dead(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())
    checking.check(NOMINATE)
    inline.spin()
    assert checking.answer()
    old = checking.username, checking.password

    checking.ufrag = "another"
    inline.ask(control.TakeOffer(leg, checking.sdp()))
    checking.read(inline.ask(control.MakeAnswer(leg)).sdp)
    endpoint = inline.roster._legs[leg].path.endpoint
    assert endpoint.nominated is None
    new = checking.username, checking.password
    checking.username, checking.password = old
    checking.check(NOMINATE)
    inline.spin()
    assert checking.answer() == b""
    checking.username, checking.password = new
    checking.check(NOMINATE)
    inline.spin()
    assert checking.answer()[:2] == b"\x01\x01"


def test_a_phone_may_go_on_without_checks(inline: Inline) -> None:
    checking, leg = started(inline, RtpPhone())
    checking.check(NOMINATE)
    inline.spin()

    inline.ask(control.TakeOffer(leg, checking.phone.sdp()))
    checking.phone.read(inline.ask(control.MakeAnswer(leg)).sdp)
    checking.answer()
    checking.check(NOMINATE)
    checking.phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)

    assert checking.answer() == b""
    assert inline.stats(leg).junk == 1


def test_a_check_proves_an_address_to_a_handshake(inline: Inline) -> None:
    """Behind another address than its signalling, and yet the phone."""
    phone = DtlsPhone(muxed=True)
    checking, leg = started(
        inline, phone, local="127.0.0.1", peer="127.0.0.9", manner=Manner(keying="dtls")
    )
    phone.pump()
    inline.spin()
    assert inline.stats(leg).junk == 1

    checking.check(NOMINATE)
    inline.spin()
    assert checking.answer()[:2] == b"\x01\x01"
    phone.begin()
    inline.spin_until(phone.pump)
    phone.send()
    inline.spin()
    assert inline.stats(leg).received == 1


def test_a_leg_with_checks_leaves_nothing_behind(inline: Inline) -> None:
    import gc

    def remaining() -> int:
        return sum(isinstance(o, Checks | Demux) for o in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = remaining()
        checking, leg = started(inline, RtpPhone())
        checking.check(NOMINATE)
        inline.spin()
        inline.ask(control.Drop((leg,)))
        assert remaining() == before
    finally:
        gc.enable()
