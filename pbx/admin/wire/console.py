"""What the live console is told with each look."""

from uuid import UUID

import msgspec

from pbx.admin.models import Status
from pbx.admin.wire.calls import LiveCall
from pbx.admin.wire.phones import RegistrationView


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger's end, without what it was about: no content, no name."""

    occurred_at: int
    action: str
    outcome: str
    actor_kind: str
    actor: UUID | None
    subject_kind: str | None


class ExceptionLine(msgspec.Struct, frozen=True, kw_only=True):
    """An exception in force, without its reason."""

    kind: str
    subject_kind: str
    subject: str
    """What the phone is called, or a person's identifier."""
    owner: UUID
    expires_at: int


class ConsoleView(msgspec.Struct, frozen=True, kw_only=True):
    """None: the roles of whoever looks do not allow this part."""

    status: Status
    locks_at: int
    """When the session runs out if its person does nothing more, microseconds."""
    now: int
    calls: tuple[LiveCall, ...] | None = None
    registrations: tuple[RegistrationView, ...] | None = None
    exceptions: tuple[ExceptionLine, ...] | None = None
    ledger: tuple[LedgerLine, ...] | None = None
