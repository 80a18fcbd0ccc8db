"""Following somebody else's calls: being told of them, listening in, taking or joining a dialog.

What could do so is the program's own declaration: the extensions and methods of SIP that the
exchange serves, and the one package that it tells phones of. One that nobody described here
cannot be told.
"""

from __future__ import annotations

from pbx.b2bua.leg import is_ones_own
from pbx.isolation.finding import Finding, judged, unknown
from pbx.isolation.scene import Scene
from pbx.signalling import CAPABILITIES
from pbx.sip.checks import Capabilities, inspect
from pbx.sip.headers import Headers
from pbx.sip.message import Request
from pbx.sip.uri import parse_uri
from pbx.voicemail.lamps import refusal_of
from pbx.voicemail.summary import PACKAGE

TELL_OF_CALLS = ("dialog", "conference", "presence", "reg", "call-completion", "kpml")
"""Packages by which a phone could follow another one (RFC 4235, 4575, 3856, 3680, 6910, 4730)."""

HARMLESS = {
    "100rel": "how a response is confirmed",
    "gruu": "an address that names a phone, no person",
    "norefersub": "who referred hears no more of it",
    "outbound": "how a phone keeps its own flow",
    "path": "the way to a phone",
    "timer": "how long a session lives unrefreshed",
}
"""SIP extensions that name no dialog but their own."""


def findings(scene: Scene, served: Capabilities = CAPABILITIES) -> list[Finding]:
    extensions = [_extension(tag, scene) for tag in served.extensions]
    return [_monitoring(scene), *extensions, _join(scene, served)]


def _monitoring(scene: Scene) -> Finding:
    """Neither of the two is told of the other's calls, whatever they subscribe to."""
    path = "monitoring"
    own = _asked(scene, "SUBSCRIBE", ("Event", PACKAGE))
    if refusal_of(own) is not None:
        return unknown(path, "a phone is not told of its own messages either")
    told = [
        package
        for package in TELL_OF_CALLS
        if refusal_of(_asked(scene, "SUBSCRIBE", ("Event", package))) is None
    ]
    leak = f"a phone may subscribe to {told[0]} of somebody else's number" if told else ""
    return judged(
        path, leak, "no listening in, no barging, no following of calls is served: to anybody"
    )


def _extension(tag: str, scene: Scene) -> Finding:
    path = f"SIP {tag}"
    if tag == "replaces":
        return _replaces(scene)
    if tag in HARMLESS:
        return judged(path, "", HARMLESS[tag])
    return unknown(path, "nobody described how to try it")


def _replaces(scene: Scene) -> Finding:
    """Whose place a phone may take, in an INVITE (RFC 3891) and in a Refer-To (RFC 5589 §7)."""
    path = "SIP replaces"
    seat, at_phone = scene.directory.holder_of(scene.shared), scene.directory.holder_of(scene.phone)
    former, present = scene.old.person, at_phone.person if at_phone else None
    if not is_ones_own(scene.shared, former, scene.phone, former):
        return unknown(path, "nobody may take their own call over to another phone of theirs")
    leak = ""
    if is_ones_own(scene.shared, former, scene.phone, present):
        leak = "the former holder may take a call of the number's phone"
    elif is_ones_own(scene.phone, scene.new.person, scene.shared, seat.person if seat else former):
        leak = "the new holder may take a call of the former one's"
    elif seat is not None:
        leak = "a phone on which the former holder had signed in may take calls as theirs"
    return judged(path, leak, "each takes the place of their own phones alone, in both directions")


def _join(scene: Scene, served: Capabilities) -> Finding:
    """RFC 3911: refused where it is required, and not looked at where it is not."""
    path = "SIP join"
    name = ("Join", "tried;to-tag=a;from-tag=b")
    if inspect(_asked(scene, "INVITE"), served, is_merged=False) is not None:
        return unknown(path, "a call without it is refused as well")
    refusal = inspect(_asked(scene, "INVITE", name, ("Require", "join")), served, is_merged=False)
    leak = "" if refusal is not None and refusal.status == 420 else "a phone may join a dialog"
    return judged(path, leak, "a phone that wants to join a dialog is refused, whoever it is")


def _asked(scene: Scene, method: str, *fields: tuple[str, str]) -> Request:
    """As a phone of the former holder's would ask about the number; it goes nowhere."""
    name = "<sip:nobody@invalid>"
    headers = Headers(
        ("Via", "SIP/2.0/TLS invalid;branch=z9hG4bKtried"),
        ("From", f"{name};tag=tried"),
        ("To", name),
        ("Call-ID", "tried"),
        ("CSeq", f"1 {method}"),
        ("Contact", name),
        *fields,
    )
    return Request(method, parse_uri(f"sip:{scene.number[1:]}@invalid"), headers)
