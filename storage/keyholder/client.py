"""The two clients of the key holder: `KeyHolder` for the exchange, `WorkerKeyHolder` for workers.

Both answer within a deadline or raise `KeyHolderUnavailable`; a lost connection is made anew at
the next question. A refusal carries no reason.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from storage.keyholder import protocol
from storage.keyholder.acts import AnyAct
from storage.keyholder.framing import BadFrame, Codec, frame
from storage.keyholder.protocol import Evidence, Proof, State
from storage.keyholder.signing import SignedHead, SignedKey, SignedStatement
from storage.keyholder.vouchers import Vouched

A = TypeVar("A", bound=protocol.Answer)


class KeyHolderError(Exception):
    """Base of what the clients raise."""


class KeyHolderUnavailable(KeyHolderError):
    """Away, or not answering in time: what does not need it goes on."""


class Locked(KeyHolderUnavailable):
    """There, but shut: empty, waiting for `pbx keys unlock`, or alarmed (`state`)."""

    def __init__(self, state: State) -> None:
        super().__init__(f"the key holder is {state}")
        self.state = state


class Refused(KeyHolderError):
    """No; the reason is in the key holder's journal and nowhere else."""


class InvalidRequest(KeyHolderError):
    """The request breaks a rule that is no secret; the text names field and rule."""


class _Connection:
    """One socket, many questions in flight; answers find their question by number."""

    def __init__(self, path: Path, deadline: float) -> None:
        self._path = path
        self._deadline = deadline
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[protocol.AnyAnswer]] = {}
        self._number = 0
        self._connecting = asyncio.Lock()

    async def ask(self, request: protocol.Request, kind: type[A]) -> A:
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._exchange(request)
        except (TimeoutError, OSError):
            raise KeyHolderUnavailable("the key holder does not answer") from None
        match answer:
            case protocol.Refusal():
                raise Refused("refused")
            case protocol.Invalid(rule=rule):
                raise InvalidRequest(rule)
            case protocol.Shut(state=state):
                raise Locked(state)
            case _ if isinstance(answer, kind):
                return answer
        raise KeyHolderUnavailable("the key holder answered something else")

    async def _exchange(self, request: protocol.Request) -> protocol.AnyAnswer:
        writer = await self._connected()
        self._number += 1
        number = self._number
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            writer.write(frame(number, request))
            await writer.drain()
            answer: protocol.AnyAnswer = await future
            return answer
        finally:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # seen, should the writer have failed first

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
                self._writer = writer
                self._reading = asyncio.create_task(self._read(reader, writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        codec: Codec[protocol.AnyAnswer] = Codec(protocol.AnyAnswer)
        with contextlib.suppress(BadFrame, ConnectionError):
            while (pair := await codec.read(reader)) is not None:
                future = self._waiting.get(pair[0])
                if future is not None and not future.done():
                    future.set_result(pair[1])
        self._writer = None
        writer.close()
        for future in [each for each in self._waiting.values() if not each.done()]:
            future.set_exception(ConnectionResetError())

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class _Client:
    """What every edge may ask."""

    def __init__(self, socket: Path, *, deadline: float = 10.0) -> None:
        self._connection = _Connection(socket, deadline)

    async def ping(self) -> protocol.Pong:
        return await self._connection.ask(protocol.Ping(), protocol.Pong)

    async def close(self) -> None:
        await self._connection.close()

    async def ask(self, request: protocol.Request, kind: type[A]) -> A:
        """The typed way to any request without a method of its own."""
        return await self._connection.ask(request, kind)


class KeyHolder(_Client):
    """The exchange's view. `socket` is `run/keyholder-exchange/keyholder.sock`."""

    async def challenge(self) -> protocol.Challenge:
        return await self.ask(protocol.AskChallenge(), protocol.Challenge)

    async def perform(
        self, act: AnyAct, proof: Proof, evidence: Evidence
    ) -> protocol.Opened | protocol.Done | protocol.Waiting:
        """Relays an act with its sealed proof; raises `Refused` or `InvalidRequest`."""
        request = protocol.Perform(act, proof, evidence)
        answer = await self._connection.ask(request, protocol.Answer)
        if isinstance(answer, protocol.Opened | protocol.Done | protocol.Waiting):
            return answer
        raise KeyHolderUnavailable("the key holder answered something else")

    async def touch(self, session: bytes, *, activity: bool = True) -> protocol.SessionState:
        return await self.ask(protocol.Touch(session, activity), protocol.SessionState)

    async def end_session(self, session: bytes) -> None:
        await self.ask(protocol.EndSession(session), protocol.Done)

    async def end_sessions(self, person: UUID, evidence: Evidence, id: UUID | None = None) -> None:
        await self.ask(protocol.EndSessions(person, id, evidence), protocol.Done)

    async def sessions(self, person: UUID | None = None) -> tuple[protocol.SessionView, ...]:
        return (await self.ask(protocol.ListSessions(person), protocol.SessionList)).sessions

    async def run_due(self, evidence: Evidence) -> tuple[protocol.Ending, ...]:
        return (await self.ask(protocol.RunDue(evidence), protocol.Ran)).ended

    async def abandon_tenure(self, mailbox: UUID, evidence: Evidence) -> None:
        await self.ask(protocol.AbandonTenure(mailbox, evidence), protocol.Done)

    async def people(self) -> tuple[protocol.PersonView, ...]:
        return (await self.ask(protocol.ListPeople(), protocol.PersonList)).people

    async def mailboxes(self) -> tuple[protocol.MailboxView, ...]:
        return (await self.ask(protocol.ListMailboxes(), protocol.MailboxList)).mailboxes

    async def proposals(self) -> tuple[protocol.ProposalView, ...]:
        return (await self.ask(protocol.ListProposals(), protocol.ProposalList)).proposals

    async def public_keys(self, purpose: str, mailbox: UUID | None = None) -> tuple[SignedKey, ...]:
        return (await self.ask(protocol.PublicKeys(purpose, mailbox), protocol.KeyList)).keys

    async def adopt_message(self, request: protocol.AdoptMessage) -> bytes:
        return (await self.ask(request, protocol.Wrapped)).slot

    async def ticket(self, session: bytes, message: UUID, evidence: Evidence) -> protocol.Ticket:
        return await self.ask(protocol.AskTicket(session, message, evidence), protocol.Ticket)

    async def destroy_message(
        self,
        message: UUID,
        policy: str,
        by: UUID | None,
        evidence: Evidence,
        session: bytes = b"",
    ) -> SignedStatement:
        request = protocol.DestroyMessage(message, policy, by, evidence, session)
        return (await self.ask(request, protocol.Statement)).statement

    async def spent_keys(self) -> tuple[SignedKey, ...]:
        return (await self.ask(protocol.SpentKeys(), protocol.KeyList)).keys

    async def destroy_deposit_key(self, key: UUID, evidence: Evidence) -> None:
        await self.ask(protocol.DestroyDepositKey(key, evidence), protocol.Done)

    async def open_records_key(
        self, session: bytes, key: UUID, sealed: bytes, evidence: Evidence
    ) -> bytes:
        request = protocol.OpenRecordsKey(session, key, sealed, evidence)
        return (await self.ask(request, protocol.RecordsKey)).key

    async def index_numbers(self, numbers: Sequence[str], evidence: Evidence) -> tuple[bytes, ...]:
        request = protocol.IndexNumbers(tuple(numbers), evidence)
        return (await self.ask(request, protocol.Indexed)).values

    async def look_up_number(
        self, session: bytes, number: str, reason: bytes, evidence: Evidence
    ) -> bytes:
        """`reason` is the SHA-256 of what the person stated."""
        request = protocol.LookUpNumber(session, number, reason, evidence)
        return (await self.ask(request, protocol.Indexed)).values[0]

    async def sign_head(
        self,
        writer: UUID,
        previous: int,
        leaves: Sequence[bytes],
        known: SignedHead | None = None,
    ) -> SignedHead:
        request = protocol.SignHead(writer, previous, tuple(leaves), known)
        return (await self.ask(request, protocol.Head)).head

    async def journal(self, start: int) -> protocol.JournalPage:
        return await self.ask(protocol.ReadJournal(start), protocol.JournalPage)

    async def report(self) -> protocol.KeyReport:
        return await self.ask(protocol.KeyStatus(), protocol.KeyReport)


class WorkerKeyHolder(_Client):
    """A media worker's view. `socket` is `run/keyholder-worker/keyholder.sock`."""

    async def challenge(self) -> protocol.Challenge:
        """For secret-entry mode: digits are sealed to the key that comes with it."""
        return await self.ask(protocol.AskChallenge(), protocol.Challenge)

    async def open_message(
        self, ticket: bytes, content: bytes, slot: bytes, vouched: Vouched
    ) -> bytearray:
        request = protocol.OpenMessage(ticket, content, slot, vouched.voucher, vouched.asker)
        return (await self.ask(request, protocol.MessageKey)).key


class OperatorKeyHolder(_Client):
    """For `pbx keys unlock` on the machine itself. `run/keyholder-operator/keyholder.sock`."""

    async def unlock_key(self) -> protocol.UnlockKey:
        return await self.ask(protocol.AskUnlock(), protocol.UnlockKey)

    async def unlock(self, sealed: bytes) -> protocol.Pong:
        return await self.ask(protocol.Unlock(sealed), protocol.Pong)

    async def report(self) -> protocol.KeyReport:
        return await self.ask(protocol.KeyStatus(), protocol.KeyReport)
