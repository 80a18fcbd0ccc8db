"""The organisation and its sites: buildings with a location for emergencies, where phones stand."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec
from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label, Version
from pbx.admin.wire.sites import (
    NewSite,
    OrganisationView,
    Renaming,
    SiteLocation,
    SiteOfDevice,
    SiteView,
)
from storage.deeds import Deed
from storage.identifiers import new_id
from storage.ledger.actions import Action
from storage.ledger.unit import Unit
from storage.sites import Site

P = ParamSpec("P")

READ, CHANGE = Privilege.SITE_READ, Privilege.SITE_CHANGE


@get(
    "/v1/organisation",
    opt=needs(READ, Action.ORGANISATION_READ),
    summary="What the organisation is called",
)
async def show_organisation(plane: GivenPlane, caller: GivenCaller) -> OrganisationView:
    found = await plane.run(plane.sites.organisation, caller.deed)
    return OrganisationView(name=found.name, version=found.version)


@post(
    "/v1/organisation/name",
    opt=needs(CHANGE, Action.ORGANISATION_CHANGED),
    status_code=200,
    summary="Name the organisation; version 0 for the first time",
)
async def name_organisation(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[Renaming]
) -> Changed:
    new = new_id(plane.clock)
    verb = plane.sites.name_organisation
    await plane.run(verb, caller.deed, data.version, data.name, new)
    return Changed(operation=caller.deed.operation)


@get("/v1/sites", opt=needs(READ, Action.SITE_LISTED), summary="All sites")
async def list_sites(plane: GivenPlane, caller: GivenCaller) -> list[SiteView]:
    return [_view(site) for site in await plane.run(plane.sites.listed, caller.deed)]


@get("/v1/sites/{site:str}", opt=needs(READ, Action.SITE_READ), summary="One site")
async def show_site(plane: GivenPlane, caller: GivenCaller, site: FromPath[Label]) -> SiteView:
    found = await resolve.site(plane, site)
    return _view(await plane.run(plane.sites.show, caller.deed, found))


@post("/v1/sites", opt=needs(CHANGE, Action.SITE_ADDED), summary="Add a site")
async def add_site(plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewSite]) -> Changed:
    await plane.run(plane.sites.add, caller.deed, data.id, data.name, data.location)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/sites/{site:str}/name",
    opt=needs(CHANGE, Action.SITE_CHANGED),
    status_code=200,
    summary="Rename a site",
)
async def rename_site(
    plane: GivenPlane, caller: GivenCaller, site: FromPath[Label], data: JSONBody[Renaming]
) -> Changed:
    return await _changed(plane, caller, site, plane.sites.rename, data.version, data.name)


@post(
    "/v1/sites/{site:str}/location",
    opt=needs(CHANGE, Action.SITE_CHANGED),
    status_code=200,
    summary="Say where help is sent for whoever calls from there",
)
async def locate_site(
    plane: GivenPlane, caller: GivenCaller, site: FromPath[Label], data: JSONBody[SiteLocation]
) -> Changed:
    return await _changed(plane, caller, site, plane.sites.locate, data.version, data.location)


@delete(
    "/v1/sites/{site:str}",
    opt=needs(CHANGE, Action.SITE_REMOVED),
    status_code=200,
    summary="Remove a site without phones",
)
async def remove_site(
    plane: GivenPlane, caller: GivenCaller, site: FromPath[Label], version: Version
) -> Changed:
    return await _changed(plane, caller, site, plane.sites.remove, version)


@post(
    "/v1/devices/{label:str}/site",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_PLACED),
    status_code=200,
    summary="Say at which site a phone stands",
)
async def site_of_device(
    plane: GivenPlane, caller: GivenCaller, label: FromPath[Label], data: JSONBody[SiteOfDevice]
) -> Changed:
    device = await resolve.device(plane, label)
    site = None if data.site is None else await resolve.site(plane, data.site)
    await plane.run(plane.devices.move, caller.deed, device, data.version, site)
    return Changed(operation=caller.deed.operation)


async def _changed(
    plane: Plane,
    caller: Caller,
    site: str,
    verb: Callable[Concatenate[Unit, Deed, UUID, P], Awaitable[None]],
    *words: P.args,
    **named: P.kwargs,
) -> Changed:
    found = await resolve.site(plane, site)
    await plane.run(verb, caller.deed, found, *words, **named)
    return Changed(operation=caller.deed.operation)


def _view(site: Site) -> SiteView:
    return SiteView(
        id=site.id,
        name=site.name,
        location=site.location,
        devices=site.devices,
        version=site.version,
    )


ROUTES = [
    show_organisation,
    name_organisation,
    list_sites,
    show_site,
    add_site,
    rename_site,
    locate_site,
    remove_site,
    site_of_device,
]
