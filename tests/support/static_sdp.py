"""A session description that never changes: for calls without media, as many as wanted."""

import base64
import re

KEY = base64.b64encode(bytes(range(30))).decode()


def static_offer(address: str = "127.0.0.1", port: int = 40_000, tag: str = "1") -> bytes:
    """G.711 under SRTP; nothing listens there."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    ).encode()


def static_answer(offer: bytes) -> bytes:
    """The same, under the tag that the offer gives the one suite every phone has."""
    found = re.search(rb"a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80", offer)
    return static_offer(tag=found[1].decode() if found else "1")
