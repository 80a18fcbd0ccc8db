"""Where a leg's phone is: by its description, by its checks, and always by its packets."""

from media.sdp.ice import Ice
from media.sdp.offer_answer import Agreed
from media.worker.control_path import ControlPath
from media.worker.demux import Demux
from media.worker.ice import Checks
from media.worker.loop import Loop
from media.worker.path import Path
from media.worker.whereabouts import Whereabouts, named_by


class Bearings:
    """Aims the sockets of one leg."""

    def __init__(
        self,
        loop: Loop,
        where: Whereabouts,
        path: Path,
        control: ControlPath,
        others: tuple[Demux, Demux],
    ) -> None:
        """`others` hand on what shares the ports of voice and of reports."""
        self._loop, self._where = loop, where
        self._path, self._control, self._others = path, control, others
        self._named: tuple[str | None, int, int] | None = None
        self._ice: Ice | None = None
        self._checks: list[Checks] = []

    def follow(self, agreed: Agreed) -> None:
        """What offer and answer came to."""
        self._aim(agreed)
        self._look(agreed.ice)

    def close(self) -> None:
        """The leg ends."""
        for checks, others in zip(self._checks, self._others, strict=False):
            checks.close()
            others.take_stun(None)
        self._checks.clear()

    def _aim(self, agreed: Agreed) -> None:
        """Before the phone is known by a packet: send only where its signalling comes from.

        A re-offer that names the same place changes nothing: the address learnt from packets is
        better than the one a phone behind a NAT believes in.
        """
        address, port, rtcp_port = there = named_by(agreed)
        if address is None or self._named == there:
            return  # nowhere is the old way to hold a call: the phone is where it was
        if self._named is not None:
            self._path.reopen()  # it has moved, and may have nothing to say
        self._named = there
        if self._where.may_send_to(address):
            self._path.endpoint.aim((address, port))
            if self._control.is_own:
                self._control.endpoint.aim((address, rtcp_port))

    def _look(self, agreed: Ice | None) -> None:
        """From now on the phone's checks show the way; a new set of them begins anew."""
        if agreed == self._ice:
            return
        self._ice = agreed
        self.close()
        sockets = [self._path.endpoint]
        if self._control.is_own:
            sockets.append(self._control.endpoint)
        for endpoint, others in zip(sockets, self._others, strict=False):
            if agreed is not None:
                checks = Checks(self._loop, endpoint, self._where.prove, agreed)
                self._checks.append(checks)
                others.take_stun(checks.receive)
        self._path.reopen()
