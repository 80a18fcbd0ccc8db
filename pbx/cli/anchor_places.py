"""Where `pbx audit anchor` can put an anchor: a file, the terminal as QR code, TLS syslog."""

import ssl
import sys
from pathlib import Path

import segno

from pbx.cli.output import CommandError, Exit
from storage.ledger.anchors import Anchor, AnchorPlace, FilePlace
from storage.ledger.syslog import PORT, SyslogPlace


class TerminalPlace:
    """A QR code to photograph or print; the same JSON as in a file."""

    name = "qr"

    def put(self, anchor: Anchor) -> None:
        try:
            code = segno.make(anchor.to_text(), error="l", micro=False)
        except segno.DataOverflowError:
            raise CommandError(
                "There are too many chains for one QR code; use --file.", Exit.REFUSED
            ) from None
        code.terminal(sys.stdout, compact=True)


def places(
    file: Path | None, qr: bool, syslog: str | None, trust: Path | None
) -> list[AnchorPlace]:
    chosen: list[AnchorPlace] = []
    if file is not None:
        chosen.append(FilePlace(file))
    if syslog is not None:
        chosen.append(_syslog(syslog, trust))
    if qr:
        chosen.append(TerminalPlace())
    return chosen


def _is_host(host: str) -> bool:
    """A name that can be looked up; the library raises where a part of it is too long."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _syslog(place: str, trust: Path | None) -> SyslogPlace:
    host, _, port = place.rpartition(":") if ":" in place else (place, "", str(PORT))
    host = host.strip("[]")
    if not _is_host(host) or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        raise CommandError("--syslog: is HOST or HOST:PORT.", Exit.USAGE)
    try:
        return SyslogPlace(host, int(port), trust=trust)
    except (OSError, ssl.SSLError):
        raise CommandError("--trust: is not a readable PEM certificate.", Exit.USAGE) from None
