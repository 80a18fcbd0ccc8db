"""The keys of one leg: named in its descriptions (SDES), or made by handshakes (DTLS-SRTP)."""

from collections.abc import Callable

from media.errors import AnswerRefused
from media.sdp.crypto_attribute import Suite
from media.sdp.dtls_terms import Dtls
from media.sdp.offer_answer import Agreed, Sdes
from media.worker.association import Association, Cause
from media.worker.control_path import ControlPath
from media.worker.demux import Demux, Taker
from media.worker.dtls import Identity, Secrets
from media.worker.endpoint import Address, Endpoint
from media.worker.loop import Loop
from media.worker.path import Path
from media.worker.srtp import Context
from media.worker.stream import Stream
from media.worker.whereabouts import Whereabouts

MAX_CONTEXTS = 200
"""Keys of one leg's life: re-keying with every refresh of a day's call takes a hundred."""
SENDS = ("sendrecv", "sendonly")


class Keying:
    """Gives path, stream and RTCP the contexts they work under."""

    def __init__(
        self,
        loop: Loop,
        identity: Identity,
        where: Whereabouts,
        failed: Callable[[Cause], None],
        *,
        path: Path,
        control: ControlPath,
        stream: Stream,
        others: tuple[Demux, Demux],
    ) -> None:
        """`others` hand on what shares the ports of voice and of reports."""
        self._others = others
        self._loop, self._identity, self._where, self._failed = loop, identity, where, failed
        self._path, self._control, self._stream = path, control, stream
        self._contexts: dict[tuple[Suite, bytes, bool], Context] = {}
        self._outbound: Context | None = None
        self._may_send = False
        self._agreed: Dtls | None = None
        self._voice: Association | None = None
        self._reports: Association | None = None
        self.rekeys = 0

    @property
    def suite(self) -> str:
        """Of what we hear; empty before there is a key."""
        return self._path.context.suite.name if self._path.context else ""

    def expect_handshake(self) -> None:
        """One is being offered: the peer's first message may overtake its answer."""
        if self._voice is None:
            self._voice = self._association(self._path.endpoint, self._key_voice, self._failed)
            self._others[0].take_dtls(self._taker(self._voice))
        if self._reports is None and self._control.is_own:
            endpoint = self._control.endpoint
            self._reports = self._association(endpoint, self._key_reports, self._reports_failed)
            self._others[1].take_dtls(self._taker(self._reports))

    def apply(self, agreed: Agreed) -> None:
        """What offer and answer came to."""
        self._may_send = agreed.direction in SENDS
        if isinstance(agreed.keys, Sdes):
            self._end_handshakes()
            self._key_as_named(agreed.keys)
        elif agreed.keys != self._agreed:
            self._shake_hands(agreed.keys, shared=agreed.muxed)
        self._stream.key(self._outbound, may_send=self._may_send)

    def close(self) -> None:
        """The leg ends."""
        self._end_handshakes()
        self._voice = self._reports = None

    # --- SDES

    def _key_as_named(self, keys: Sdes) -> None:
        """One context for each key for the leg's life: ROC, indices and replay window live there.

        A key that comes back after another one goes on where it stopped: a context started afresh
        would repeat nonces (RFC 7714 §8) and take old packets again (RFC 3711 §3.3.2)."""
        ours, theirs = keys.ours, keys.theirs
        inbound = self._path.context
        self._outbound = self._context(ours.suite, ours.master, inbound=False)
        if inbound is None or not inbound.is_keyed(theirs.suite, theirs.master):
            if inbound is not None:  # it may have begun anew in both directions
                self._stream.begin_anew()
            inbound = self._context(theirs.suite, theirs.master, inbound=True)
            self._open_with(inbound)
        self._control.key(inbound, self._outbound)

    # --- DTLS

    def _shake_hands(self, agreed: Dtls, *, shared: bool) -> None:
        """Another association than the last: until it stands, the last one's keys are good."""
        if len(self._contexts) > MAX_CONTEXTS - 4:
            raise AnswerRefused("too many keys in one call")
        self._agreed = agreed
        self.expect_handshake()
        if shared and self._reports is not None:
            self._reports.close()
            self._reports = None
        for association in (self._voice, self._reports):
            if association is not None:
                association.begin(agreed)

    def _key_voice(self, secrets: Secrets) -> None:
        inbound = self._context(secrets.suite, secrets.theirs, inbound=True)
        self._outbound = self._context(secrets.suite, secrets.ours, inbound=False)
        self._open_with(inbound)
        self._stream.key(self._outbound, may_send=self._may_send)
        if not self._control.is_own:
            self._control.key(inbound, self._outbound)

    def _key_reports(self, secrets: Secrets) -> None:
        """RTCP has a handshake and keys of its own on its own port (RFC 5764 §4.1)."""
        self._control.key(
            self._context(secrets.suite, secrets.theirs, inbound=True),
            self._context(secrets.suite, secrets.ours, inbound=False),
        )

    def _reports_failed(self, cause: Cause) -> None:
        """A phone may leave RTCP out, but nobody may take its place."""
        if cause == "fingerprint":
            self._failed(cause)

    def _association(
        self,
        endpoint: Endpoint,
        keyed: Callable[[Secrets], None],
        failed: Callable[[Cause], None],
    ) -> Association:
        return Association(
            self._loop,
            endpoint,
            self._identity,
            keyed=keyed,
            failed=failed,
        )

    def _taker(self, association: Association) -> Taker:
        """Only from where the phone may be: an answer is longer than what asks for it."""
        where = self._where

        def take(datagram: bytes, address: Address) -> bool:
            return where.may_send_to(address[0]) and association.offer(datagram, address)

        return take

    def _end_handshakes(self) -> None:
        self._agreed = None
        for association in (self._voice, self._reports):
            if association is not None:
                association.close()

    # --- both

    def _open_with(self, inbound: Context) -> None:
        self.rekeys += self._path.context is not None
        self._path.key(inbound)

    def _context(self, suite: Suite, master: bytes, *, inbound: bool) -> Context:
        known = (suite, master, inbound)
        if known not in self._contexts:
            if len(self._contexts) >= MAX_CONTEXTS:
                raise AnswerRefused("too many keys in one call")
            self._contexts[known] = Context(suite, master, inbound=inbound)
        return self._contexts[known]
