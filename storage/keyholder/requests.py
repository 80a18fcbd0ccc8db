"""What the key holder may be asked; each edge knows its own of these (`protocol`)."""

from uuid import UUID

from storage.keyholder.acts import AnyAct
from storage.keyholder.parts import Evidence, Proof, Request
from storage.keyholder.signing import SignedHead

# -- requests both edges may make


class Ping(Request, frozen=True, tag="ping"):
    """Answer: `Pong`; also while locked."""


class AskChallenge(Request, frozen=True, tag="challenge"):
    """Answer: `Challenge`: one use, two minutes."""


class Perform(Request, frozen=True, tag="perform"):
    """Answer: `Opened`, `Done`, `Waiting`, `Refusal` or `Invalid`."""

    act: AnyAct
    proof: Proof
    evidence: Evidence


class PublicKeys(Request, frozen=True, tag="public-keys"):
    """Signed keys for sealing. Deposit keys of a mailbox for the weeks ahead, or `records`."""

    purpose: str
    mailbox: UUID | None = None


# -- requests of the exchange


class Touch(Request, frozen=True, tag="touch"):
    """Counts as activity of the session. Answer: `SessionState` or `Refusal`."""

    session: bytes
    activity: bool = True


class EndSession(Request, frozen=True, tag="end-session"):
    session: bytes


class EndSessions(Request, frozen=True, tag="end-sessions"):
    """Ends one listed session, or all of a person (id None). Only ever takes away: no proof."""

    person: UUID
    id: UUID | None
    evidence: Evidence


class ListSessions(Request, frozen=True, tag="list-sessions"):
    person: UUID | None = None


class RunDue(Request, frozen=True, tag="run-due"):
    """Ends what has come to its end by the key holder's own table and clock: people past their
    date or unused, mailboxes past theirs. Asking for it decides nothing. Answer: `Ran`."""

    evidence: Evidence


class AbandonTenure(Request, frozen=True, tag="abandon-tenure"):
    """Closes a mailbox that the same operation opened a moment ago, and into which nothing can
    have been deposited: the exchange could not write down whose it is."""

    mailbox: UUID
    evidence: Evidence


class ListPeople(Request, frozen=True, tag="list-people"):
    """The key holder's own table, without secrets, to compare with the exchange's copy."""


class ListMailboxes(Request, frozen=True, tag="list-mailboxes"):
    pass


class ListProposals(Request, frozen=True, tag="list-proposals"):
    """What waits for a second person."""


class AdoptMessage(Request, frozen=True, tag="adopt-message"):
    """Re-wrap a new message's key under a secret of its own. Answer: `Wrapped`."""

    message: UUID
    mailbox: UUID
    content: bytes
    key: UUID
    slot: bytes
    evidence: Evidence


class AskTicket(Request, frozen=True, tag="ask-ticket"):
    """May this session open this message? Answer: `Ticket` or `Refusal`."""

    session: bytes
    message: UUID
    evidence: Evidence


class DestroyMessage(Request, frozen=True, tag="destroy-message"):
    """Destroys the message secret; answer: `Statement` (certificate of destruction), the same
    again when it is destroyed already. With the session of somebody who may open the message it
    may be younger than a day."""

    message: UUID
    policy: str
    by: UUID | None
    evidence: Evidence
    session: bytes = b""


class SpentKeys(Request, frozen=True, tag="spent-keys"):
    """Deposit keys of weeks that are over, which the key holder would let go. Answer: `KeyList`."""


class DestroyDepositKey(Request, frozen=True, tag="destroy-deposit-key"):
    """Nothing depends on an expired week's key any more, says the exchange; the key holder waits
    until deposits made while it was away have had their time to be adopted."""

    key: UUID
    evidence: Evidence


class OpenRecordsKey(Request, frozen=True, tag="open-records-key"):
    """Opens an hourly records key for a session that may read records. Answer: `RecordsKey`."""

    session: bytes
    key: UUID
    sealed: bytes
    evidence: Evidence


class IndexNumbers(Request, frozen=True, tag="index-numbers"):
    """Fills the patient-number index column in batches. Answer: `Indexed`."""

    numbers: tuple[str, ...]
    evidence: Evidence


class LookUpNumber(Request, frozen=True, tag="look-up-number"):
    """One look-up with a session and a stated reason, which stays in the ledger row."""

    session: bytes
    number: str
    reason: bytes
    """SHA-256 of the stated reason: it goes into the journal."""
    evidence: Evidence


class SignHead(Request, frozen=True, tag="sign-head"):
    """Signs a ledger head that extends what was signed before; at most 10,000 leaves a time."""

    writer: UUID
    previous: int
    """Sequence of the last signed row (0 before the first)."""
    leaves: tuple[bytes, ...]
    known: SignedHead | None = None
    """The newest head the exchange has: one we do not remember shows a rolled-back store."""


class ReadJournal(Request, frozen=True, tag="read-journal"):
    """Entries from a sequence on, at most 1,000. Answer: `JournalPage`."""

    start: int


class KeyStatus(Request, frozen=True, tag="key-status"):
    """Answer: `KeyReport`."""


# -- requests of the owner of the machine (operator edge of the process)


class AskUnlock(Request, frozen=True, tag="ask-unlock"):
    """Answer: `UnlockKey`, an HPKE public key of this start of the process."""


class Unlock(Request, frozen=True, tag="unlock"):
    """The passphrase, sealed to `UnlockKey`."""

    sealed: bytes


# -- requests of a worker


class OpenMessage(Request, frozen=True, tag="open-message"):
    """Redeems a ticket, once, for whom the session's own worker or command vouches (`vouchers`).
    Answer: `MessageKey` or `Refusal`."""

    ticket: bytes
    content: bytes
    slot: bytes
    voucher: bytes = b""
    asker: bytes = b""
