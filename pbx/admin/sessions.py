"""Signing in and out: the command seals, the key holder verifies, the exchange keeps a row."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from pbx.access import sessions as limits
from pbx.access.errors import Denied, NotSignedIn
from pbx.access.roles import Privilege, privileges_of
from pbx.access.sessions import EndReason
from pbx.admin.authentication import end
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import Caller, Plane, actor_of
from pbx.admin.rules import needs, public
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.sessions import Challenge, Notice, SessionView, SignedIn, SignIn, WhoAmI
from storage import grants, people, policies, sessions
from storage.conflicts import NotFound
from storage.deeds import Deed
from storage.errors import LedgerUnavailable
from storage.keyholder import acts
from storage.keyholder.client import KeyHolderUnavailable
from storage.keyholder.protocol import Evidence, Opened
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.people import PersonState
from storage.sessions import NewSession, SessionRecord


@post("/v1/challenge", opt=public(), status_code=200, summary="A challenge to seal a proof for")
async def challenge(plane: GivenPlane) -> Challenge:
    return Challenge(message=msgspec.msgpack.encode(await plane.keyholder.challenge()))


@post("/v1/session", opt=public(Action.SESSION_OPENED), summary="Sign in")
async def sign_in(plane: GivenPlane, caller: GivenCaller, data: JSONBody[SignIn]) -> SignedIn:
    answer = await plane.perform(
        caller,
        acts.LogIn(login=data.login),
        data.proof,
        action=Action.SESSION_OPENED,
        without_ledger=True,
    )
    return await opened(plane, caller, answer, without_ledger=True)


async def opened(
    plane: Plane, caller: Caller, answer: object, *, without_ledger: bool = False
) -> SignedIn:
    """The key holder has opened a session: ours begins, the oldest surplus ones end."""
    if not isinstance(answer, Opened):
        raise NotSignedIn("the key holder opened no session")
    deed = Deed(actor_of(answer.person, answer.id), caller.deed.operation, caller.deed.at)

    async def work(unit: Unit) -> tuple[list[SessionRecord], frozenset[str]]:
        limits.check_holder(caller.terminal, answer.person)
        connection = unit.connection
        facts = await people.facts_of(connection, answer.person)
        if facts.state is not PersonState.ACTIVE or (facts.until or deed.at + 1) <= deed.at:
            raise Denied("this account is not active: ask an administrator")
        most = await policies.value_of(connection, "session-limit", deed.at)
        live = await sessions.live(connection, answer.person)
        oldest = list(live[: limits.surplus(len(live), most)])
        for record in oldest:
            await sessions.end(unit, deed, record.id, EndReason.DISPLACED)
        new = NewSession(
            id=answer.id,
            person=answer.person,
            token_digest=limits.digest_of(answer.session),
            os_uid=caller.terminal.os_uid,
            certificate=caller.terminal.certificate,
        )
        await sessions.open_session(unit, deed, new)
        await people.seen(connection, answer.person, deed.at)
        return oldest, await grants.roles_of(connection, answer.person, deed.at)

    try:
        displaced, roles = await plane.committer.run(work)
    except BaseException as failure:
        if without_ledger and isinstance(failure, LedgerUnavailable):
            # For break-glass: a session that the key holder alone knows; it opens nothing else.
            await plane.committer.note(
                deed.entry(Action.SESSION_OPENED, Subject("session", answer.id))
            )
            return _signed_in(answer, answer.roles, 0)
        await plane.keyholder.end_session(answer.session)
        raise
    for record in displaced:
        await end_at_key_holder(plane, record.person, record.id)
    return _signed_in(answer, roles, len(displaced))


def _signed_in(answer: Opened, roles: Iterable[str], displaced: int) -> SignedIn:
    return SignedIn(
        token=limits.token_of(answer.session),
        session=answer.id,
        person=answer.person,
        roles=sorted(roles),
        idle_seconds=answer.idle_seconds,
        ends_at=answer.ends_at,
        displaced=displaced,
        notices=[Notice(kind=notice.kind, at=notice.at) for notice in answer.notices],
    )


@get("/v1/session", opt=needs(Privilege.OWN_SESSIONS, Action.SESSION_READ), summary="Who am I?")
async def who_am_i(plane: GivenPlane, caller: GivenCaller) -> WhoAmI:
    async def work(unit: Unit) -> WhoAmI:
        person = await plane.people.show(unit, caller.deed, caller.someone)
        unit.record(caller.deed.entry(Action.SESSION_READ, Subject("session", caller.session)))
        return WhoAmI(
            person=person.facts.id,
            login=person.login,
            name=person.name,
            session=caller.session or person.facts.id,
            roles=sorted(caller.roles),
            may=sorted(privileges_of(caller.roles)),
        )

    return await plane.committer.run(work)


@delete(
    "/v1/session",
    opt=needs(Privilege.OWN_SESSIONS, Action.SESSION_ENDED),
    status_code=200,
    summary="Sign out",
)
async def sign_out(plane: GivenPlane, caller: GivenCaller) -> Changed:
    if caller.session is not None:
        await end(plane, caller.deed, caller.session, EndReason.SIGNED_OUT)
        await end_at_key_holder(plane, caller.someone, caller.session)
    return Changed(operation=caller.deed.operation)


@get(
    "/v1/own/sessions",
    opt=needs(Privilege.OWN_SESSIONS, Action.SESSION_LISTED),
    summary="One's own live sessions",
)
async def own_sessions(plane: GivenPlane, caller: GivenCaller) -> list[SessionView]:
    return await _listed(plane, caller, caller.someone)


@delete(
    "/v1/own/sessions/{session:uuid}",
    opt=needs(Privilege.OWN_SESSIONS, Action.SESSION_ENDED),
    status_code=200,
    summary="End one of one's own sessions",
)
async def end_own(plane: GivenPlane, caller: GivenCaller, session: FromPath[UUID]) -> Changed:
    async with plane.database.read() as connection:
        own = {record.id for record in await sessions.live(connection, caller.someone)}
    if session not in own:
        raise NotFound("session of yours")
    await plane.run(sessions.end, caller.deed, session, EndReason.SIGNED_OUT)
    await end_at_key_holder(plane, caller.someone, session)
    return Changed(operation=caller.deed.operation)


@get(
    "/v1/sessions",
    opt=needs(Privilege.SESSION_READ, Action.SESSION_LISTED),
    summary="Everybody's live sessions",
)
async def all_sessions(plane: GivenPlane, caller: GivenCaller) -> list[SessionView]:
    return await _listed(plane, caller, None)


@delete(
    "/v1/sessions/{session:uuid}",
    opt=needs(Privilege.SESSION_END, Action.SESSION_ENDED),
    status_code=200,
    summary="End somebody's session",
)
async def end_any(plane: GivenPlane, caller: GivenCaller, session: FromPath[UUID]) -> Changed:
    async with plane.database.read() as connection:
        owners = {record.id: record.person for record in await sessions.live(connection)}
    await plane.run(sessions.end, caller.deed, session, EndReason.ENDED_BY_OTHER)
    if session in owners:
        await end_at_key_holder(plane, owners[session], session)
    return Changed(operation=caller.deed.operation)


async def end_at_key_holder(plane: Plane, person: UUID, session: UUID) -> None:
    """Only takes away; if the key holder is away its sessions are gone with it."""
    try:
        evidence = Evidence(plane.deed().operation)
        await plane.keyholder.end_sessions(person, evidence, session)
    except KeyHolderUnavailable:
        return


async def _listed(plane: Plane, caller: Caller, person: UUID | None) -> list[SessionView]:
    async def work(unit: Unit) -> list[SessionView]:
        found = await sessions.live(unit.connection, person)
        unit.record(caller.deed.entry(Action.SESSION_LISTED, after={"count": len(found)}))
        return [
            SessionView(
                id=record.id,
                person=record.person,
                os_uid=record.os_uid,
                certificate=record.certificate,
                started_at=record.started_at,
                seen_at=record.seen_at,
                is_this=record.id == caller.session,
            )
            for record in found
        ]

    return await plane.committer.run(work)


ROUTES = [challenge, sign_in, who_am_i, sign_out, own_sessions, end_own, all_sessions, end_any]
