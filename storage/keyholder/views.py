"""Rows of the table as they may be listed: identifiers and states, no secrets."""

from storage.keyholder import protocol
from storage.keyholder.answers import SecurityKeyView
from storage.keyholder.records import Factors, Mailbox, Person


def person_view(person: Person, locked_until: int) -> protocol.PersonView:
    grants = tuple(
        protocol.GrantView(
            grant.id,
            grant.role,
            grant.start,
            grant.until,
            grant.requester,
            grant.approver,
            grant.sole,
        )
        for grant in person.grants
    )
    return protocol.PersonView(
        id=person.id,
        login=person.login,
        state=str(person.standing),
        until=person.until,
        enrolled=person.factors is not None,
        has_pin=person.pin is not None,
        locked_until=locked_until,
        last_seen=person.last_seen,
        grants=grants,
        security_keys=_keys_of(person.factors),
    )


def _keys_of(factors: Factors | None) -> tuple[SecurityKeyView, ...]:
    held = factors.keys if factors is not None else ()
    return tuple(SecurityKeyView(key.id, key.label, key.added) for key in held)


def mailbox_view(mailbox: Mailbox) -> protocol.MailboxView:
    members = tuple(
        protocol.MemberView(member.person, member.start, member.until, member.kind)
        for member in mailbox.members
    )
    return protocol.MailboxView(
        id=mailbox.id,
        tenure=mailbox.tenure,
        owner=mailbox.owner,
        opened=mailbox.opened,
        closed=mailbox.closed,
        until=mailbox.until,
        members=members,
        holds=mailbox.holds,
    )
