"""Requests that come round again: Max-Forwards and marks in our branches.

RFC 3261 §16.3 and §16.6, RFC 5393. A B2BUA sends requests of its own, so the count travels from
leg to leg, and a request that returns through somebody's proxy is known by the mark in our Via.
"""

import secrets
from hashlib import blake2s

from pbx.sip.errors import PeerError
from pbx.sip.message import Request

MAGIC = "z9hG4bK"
MAX_FORWARDS = 70


def forwards(request: Request) -> int:
    """Max-Forwards of the next leg; 483 when there is none left."""
    left = request.max_forwards
    left = MAX_FORWARDS if left is None else min(left, MAX_FORWARDS)
    if left == 0:
        raise PeerError("Max-Forwards", "reached zero", 483)
    return left - 1


class LoopMark:
    """Branches that only we can have made, and that say for which target (RFC 5393 §4.2)."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)

    def branch(self, target: str) -> str:
        """A new branch; unique, as §8.1.1.7 asks."""
        unique = secrets.token_hex(10)
        return f"{MAGIC}{unique}{self._mark(unique, target)}"

    def is_loop(self, request: Request, sent_by: str) -> bool:
        """Whether we sent this very request to this very target (a spiral changes the target)."""
        target = str(request.uri)
        for via in request.vias[1:]:
            branch = via.branch or ""
            if via.sent_by == sent_by and len(branch) == len(MAGIC) + 36:
                unique, mark = branch[len(MAGIC) : -16], branch[-16:]
                if secrets.compare_digest(mark, self._mark(unique, target)):
                    return True
        return False

    def _mark(self, unique: str, target: str) -> str:
        data = f"{unique} {target}".encode()
        return blake2s(data, key=self._key, digest_size=8).hexdigest()
