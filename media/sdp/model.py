"""A session description (RFC 8866) as a value, and its writing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connection:
    """c=: where a stream is wanted."""

    address: str
    """An IP address as written, or a host name, which we never resolve."""

    version: int
    """4 or 6."""

    def __str__(self) -> str:
        return f"IN IP{self.version} {self.address}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """a=: a property (empty value) or a name with a value."""

    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class Media:
    """m= and the lines below it."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()

    def all(self, name: str) -> list[str]:
        """The values of every attribute of this name, in order."""
        return [a.value for a in self.attributes if a.name == name]

    def has(self, name: str) -> bool:
        """Whether the property is there."""
        return any(a.name == name for a in self.attributes)

    def refused(self) -> "Media":
        """The same stream, answered with port 0 (RFC 3264 §6)."""
        return Media(self.kind, 0, self.protocol, self.formats[:1])

    def lines(self) -> list[str]:
        """As written."""
        head = f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}"
        connection = [f"c={self.connection}"] if self.connection else []
        return [head, *connection, *(f"a={a}" for a in self.attributes)]


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What one side says about the session."""

    session_id: str
    version: int
    connection: Connection | None
    media: tuple[Media, ...]
    attributes: tuple[Attribute, ...] = ()

    def encode(self) -> bytes:
        """As written by us: no user name, no session name."""
        where = self.connection or Connection("0.0.0.0", 4)  # noqa: S104 - nowhere, not everywhere
        lines = ["v=0", f"o=- {self.session_id} {self.version} {where}", "s=-"]
        lines += [f"c={where}", "t=0 0", *(f"a={a}" for a in self.attributes)]
        for media in self.media:
            lines += media.lines()
        return ("\r\n".join(lines) + "\r\n").encode("ascii")
