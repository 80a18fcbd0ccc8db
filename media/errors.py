"""What can go wrong with media, named after whose fault it is."""


class MediaError(Exception):
    """Base of everything `media` raises on purpose; the text never holds a value from the wire."""


class SdpRefused(MediaError):
    """The peer's session description cannot be used; `status` is how SIP answers it.

    `warning` is the warn-code of RFC 3261 §20.43 that goes with the reason.
    """

    def __init__(self, reason: str, status: int = 488, warning: int = 399) -> None:
        super().__init__(reason)
        self.reason, self.status, self.warning = reason, status, warning


class OfferRefused(SdpRefused):
    """A phone's offer is not one we take (no keys, no codec, malformed)."""


class AnswerRefused(SdpRefused):
    """A phone answered what was not offered: a failed call, never media."""


class MediaUnavailable(MediaError):
    """No worker can serve the leg: none is up, or the one that held it died."""


class MediaFull(MediaUnavailable):
    """Every port pair of every worker is taken."""


class LegGone(MediaError):
    """The worker does not know the leg (dropped, or orphaned)."""


class Misuse(MediaError):
    """Our own side asked for something impossible, such as an answer without an offer."""


class MessageRefused(MediaError):
    """Nothing is recorded, played or sealed anew; `fault` says why.

    The file: missing, header, truncated, unfinished, reordered, spliced, altered, length, digest.
    The key: slot, refused, unavailable, key. The disk: disk-full, disk-error. The leg: busy."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"message: {fault}")
        self.fault = fault
