"""The values the exchange and a media worker speak in: legs, places, sounds, figures, events."""

from typing import Literal

from msgspec import field

from media.parts import LegId as LegId
from media.parts import Struct as Struct
from media.parts import Told as Told
from media.recordings import RecordingEvent

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]


class Manner(Struct, kw_only=True, frozen=True):
    """How a phone describes its media: learnt from its offers, kept to in ours."""

    keying: Literal["sdes", "dtls"] = "sdes"
    """A phone knows one of them; offered the other it refuses, or worse."""
    feedback: bool = False
    """RTP/SAVPF instead of RTP/SAVP."""
    muxed: bool = False
    """RTCP on the port of RTP (RFC 5761)."""
    ice: bool = False
    """Looks for its path by ICE (RFC 8445)."""

    @property
    def needs_ice(self) -> bool:
        """Whether it has to be offered ICE: a browser wants both, a desk phone finds us without."""
        return self.ice and self.keying == "dtls"


class Place(Struct, kw_only=True, frozen=True):
    """Where a leg's phone is, as seen from its signalling flow."""

    local: str
    """Our address of that flow: the leg's sockets are bound to it."""

    peer: str
    """The flow's source address: the only one we send to before a packet has authenticated."""

    advertised: str = ""
    """What the session description says instead of `local`; empty: the map of `[media]`."""

    cname: str = ""
    """Our RTCP name on this leg; empty: a random one (RFC 7022)."""

    manner: Manner = Manner()
    """How to offer to it: what its device was last heard to offer itself."""


class Tone(Struct, tag="tone", frozen=True):
    """A call progress tone; test is 1000 Hz, hold is what stands for missing music."""

    name: Literal["ringback", "busy", "congestion", "beep", "test", "not-in-service", "hold"]


class Prompt(Struct, tag="prompt", frozen=True):
    """A spoken prompt of the library, by name."""

    name: str


class Silence(Struct, tag="silence", frozen=True):
    """Encoded silence, which keeps a path open."""

    milliseconds: int


Sound = Tone | Prompt | Silence


class Player(Struct, kw_only=True, frozen=True):
    """Sounds played one after the other, `times` times (0: until stopped)."""

    sounds: tuple[Sound, ...]
    times: int = 1


class LegStats(Struct, kw_only=True, frozen=True):
    """A leg's protection and quality: what the encryption receipt says of it."""

    keying: str = ""
    suite: str = ""
    codec: str = ""
    rekeys: int = 0
    received: int = 0
    """RTP packets that authenticated."""
    received_octets: int = 0
    sent: int = 0
    """RTP packets protected and sent."""
    sent_octets: int = 0
    unauthenticated: int = 0
    replayed: int = 0
    junk: int = 0
    """STUN, DTLS, plaintext and anything else that is not (S)RTP."""
    early: int = 0
    """Media that came before there was a key to open it with."""
    coded: int = 0
    """Frames of the phone's that were made over: its partner has none of its codecs."""
    unmapped: int = 0
    """Authenticated, but of a payload type the other leg has no number for."""
    unreachable: int = 0
    """ICMP refusals of what we sent (ECONNREFUSED)."""
    relatches: int = 0
    """How often the phone's address was learnt anew (NAT rebinding)."""
    rtcp_received: int = 0
    rtcp_sent: int = 0
    rtcp_refused: int = 0
    lost: int = 0
    """Of what the phone sent."""
    lost_there: int = 0
    """Of what we sent, as the phone reports."""
    jitter_ms: float = 0.0
    jitter_there_ms: float = 0.0
    round_trip_ms: float | None = None
    mos: float | None = None
    """What our user of that phone hears, estimated by the E-model (ITU-T G.107)."""
    silent_seconds: float = 0.0


class StoredCall(Struct, frozen=True):
    """A call that lives in a worker, or ended there and is not known to be recorded."""

    call: str
    legs: tuple[LegId, ...]
    snapshot: bytes
    figures: dict[LegId, LegStats] = field(default_factory=dict)
    """Of legs that have ended."""


class Digit(Told, tag="digit", frozen=True):
    """A key was pressed and let go (RFC 4733)."""

    digit: str
    milliseconds: int


class Fed(Told, tag="fed", frozen=True):
    """A player came to its end by itself."""


class Latched(Told, tag="latched", frozen=True):
    """The first packet of the leg's phone authenticated."""


class Silent(Told, tag="silent", frozen=True):
    """A leg that should send has not, for as long as `[media] silence_limit` says."""

    seconds: float


class Held(Told, tag="held", frozen=True):
    """The leg's phone listens no more (its user put the call on hold), or again."""

    is_held: bool


class Ended(Told, tag="ended", frozen=True):
    """The leg is gone without our asking: its worker died, or it was an orphan."""

    cause: Literal["worker", "orphan"]


class Learnt(Told, tag="learnt", frozen=True):
    """The phone's own offer was of another manner than its place said."""

    manner: Manner


class Unkeyed(Told, tag="unkeyed", frozen=True):
    """The leg's handshake failed: there will be no keys, and nothing is ever heard of it."""

    cause: Literal["fingerprint", "handshake", "timeout"]


class Unmatched(Told, tag="unmatched", frozen=True):
    """The leg's phone has to be asked for another codec before its partner hears it."""


MediaEvent = (
    Digit | Fed | Latched | Silent | Held | Ended | Learnt | Unkeyed | Unmatched | RecordingEvent
)  # fmt: skip
