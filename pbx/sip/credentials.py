"""Challenges and credentials of the Digest scheme as fields (RFC 7616, RFC 8760).

WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization hold one each a
line: their commas separate parameters, so they are never split as lists.
"""

from __future__ import annotations

import re

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import QUOTED, TOKEN, quote, unescape_pairs

LONGEST = 1024
"""No parameter is longer: nonces and URIs are far shorter."""

_BARE = r"[A-Za-z0-9\-.!%*_+`'~:/=@\[\]]++"  # looser than token: some phones forget the quotes
_scheme = re.compile(rf"({TOKEN})[ \t]++(.*+)", re.DOTALL).fullmatch
_PARAMETER = rf"[ \t]*+{TOKEN}[ \t]*+=[ \t]*+(?:{QUOTED}|{_BARE})[ \t]*+"
_is_list = re.compile(rf"{_PARAMETER}(?:,{_PARAMETER})*", re.DOTALL).fullmatch
# Name, and either what stands between quotes or what stands without.
_each = re.compile(
    rf'({TOKEN})[ \t]*+=[ \t]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*)"|({_BARE}))', re.DOTALL
).findall
_is_count = re.compile("[0-9A-Fa-f]{8}").fullmatch
_NEEDED = frozenset({"username", "realm", "nonce", "uri", "response"})


class Credentials(Struct, frozen=True, kw_only=True):
    """Authorization or Proxy-Authorization (RFC 7616 section 3.4)."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    """As written; MD5 if the field has none (RFC 2617 clients)."""
    cnonce: str | None = None
    nc: int | None = None
    qop: str | None = None
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str, header: str = "Authorization") -> Credentials:
        """Digest dig-resp; PeerError for another scheme."""
        found = _parameters(text, header)
        is_hashed = "username*" in found or found.get("userhash", "").lower() == "true"
        if is_hashed or not found.keys() >= _NEEDED:
            raise PeerError(header, "has a plain username, realm, nonce, uri and response")
        qop, nc = found.get("qop"), found.get("nc")
        return cls(
            username=found["username"],
            realm=found["realm"],
            nonce=found["nonce"],
            uri=found["uri"],
            response=found["response"],
            algorithm=found.get("algorithm", "MD5"),
            cnonce=found.get("cnonce"),
            nc=None if nc is None else _nonce_count(nc, header),
            qop=qop and qop.lower(),
            opaque=found.get("opaque"),
        )

    def __str__(self) -> str:
        text = (
            f"Digest username={quote(self.username)}, realm={quote(self.realm)},"
            f" nonce={quote(self.nonce)}, uri={quote(self.uri)}, response={quote(self.response)},"
            f" algorithm={self.algorithm}"
        )
        if self.cnonce is not None:
            text += f", cnonce={quote(self.cnonce)}"
        if self.qop is not None:
            text += f", qop={self.qop}"
        if self.nc is not None:
            text += f", nc={self.nc:08x}"
        return text if self.opaque is None else f"{text}, opaque={quote(self.opaque)}"


class Challenge(Struct, frozen=True, kw_only=True):
    """WWW-Authenticate or Proxy-Authenticate (RFC 7616 section 3.3)."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ("auth",)
    opaque: str | None = None
    is_stale: bool = False

    @classmethod
    def parse(cls, text: str, header: str = "WWW-Authenticate") -> Challenge:
        """Digest digest-cln; PeerError for another scheme."""
        found = _parameters(text, header)
        if "realm" not in found or "nonce" not in found:
            raise PeerError(header, "has a realm and a nonce")
        return cls(
            realm=found["realm"],
            nonce=found["nonce"],
            algorithm=found.get("algorithm", "MD5"),
            qop=tuple(part.strip(" \t").lower() for part in found.get("qop", "").split(",")),
            opaque=found.get("opaque"),
            is_stale=found.get("stale", "").lower() == "true",
        )

    def __str__(self) -> str:
        text = f"Digest realm={quote(self.realm)}, nonce={quote(self.nonce)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        if self.is_stale:
            text += ", stale=true"
        # pjsua2 and the baresips want the algorithm bare and qop quoted
        return f'{text}, algorithm={self.algorithm}, qop="{",".join(self.qop)}"'


def is_digest(text: str) -> bool:
    """Whether a field is of the Digest scheme at all."""
    return text[:6].lower() == "digest" and text[6:7] in (" ", "\t")


def _parameters(text: str, header: str) -> dict[str, str]:
    match = _scheme(text)
    if match is None or match[1].lower() != "digest":
        raise PeerError(header, "is of the Digest scheme")
    text = match[2]
    if _is_list(text) is None:
        raise PeerError(header, "is name=value, separated by commas")
    pairs = _each(text)
    found = {name.lower(): quoted or bare for name, quoted, bare in pairs}
    if len(found) != len(pairs):
        raise PeerError(header, "a parameter appears once")
    if "\\" in text:
        found = {name: unescape_pairs(value) for name, value in found.items()}
    if max(map(len, found.values())) > LONGEST:
        raise PeerError(header, f"a parameter has at most {LONGEST} characters")
    return found


def _nonce_count(text: str, header: str) -> int:
    if _is_count(text) is None:
        raise PeerError(header, "nc is eight hexadecimal digits")
    return int(text, 16)
