"""Certificates for people who manage from another machine: one person's each, ended with them."""

import asyncio
from uuid import UUID

from litestar import delete, post
from litestar.params import FromPath, JSONBody

from certs.authority import Authority
from certs.revoke import Reason
from pbx.access.errors import RuleBroken
from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.enders import Ender
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.issuing import issued
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label
from pbx.admin.wire.people import OperatorCertificate, OperatorRequest
from storage import people
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.people import PersonState


@post(
    "/v1/people/{who:str}/certificate",
    opt=needs(Privilege.OPERATOR_CERTIFY, Action.CERTIFICATE_ISSUED),
    status_code=200,
    summary="Issue a client certificate for the management address",
)
async def certify(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    who: FromPath[Label],
    data: JSONBody[OperatorRequest],
) -> OperatorCertificate:
    person, authority = await resolve.person(plane, who), telephony.ground.authority

    async def work(unit: Unit) -> None:
        if (await people.facts_of(unit.connection, person)).state is not PersonState.ACTIVE:
            raise RuleBroken("only somebody who works here gets a certificate")
        subject, after = Subject("person", person), {"kind": "operator"}
        unit.record(caller.deed.entry(Action.CERTIFICATE_ISSUED, subject, after=after))

    await plane.committer.run(work)
    made = await issued(authority.issue_operator, person, data.signing_request.encode())
    return OperatorCertificate(
        operation=caller.deed.operation,
        person=person,
        serial=made.serial,
        expires=made.expires.isoformat(),
        chain_pem=made.chain_pem.decode(),
        key_pem=(made.key_pem or b"").decode(),
        root_pem=authority.root_pem_path.read_text(),
    )


@delete(
    "/v1/people/{who:str}/certificate",
    opt=needs(Privilege.OPERATOR_CERTIFY, Action.CERTIFICATE_REVOKED),
    status_code=200,
    summary="Withdraw every certificate of a person; open connections end",
)
async def withdraw(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, who: FromPath[Label]
) -> Changed:
    person = await resolve.person(plane, who)

    async def work(unit: Unit) -> None:
        subject, after = Subject("person", person), {"kind": "operator"}
        unit.record(caller.deed.entry(Action.CERTIFICATE_REVOKED, subject, after=after))

    await plane.committer.run(work)
    await withdrawing(telephony.ground.authority)(person)
    return Changed(operation=caller.deed.operation)


def withdrawing(authority: Authority) -> Ender:
    """What ends with a person: their operator's certificates."""

    def revoke(person: UUID) -> int:
        serials = authority.operator_serials(person)
        for serial in serials:
            authority.revoke(serial, Reason.RETIRED)
        return len(serials)

    async def end(person: UUID) -> int:
        return await asyncio.to_thread(revoke, person)

    return end


ROUTES = [certify, withdraw]
