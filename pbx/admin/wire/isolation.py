"""Bodies about the isolation of an extension's holders."""

from uuid import UUID

import msgspec

from pbx.isolation.finding import Finding


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    operation: UUID
    extension: UUID
    findings: tuple[Finding, ...]
