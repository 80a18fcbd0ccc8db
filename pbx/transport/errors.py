"""Why a flow ends, in words that name a rule and never a value.

TransportError
├── PeerError       the peer broke a rule; the flow is cut
└── LocalError      we could not do what was asked (no route, no memory, no certificate)
"""


class TransportError(Exception):
    """Base of everything this package raises on purpose."""


class PeerError(TransportError):
    """The peer broke a rule of framing or of good manners."""


class LocalError(TransportError):
    """The fault is on our side or on the way."""
