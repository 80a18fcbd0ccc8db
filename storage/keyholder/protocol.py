"""The messages between the key holder and its two peers, the exchange and the media workers.

Frames are a 32-bit length and MessagePack [number, message] over a Unix stream socket; answers
carry the number of their request and may come out of order. Nothing here is readable secret
material except on the worker edge (`MessageKey`) and in `RecordsKey`, which the exchange holds
in memory for at most an hour.
"""

from storage.keyholder.answers import (
    Challenge,
    Done,
    Ending,
    GrantView,
    Head,
    Indexed,
    Invalid,
    JournalPage,
    KeyList,
    KeyReport,
    MailboxList,
    MailboxView,
    MemberView,
    MessageKey,
    Opened,
    PersonList,
    PersonView,
    Pong,
    ProposalList,
    ProposalView,
    Ran,
    RecordsKey,
    Refusal,
    SessionList,
    SessionState,
    Shut,
    Statement,
    Ticket,
    UnlockKey,
    Waiting,
    Wrapped,
)
from storage.keyholder.confided import Enrolment, HalfCode, Protected, RecoveryShare
from storage.keyholder.parts import (
    MAX_FRAME,
    Answer,
    Edge,
    Evidence,
    Notice,
    Origin,
    Proof,
    Request,
    SessionView,
    State,
)
from storage.keyholder.requests import (
    AbandonTenure,
    AdoptMessage,
    AskChallenge,
    AskTicket,
    AskUnlock,
    DestroyDepositKey,
    DestroyMessage,
    EndSession,
    EndSessions,
    IndexNumbers,
    KeyStatus,
    ListMailboxes,
    ListPeople,
    ListProposals,
    ListSessions,
    LookUpNumber,
    OpenMessage,
    OpenRecordsKey,
    Perform,
    Ping,
    PublicKeys,
    ReadJournal,
    RunDue,
    SignHead,
    SpentKeys,
    Touch,
    Unlock,
)

ExchangeRequest = (
    Ping
    | AskChallenge
    | Perform
    | PublicKeys
    | Touch
    | EndSession
    | EndSessions
    | ListSessions
    | RunDue
    | AbandonTenure
    | ListPeople
    | ListMailboxes
    | ListProposals
    | AdoptMessage
    | AskTicket
    | DestroyMessage
    | SpentKeys
    | DestroyDepositKey
    | OpenRecordsKey
    | IndexNumbers
    | LookUpNumber
    | SignHead
    | ReadJournal
    | KeyStatus
)
WorkerRequest = Ping | AskChallenge | PublicKeys | OpenMessage
OperatorRequest = Ping | KeyStatus | AskUnlock | Unlock
AnyAnswer = (
    Pong
    | Challenge
    | Opened
    | Done
    | Waiting
    | Ran
    | SessionState
    | SessionList
    | PersonList
    | MailboxList
    | ProposalList
    | KeyList
    | Wrapped
    | Ticket
    | MessageKey
    | RecordsKey
    | Indexed
    | Head
    | Statement
    | JournalPage
    | KeyReport
    | UnlockKey
    | Refusal
    | Invalid
    | Shut
)

__all__ = [
    "MAX_FRAME",
    "AbandonTenure",
    "AdoptMessage",
    "Answer",
    "AnyAnswer",
    "AskChallenge",
    "AskTicket",
    "AskUnlock",
    "Challenge",
    "DestroyDepositKey",
    "DestroyMessage",
    "Done",
    "Edge",
    "EndSession",
    "EndSessions",
    "Ending",
    "Enrolment",
    "Evidence",
    "ExchangeRequest",
    "GrantView",
    "HalfCode",
    "Head",
    "IndexNumbers",
    "Indexed",
    "Invalid",
    "JournalPage",
    "KeyList",
    "KeyReport",
    "KeyStatus",
    "ListMailboxes",
    "ListPeople",
    "ListProposals",
    "ListSessions",
    "LookUpNumber",
    "MailboxList",
    "MailboxView",
    "MemberView",
    "MessageKey",
    "Notice",
    "OpenMessage",
    "OpenRecordsKey",
    "Opened",
    "OperatorRequest",
    "Origin",
    "Perform",
    "PersonList",
    "PersonView",
    "Ping",
    "Pong",
    "Proof",
    "ProposalList",
    "ProposalView",
    "Protected",
    "PublicKeys",
    "Ran",
    "ReadJournal",
    "RecordsKey",
    "RecoveryShare",
    "Refusal",
    "Request",
    "RunDue",
    "SessionList",
    "SessionState",
    "SessionView",
    "Shut",
    "SignHead",
    "SpentKeys",
    "State",
    "Statement",
    "Ticket",
    "Touch",
    "Unlock",
    "UnlockKey",
    "Waiting",
    "WorkerRequest",
    "Wrapped",
]
