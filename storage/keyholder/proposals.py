"""A proposal in the key holder's own words, signed, for the second person's command to show.

The exchange carries it and can neither change the act nor the names in it: what is approved is
hashed from the act that was shown, and people are called as the key holder knows them.
"""

from typing import Final
from uuid import UUID

import msgspec

from storage.keyholder import acts, signing
from storage.keyholder.draft import Draft
from storage.keyholder.records import Mailbox, Person, Proposal, Settings
from storage.keyholder.signing import BadKey, SignedStatement

KIND: Final = "proposal"

_acts = msgspec.msgpack.Decoder(acts.AnyAct)


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the statement."""

    proposal: UUID
    act: bytes
    """Its canonical bytes."""
    requester: str
    names: dict[str, str]
    """Who or whose is meant by each identifier in the act that the key holder knows."""
    until: int

    def decoded(self) -> acts.AnyAct:
        act: acts.AnyAct = _acts.decode(self.act)
        return act


def statement_of(settings: Settings, rows: Draft, proposal: Proposal) -> SignedStatement:
    """Signed as the second person is to see it."""
    act = msgspec.to_builtins(_acts.decode(proposal.act), builtin_types=(UUID,))
    values = [one for value in act.values() for one in _each(value)]
    names = {str(one): name for one in values if (name := _name(rows, one))}
    told = Told(
        proposal=proposal.id,
        act=proposal.act,
        requester=_name(rows, proposal.requester),
        names=names,
        until=proposal.until,
    )
    statement = SignedStatement(KIND, msgspec.json.encode(told).decode())
    return signing.signed_statement(settings.signing_key, statement)


def read(pinned: bytes, statement: SignedStatement, proposal: UUID) -> Told:
    """Checked against the pin; raises `BadKey` for what the key holder did not say about it."""
    if statement.kind != KIND or not signing.is_signed(pinned, statement):
        raise BadKey("proposal: not signed by the key holder")
    told = msgspec.json.decode(statement.text, type=Told)
    if told.proposal != proposal:
        raise BadKey("proposal: the key holder said this about another one")
    return told


def _each(value: object) -> list[UUID]:
    if isinstance(value, list | tuple):
        return [one for one in value if isinstance(one, UUID)]
    return [value] if isinstance(value, UUID) else []


def _name(rows: Draft, identifier: UUID) -> str:
    if (person := rows.get(Person, identifier)) is not None:
        return person.login
    if (mailbox := rows.get(Mailbox, identifier)) is None:
        return ""
    if mailbox.owner is not None:
        return f"mailbox of {_name(rows, mailbox.owner)}"
    members = ", ".join(sorted(_name(rows, member.person) for member in mailbox.members))
    return f"shared mailbox ({members or 'nobody in it'})"
