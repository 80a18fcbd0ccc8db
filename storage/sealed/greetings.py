"""The greetings key: in the exchange's credential directory, one derived key for each greeting.

A worker that records or plays a greeting is given the key of that one content and no other.
"""

from storage.sealed import primitives


def greeting_key(key: primitives.Bytes, content: bytes) -> bytes:
    """For one greeting; another content has another key."""
    return primitives.hkdf(key, "greeting", content)
