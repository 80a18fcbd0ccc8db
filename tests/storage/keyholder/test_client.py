"""storage/keyholder/client.py"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.keyholder import acts, protocol
from storage.keyholder.client import (
    InvalidRequest,
    KeyHolder,
    KeyHolderUnavailable,
    Locked,
    OperatorKeyHolder,
    Refused,
    WorkerKeyHolder,
)
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.framing import frame
from storage.keyholder.protocol import Answer, Evidence, Origin, Pong, Proof, Request, State
from storage.keyholder.signing import SignedHead, SignedStatement
from storage.keyholder.vouchers import Vouched
from tests.support.keyholder import House, evidence

ID, TIED = uuid4(), Evidence(uuid4())
HEAD = SignedHead(ID, 1, b"c", 2, b"j", 3)
STATEMENT = SignedStatement("k", "t")
VIEW = protocol.SessionView(ID, ID, "k", "d", 1, 2, 3)
REPORT = protocol.KeyReport(State.READY, "x", 1, 1, b"", None, "", False, False, False)
ANSWERS: dict[type[Request], Answer] = {
    protocol.Touch: protocol.SessionState(VIEW, ()),
    protocol.EndSession: protocol.Done(),
    protocol.EndSessions: protocol.Done(),
    protocol.ListSessions: protocol.SessionList((VIEW,)),
    protocol.RunDue: protocol.Ran((protocol.Ending("leave", ID, "end date"),)),
    protocol.AbandonTenure: protocol.Done(),
    protocol.ListPeople: protocol.PersonList(()),
    protocol.ListMailboxes: protocol.MailboxList(()),
    protocol.ListProposals: protocol.ProposalList(()),
    protocol.PublicKeys: protocol.KeyList(()),
    protocol.AdoptMessage: protocol.Wrapped(b"slot"),
    protocol.AskTicket: protocol.Ticket(b"t", 1),
    protocol.DestroyMessage: protocol.Statement(STATEMENT),
    protocol.SpentKeys: protocol.KeyList(()),
    protocol.DestroyDepositKey: protocol.Done(),
    protocol.OpenRecordsKey: protocol.RecordsKey(b"k"),
    protocol.IndexNumbers: protocol.Indexed((b"a", b"b")),
    protocol.LookUpNumber: protocol.Indexed((b"a",)),
    protocol.SignHead: protocol.Head(HEAD),
    protocol.ReadJournal: protocol.JournalPage((), 0),
    protocol.KeyStatus: REPORT,
    protocol.Perform: protocol.Done(),
    protocol.OpenMessage: protocol.MessageKey(bytearray(b"k")),
    protocol.AskUnlock: protocol.UnlockKey(b"p", "s"),
    protocol.Unlock: Pong(State.READY, 0),
}


class Script:
    """Answers by the table above, or with what is set."""

    answer: Answer | None = None

    async def __call__(self, request: Request) -> Answer:
        return self.answer or ANSWERS.get(type(request), Pong(State.READY, 0))


@pytest.fixture
async def script(open_path: Path) -> AsyncIterator[tuple[Script, Path]]:
    made, own = Script(), frozenset({os.geteuid()})
    edges = [Edge(Place(open_path / edge, own), REQUESTS[edge], made) for edge in protocol.Edge]
    for edge in edges:
        await edge.start()
    yield made, open_path
    for edge in edges:
        await edge.stop()


async def test_every_method_asks_its_question(script: tuple[Script, Path]) -> None:
    client = KeyHolder(script[1] / "exchange")
    adopt = protocol.AdoptMessage(ID, ID, b"c", ID, b"s", TIED)
    proof = Proof(b"", Origin("d", "s"))

    assert (await client.touch(b"h")).view == VIEW
    await client.end_session(b"h")
    await client.end_sessions(ID, TIED)
    assert await client.sessions() == (VIEW,)
    assert await client.run_due(TIED) == (protocol.Ending("leave", ID, "end date"),)
    await client.abandon_tenure(ID, TIED)
    assert await client.people() == await client.mailboxes() == await client.proposals() == ()
    assert await client.public_keys("records") == ()
    assert await client.adopt_message(adopt) == b"slot"
    assert (await client.ticket(b"h", ID, TIED)).ticket == b"t"
    assert await client.destroy_message(ID, "p", None, TIED) == STATEMENT
    assert await client.spent_keys() == ()
    await client.destroy_deposit_key(ID, TIED)
    assert await client.open_records_key(b"h", ID, b"s", TIED) == b"k"
    assert await client.index_numbers(["1", "2"], TIED) == (b"a", b"b")
    assert await client.look_up_number(b"h", "1", bytes(32), TIED) == b"a"
    assert await client.sign_head(ID, 0, [b"l"]) == HEAD
    assert (await client.journal(1)).end == 0
    assert await client.report() == REPORT
    assert await client.perform(acts.Rotate(), proof, TIED) == protocol.Done()
    await client.close()


async def test_worker_and_operator_ask_theirs(script: tuple[Script, Path]) -> None:
    worker = WorkerKeyHolder(script[1] / "worker")
    operator = OperatorKeyHolder(script[1] / "operator")

    assert await worker.open_message(b"t", b"c", b"s", Vouched(b"v")) == b"k"
    assert (await operator.unlock_key()).public == b"p"
    assert (await operator.unlock(b"s")).state is State.READY
    assert await operator.report() == REPORT
    await worker.close()
    await operator.close()
    await operator.close()


async def test_a_worker_cannot_ask_what_the_exchange_may(script: tuple[Script, Path]) -> None:
    worker = WorkerKeyHolder(script[1] / "worker", deadline=5)

    with pytest.raises(KeyHolderUnavailable):
        await worker.ask(protocol.AskTicket(b"h", ID, TIED), protocol.Ticket)
    assert await worker.ping()
    await worker.close()


async def test_refusals_are_told_apart_from_absence(script: tuple[Script, Path]) -> None:
    made, path = script
    client = KeyHolder(path / "exchange")
    for answer, error, words in (
        (protocol.Refusal(), Refused, "^refused$"),
        (protocol.Invalid("PIN: repeats itself"), InvalidRequest, "PIN"),
        (protocol.Shut(State.LOCKED), Locked, "locked"),
        (protocol.Wrapped(b""), KeyHolderUnavailable, "something else"),
    ):
        made.answer = answer
        with pytest.raises(error, match=words):
            await client.touch(b"h")
    with pytest.raises(KeyHolderUnavailable, match="something else"):
        await client.perform(acts.Rotate(), Proof(b"", Origin("d", "s")), TIED)
    await client.close()


async def test_nobody_there_is_unavailable_and_later_found_again(open_path: Path) -> None:
    made, own = Script(), frozenset({os.geteuid()})
    client = KeyHolder(open_path / "s")
    with pytest.raises(KeyHolderUnavailable):
        await client.ping()
    for _ in range(2):
        edge = Edge(Place(open_path / "s", own), REQUESTS[protocol.Edge.EXCHANGE], made)
        await edge.start()
        assert (await client.ping()).state is State.READY
        await edge.stop()
        with pytest.raises(KeyHolderUnavailable):
            await client.ping()
    await client.close()


async def test_silence_ends_at_the_deadline_and_late_answers_are_dropped(
    open_path: Path,
) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        asked.set()
        await go.wait()
        writer.write(frame(1, Pong(State.LOCKED, 0)) + frame(2, Pong(State.READY, 0)) * 2)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(late, open_path / "s")
    client = KeyHolder(open_path / "s", deadline=0.5)
    with pytest.raises(KeyHolderUnavailable, match="does not answer"):
        await client.ping()
    second = asyncio.create_task(client.ping())
    go.set()
    assert (await second).state is State.READY
    await client.close()
    server.close()


async def test_a_connection_that_breaks_while_asking_is_unavailable(open_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.close()

    server = await asyncio.start_unix_server(hang_up, open_path / "s")
    client = KeyHolder(open_path / "s")
    answers = await asyncio.gather(client.ping(), client.ping(), return_exceptions=True)
    assert all(isinstance(answer, KeyHolderUnavailable) for answer in answers)
    await client.close()
    server.close()


async def test_the_clients_speak_to_a_real_key_holder(house: House, open_path: Path) -> None:
    own = frozenset({os.geteuid()})
    edge = Edge(Place(open_path / "s", own), REQUESTS[protocol.Edge.EXCHANGE], house.holder.answer)
    await edge.start()
    client = KeyHolder(open_path / "s")

    challenge = await client.challenge()
    worker_challenge = await WorkerKeyHolder.challenge(client)  # type: ignore[arg-type]

    assert challenge.challenge != worker_challenge.challenge
    with pytest.raises(Refused):
        await client.abandon_tenure(uuid4(), evidence())
    await client.close()
    await edge.stop()


async def test_a_client_that_never_asked_has_nothing_to_close(open_path: Path) -> None:
    await KeyHolder(open_path / "s").close()
