"""Offer and answer (RFC 3264) for the one audio stream of a leg, keyed by RFC 4568 or RFC 5763.

A `Negotiation` belongs to a leg. It remembers what is agreed, what is being asked, our keys (one
for each suite, the same ones for the leg's whole life, so that a re-offer re-keys nothing), and the
m-lines the session has had: a refused one keeps its place.
"""

import secrets
from dataclasses import dataclass, replace

from media.errors import AnswerRefused, Misuse, OfferRefused
from media.sdp import audio, ice
from media.sdp.audio import (
    INCOMPATIBLE_FORMAT,
    NO_AUDIO,
    Audio,
    Unacceptable,
    both,
    mirrored,
    protocol_of,
)
from media.sdp.crypto_attribute import SUITES, CryptoAttribute, Suite
from media.sdp.dtls_terms import Dtls, DtlsTerms
from media.sdp.fingerprint import Fingerprint
from media.sdp.formats import (
    CODED_KINDS,
    OURS,
    Codec,
    Formats,
    attributes_of,
    common,
    number_of,
    renumbered,
    with_coded,
)
from media.sdp.ice import Ice
from media.sdp.model import Attribute, Connection, Media, SessionDescription
from media.sdp.parser import Malformed, parse
from media.values import Direction, Manner


@dataclass(frozen=True, slots=True)
class Sdes:
    """A key each way, named in the descriptions."""

    ours: CryptoAttribute
    theirs: CryptoAttribute


Keys = Sdes | Dtls


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides of a leg said yes to."""

    remote: Audio
    keys: Keys
    receive: Formats
    """The numbers the phone uses towards us."""
    send: Formats
    """The numbers we use towards the phone."""
    direction: Direction
    """Ours: sendrecv or sendonly means that we may send."""
    muxed: bool
    ice: Ice | None
    """Whose checks show the way; None: the phone's packets do."""

    @property
    def voice(self) -> tuple[int, Codec]:
        """The number and the codec we play in."""
        return next((n, codec) for n, codec in self.send.items() if codec.is_voice)


@dataclass(frozen=True, slots=True)
class _Offered:
    """The phone's offer, until we answered."""

    remote: Audio
    streams: tuple[Media, ...]
    place: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """Our offer, until the phone answered."""

    lines: tuple[CryptoAttribute, ...]
    """None of them: the keys come of a handshake."""
    formats: Formats
    protocol: str
    direction: Direction
    muxed: bool
    looks: bool
    """By ICE."""
    sdp: bytes


class Negotiation:
    """One leg's offers and answers."""

    def __init__(
        self,
        address: str,
        port: int,
        fingerprint: Fingerprint,
        manner: Manner = Manner(),  # noqa: B008 - a frozen value
    ) -> None:
        self._where = Connection(address, 6 if ":" in address else 4)
        self._port = port
        self._fingerprint, self._manner = fingerprint, manner
        self._protocol = protocol_of(manner)
        self._tls_id = secrets.token_urlsafe(24)
        self._credentials = ice.fresh()
        self._session_id = str(secrets.randbits(62))
        self._version = 0
        self._last: tuple[Media, ...] = ()
        self._keys = _fresh_keys()
        self._streams: tuple[Media, ...] = ()
        self._place = 0
        self._offered: _Offered | None = None
        self._asked: _Asked | None = None
        self._answered: _Asked | None = None
        """What we asked last, once there is an answer, until there is another offer."""
        self._said: bytes = b""
        self._heard: bytes = b""
        self.agreed: Agreed | None = None

    def codecs(self) -> Formats:
        """What this leg's phone takes: as just offered, else as agreed."""
        if self._offered:
            return self._offered.remote.formats
        return self.agreed.send if self.agreed else {}

    def manner(self) -> Manner:
        """How this leg's phone offers, else how we offer to it."""
        return self._offered.remote.manner if self._offered else self._manner

    @property
    def asks_for_handshake(self) -> bool:
        """Whether our offer stands, and is one of DTLS."""
        return self._asked is not None and not self._asked.lines

    # --- the phone offers

    def take_offer(self, sdp: bytes) -> None:
        """Read the phone's offer."""
        if self._asked:
            raise Misuse("our own offer is still unanswered")
        try:
            session = parse(sdp)
            self._offered = _choose(session)
        except Malformed as malformed:
            raise OfferRefused(str(malformed), status=400) from None

    def make_answer(self, like: Formats | None = None, direction: Direction = "sendrecv") -> bytes:
        """Our answer; the same bytes again until there is another offer."""
        if self._offered is None:
            if not self._said:
                raise Misuse("there is no offer to answer")
            return self._said
        remote = self._offered.remote
        formats = _answered(remote.formats, like)
        if not formats:
            raise OfferRefused("no audio codec in common", warning=INCOMPATIBLE_FORMAT)
        keys, lines = self._answer_keys(remote)
        direction = both(direction, mirrored(remote.direction))
        checks, written = self._answer_ice(remote)
        self.agreed = Agreed(remote, keys, formats, formats, direction, remote.muxed, checks)
        self._streams, self._place = self._offered.streams, self._offered.place
        self._protocol = remote.protocol
        self._offered = self._answered = None
        extra = [Attribute("rtcp-mux")] if remote.muxed else []
        extra += [Attribute("ptime", str(remote.ptime))] if remote.ptime else []
        self._said = self._describe(lines + written, formats, direction, extra, checks is not None)
        return self._said

    def _answer_ice(self, remote: Audio) -> tuple[Ice | None, list[Attribute]]:
        """RFC 8839 §4.2.5: where candidates and address differ, we go without and say so."""
        if remote.ice is None or not remote.ice.is_usable:
            is_mismatched = remote.ice is not None and remote.ice.is_mismatched
            return None, [Attribute("ice-mismatch")] if is_mismatched else []
        before = self.agreed.ice if self.agreed else None
        if before is not None and before.theirs != remote.ice.credentials:
            self._credentials = ice.fresh()  # the phone begins anew: so do we (RFC 8445 §9)
        checks = Ice(self._credentials, remote.ice.credentials)
        return checks, ice.stream_lines(self._credentials, self._where, self._port, remote.muxed)

    def _answer_keys(self, remote: Audio) -> tuple[Keys, list[Attribute]]:
        """What keys the stream from now on, and the lines that say so."""
        if remote.dtls is None:
            theirs = remote.chosen
            ours = CryptoAttribute(theirs.tag, theirs.suite, self._keys[theirs.suite])
            return Sdes(ours, theirs), [Attribute("crypto", str(ours))]
        before = self._association
        keys = Dtls(remote.dtls.fingerprints, remote.dtls.tls_id, self._begins(remote.dtls))
        if before is not None and before.tls_id != keys.tls_id:
            self._tls_id = secrets.token_urlsafe(24)
        setup = "active" if keys.is_active else "passive"
        return keys, self._dtls_lines(setup, remote.dtls.tls_id != "")

    def _begins(self, theirs: DtlsTerms) -> bool:
        """Whether we send the first message. The phone does where it may: its message opens the
        way through its NAT, ours would not get there. A standing association keeps its roles
        (RFC 8842 §5.3)."""
        if theirs.setup == "actpass":
            return self._association is not None and self._association.is_active
        return theirs.setup == "passive"

    @property
    def _association(self) -> Dtls | None:
        keys = self.agreed.keys if self.agreed else None
        return keys if isinstance(keys, Dtls) else None

    def _dtls_lines(self, setup: str, with_id: bool) -> list[Attribute]:
        lines = [Attribute("fingerprint", str(self._fingerprint)), Attribute("setup", setup)]
        return lines + ([Attribute("tls-id", self._tls_id)] if with_id else [])

    # --- we offer

    def make_offer(self, like: Formats | None = None, direction: Direction = "sendrecv") -> bytes:
        """Our offer; asked again while it stands, the same bytes."""
        if self._offered:
            raise Misuse("the phone's own offer is still unanswered")
        if self._asked:
            return self._asked.sdp
        formats = with_coded(like) if like else dict(OURS)
        if self.agreed:
            formats = renumbered(formats, self.agreed.receive)
        lines = self._lines()
        written = [Attribute("crypto", str(line)) for line in lines]
        muxed = self.agreed.muxed if self.agreed else self._manner.muxed
        extra = [Attribute("rtcp-mux")] if muxed else []
        looks = self.agreed.ice is not None if self.agreed else self._manner.needs_ice
        if looks:
            extra += ice.stream_lines(self._credentials, self._where, self._port, muxed)
        sdp = self._describe(
            written or self._dtls_lines("actpass", True), formats, direction, extra, looks
        )
        self._asked = _Asked(lines, formats, self._protocol, direction, muxed, looks, sdp)
        self._answered, self._heard = None, b""
        return sdp

    def take_answer(self, sdp: bytes) -> None:
        """Read the phone's answer; what was not offered fails the call.

        What a 183 said before may be said otherwise in the 200 (RFC 6337 §3.1.1)."""
        asked = self._asked or self._answered
        if self._asked is None and sdp == self._heard:
            return
        if asked is None:
            raise AnswerRefused("an answer without an offer")
        try:
            self.agreed = self._agree(asked, parse(sdp))
        except (Malformed, Unacceptable) as wrong:
            raise AnswerRefused(str(wrong)) from None
        self._asked, self._answered, self._heard = None, asked, sdp

    def withdraw(self) -> None:
        """Forget what is being asked; what is agreed stays (RFC 3264 §8)."""
        self._asked = self._offered = None

    def _lines(self) -> tuple[CryptoAttribute, ...]:
        """The crypto lines of an offer; none if it asks for a handshake."""
        if self.agreed:  # a re-offer re-keys nothing
            return (self.agreed.keys.ours,) if isinstance(self.agreed.keys, Sdes) else ()
        if self._manner.keying == "dtls":
            return ()
        numbered = enumerate(SUITES, start=1)
        return tuple(CryptoAttribute(tag, suite, self._keys[suite]) for tag, suite in numbered)

    def _agree(self, asked: _Asked, session: SessionDescription) -> Agreed:
        streams = max(len(self._streams), 1)
        if len(session.media) != streams:
            raise AnswerRefused("as many streams were offered, no more and no fewer")
        media = session.media[self._place]
        if media.kind != "audio" or media.port == 0:
            raise AnswerRefused("the audio stream was refused", warning=NO_AUDIO)
        if media.protocol != asked.protocol:
            raise AnswerRefused("another transport than the offered one")
        remote = audio.read(session, media, unsaid="passive")
        keys: Keys = _matched(media, remote, asked.lines) if asked.lines else _agreed_dtls(remote)
        send = _numbers(remote.formats, asked.formats)
        if not any(codec.is_voice for codec in send.values()):
            raise AnswerRefused("no offered codec was chosen", warning=INCOMPATIBLE_FORMAT)
        kinds = {codec.kind for codec in send.values()}
        receive = {n: codec for n, codec in asked.formats.items() if codec.kind in kinds}
        direction = both(asked.direction, mirrored(remote.direction))
        checks = None
        if asked.looks and remote.ice is not None and remote.ice.is_usable:
            checks = Ice(self._credentials, remote.ice.credentials)
        muxed = remote.muxed and asked.muxed
        return Agreed(remote, keys, receive, send, direction, muxed, checks)

    def _describe(
        self,
        keying: list[Attribute],
        formats: Formats,
        direction: Direction,
        extra: list[Attribute],
        looks: bool,
    ) -> bytes:
        attributes = [*attributes_of(formats), *keying, *extra, Attribute(direction)]
        numbers = tuple(map(str, formats))
        mine = Media("audio", self._port, self._protocol, numbers, None, tuple(attributes))
        streams = [media.refused() for media in self._streams] or [mine]
        streams[self._place] = mine
        if tuple(streams) != self._last:  # RFC 3264 §8: a changed description has a higher version
            self._version += 1
            self._last = tuple(streams)
        head = tuple(ice.session_lines()) if looks else ()
        session = SessionDescription(self._session_id, self._version, self._where, self._last, head)
        return session.encode()


def _fresh_keys() -> dict[Suite, bytes]:
    """A key and salt for each suite, from one draw: the kernel is asked once a leg."""
    drawn, keys = secrets.token_bytes(sum(s.master_length for s in SUITES)), {}
    for suite in SUITES:
        keys[suite], drawn = drawn[: suite.master_length], drawn[suite.master_length :]
    return keys


def _choose(session: SessionDescription) -> _Offered:
    """The first audio stream we can take; the others will be refused with port 0."""
    reasons: list[Unacceptable] = []
    for place, media in enumerate(session.media):
        if media.kind != "audio" or media.port == 0:
            continue
        try:
            return _Offered(audio.read(session, media), session.media, place)
        except Unacceptable as unacceptable:
            reasons.append(unacceptable)
    first = reasons[0] if reasons else Unacceptable("no audio stream is offered", NO_AUDIO)
    raise OfferRefused(first.reason, warning=first.warning)


def _answered(offered: Formats, like: Formats | None) -> Formats:
    """The voice codecs the other leg takes, else the first we can code; and the phone's events."""
    wanted = [codec for codec in (like or {}).values() if not codec.is_event]
    formats = common(offered, wanted)
    if not any(codec.is_voice for codec in formats.values()):
        is_coded = like is None or any(codec.kind in CODED_KINDS for codec in wanted)
        coded = [n for n, codec in offered.items() if codec.kind in CODED_KINDS] if is_coded else []
        if not coded:
            return {}
        cheap = [n for n in coded if number_of(OURS, offered[n]) is not None]
        number = (cheap or coded)[0]
        formats = {number: offered[number]}
    clocks = {codec.clock for codec in formats.values()}
    events = {n: c for n, c in offered.items() if c.is_event}
    fitting = {n: c for n, c in events.items() if c.clock in clocks} or events
    return formats | {n: replace(c, fmtp="0-16") for n, c in fitting.items()}


def _agreed_dtls(remote: Audio) -> Dtls:
    """RFC 5763 §5: the answer decides who begins."""
    if remote.dtls is None:
        raise AnswerRefused("a handshake was offered and a key came back")
    if remote.dtls.setup == "actpass":
        raise AnswerRefused("setup: active or passive answers actpass")
    return Dtls(remote.dtls.fingerprints, remote.dtls.tls_id, remote.dtls.setup == "passive")


def _matched(media: Media, remote: Audio, lines: tuple[CryptoAttribute, ...]) -> Sdes:
    """RFC 4568 §5.1.3: exactly one line, with a tag and suite that were offered together."""
    if len(media.all("crypto")) != 1 or not remote.crypto:
        raise AnswerRefused("exactly one crypto line answers an offer")
    theirs = remote.crypto[0]
    for ours in lines:
        if ours.tag == theirs.tag and ours.suite == theirs.suite:
            if ours.master == theirs.master:
                raise AnswerRefused("our own key came back")
            return Sdes(ours, theirs)
    raise AnswerRefused("a suite or tag that was not offered")


def _numbers(answered: Formats, asked: Formats) -> Formats:
    """What of the answer was offered, under the numbers the phone gave it."""
    return {n: codec for n, codec in answered.items() if number_of(asked, codec) is not None}
