"""Sessions in the store: the digest of a token, and an end with a reason."""

from uuid import UUID

import pytest

from storage import sessions
from storage.conflicts import NotFound, WrongState
from storage.identifiers import new_id
from storage.sessions import NewSession
from tests.support.clock import SECOND
from tests.support.stores import Stores


async def opened(stores: Stores, person: UUID, digest: bytes = b"d" * 32) -> UUID:
    session = new_id(stores.clock)
    new = NewSession(id=session, person=person, token_digest=digest, os_uid=1000)
    await stores.do(sessions.open_session, new)
    return session


async def test_a_session_is_found_by_digest_and_ends_once(stores: Stores) -> None:
    anna = await stores.hire("anna")
    session = await opened(stores, anna)
    found = await stores.ask(sessions.by_digest, b"d" * 32)
    assert found is not None
    assert (found.id, found.person, found.os_uid) == (session, anna, 1000)

    await stores.do(sessions.end, session, "signed-out")

    found = await stores.ask(sessions.by_digest, b"d" * 32)
    assert found is not None
    assert (found.ended_at, found.end_reason) == (stores.clock(), "signed-out")
    with pytest.raises(WrongState, match="ended already"):
        await stores.do(sessions.end, session, "signed-out")
    with pytest.raises(NotFound):
        await stores.do(sessions.end, UUID(int=1), "signed-out")
    assert await stores.ask(sessions.by_digest, b"x" * 32) is None


async def test_activity_moves_forward_only(stores: Stores) -> None:
    session = await opened(stores, await stores.hire("anna"))
    start = stores.clock()

    for moment in (start + SECOND, start - SECOND):
        async with stores.database.begin() as connection:
            await sessions.touch(connection, session, moment)

    [found] = await stores.ask(sessions.live)
    assert found.seen_at == start + SECOND


async def test_all_sessions_of_one_person_end_with_a_row_each(stores: Stores) -> None:
    anna, ben = await stores.hire("anna"), await stores.hire("ben")
    mine = [await opened(stores, anna, bytes([n]) * 32) for n in range(3)]
    other = await opened(stores, ben)

    ended = await stores.do(sessions.end_all, anna, "left")

    assert set(ended) == set(mine)
    assert [session.id for session in await stores.ask(sessions.live)] == [other]
    assert await stores.ask(sessions.live, anna) == []
    assert (await stores.actions()).count("session.ended") == 3
