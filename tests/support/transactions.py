"""Messages for the transaction machines, and a reading of their effects."""

from __future__ import annotations

from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to
from pbx.sip.transaction.effects import Deliver, Effect, LoseFlow, Send, SendCancel, TimeOut


def make_request(method: str) -> Request:
    return Request(
        method,
        "sip:1002@clinic.example",
        Headers(
            ("Via", "SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bKinvite"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:edge.example;lr>"),
            ("From", "<sip:1001@clinic.example>;tag=alice1"),
            ("To", "<sip:1002@clinic.example>"),
            ("Call-ID", "call-1"),
            ("CSeq", f"1 {'INVITE' if method == 'ACK' else method}"),
        ),
    )


def make_response(method: str, status: int) -> Response:
    return response_to(make_request(method), status, to_tag="bob1")


def read(effects: list[Effect]) -> list[str]:
    """Effects as words: `send 200`, `send ACK`, `deliver 180`, `cancel`, `timeout H`, `lost`."""
    words = []
    for effect in effects:
        match effect:
            case Send(message):
                words.append(f"send {_name(message)}")
            case Deliver(message):
                words.append(f"deliver {_name(message)}")
            case SendCancel():
                words.append("cancel")
            case TimeOut(timer):
                words.append(f"timeout {timer}")
            case LoseFlow():
                words.append("lost")
    return words


def _name(message: object) -> str:
    return message.method if isinstance(message, Request) else str(message.status)  # type: ignore[attr-defined]
