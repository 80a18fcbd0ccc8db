"""Bodies about the organisation and its sites."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from pbx.admin.wire.fields import Label, Version

Location = Annotated[str, Meta(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A dispatchable location: street address, floor, room."""


class OrganisationView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Empty while nobody has named it."""
    version: int


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str
    location: str
    devices: int
    """Phones that stand there."""
    version: int


class NewSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    name: Label
    location: Location = ""


class Renaming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    name: Label


class SiteLocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Version
    location: Location


class SiteOfDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site` is a name or identifier; None: at none."""

    version: Version
    site: Label | None
