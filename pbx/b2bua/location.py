"""Where an emergency call comes from, as its phone says (RFC 6442): passed on, not written down."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from msgspec.structs import replace

from pbx.sip.errors import PeerError
from pbx.sip.message import Request
from pbx.sip.multipart import MIXED, Part, parts_of, write

SDP, PIDF = "application/sdp", "application/pidf+xml"
LONGEST = 32_768


@dataclass(frozen=True, slots=True)
class Location:
    """By reference in the Geolocation fields, by value in the parts they name."""

    fields: tuple[str, ...]
    parts: tuple[Part, ...]

    def write_into(self, request: Request) -> None:
        """Beside the session description that the request has."""
        for field in self.fields:
            request.headers.add("Geolocation", field)
        request.headers.add("Geolocation-Routing", "no")  # it has arrived (RFC 6442 §4.2)
        if self.parts:
            boundary = secrets.token_hex(16)
            described = Part(content_type=SDP, body=request.body)
            beside = [replace(part, is_optional=True) for part in self.parts]
            request.headers.set("Content-Type", f'{MIXED};boundary="{boundary}"')
            request.body = write((described, *beside), boundary)


def unwrap(request: Request) -> Location | None:
    """Leave the session description as the request's body; what else said where it comes from."""
    fields = tuple(request.headers.all("Geolocation"))
    parts: tuple[Part, ...] = ()
    if request.content_type == MIXED:
        try:
            parts = parts_of(request)
        except PeerError:  # of an ACK, which nobody could refuse
            parts = ()
        described = [part.body for part in parts if part.content_type == SDP]
        request.body = described[0] if described else b""
        request.headers.set("Content-Type", SDP)
    elif request.content_type == PIDF:
        parts, request.body = (Part(content_type=PIDF, body=request.body),), b""
    kept = tuple(part for part in parts if part.content_type == PIDF)
    size = sum(len(part.body) for part in kept) + sum(map(len, fields))
    return Location(fields, kept) if (fields or kept) and size <= LONGEST else None
