"""Messages: heard, exported, deleted, held, purged."""

from uuid import UUID

import httpx
import msgspec

from storage import messages
from storage.keyholder import acts
from storage.keyholder.signing import SignedStatement
from storage.messages import NewMessage
from storage.sealed.primitives import random
from tests.support.clinic import Clinic, Member
from tests.support.uses.extensions import extension
from tests.support.uses.mailboxes import shared
from tests.support.uses.registry import Verb, reading, use

reading("GET", "/v1/own/messages")

reading("GET", "/v1/deleted-messages")

reading("GET", "/v1/holds")

reading("GET", "/v1/voicemail")


async def message(clinic: Clinic, owner: Member, *verbs: tuple[Verb, str]) -> UUID:
    """Left in a mailbox of theirs; what the key holder knows of it is nothing."""
    root = clinic.members["root"]
    await extension(clinic, owner)
    await clinic.present(root)
    found = [box for box in await clinic.plane.keyholder.mailboxes() if box.owner == owner.id]
    new = NewMessage(
        id=clinic.id(), mailbox=found[-1].id, content=random(16), deposit_key=clinic.id(),
        slot=b"s", codec="pcmu", milliseconds=1, octets=1, segments=1, digest=random(32),
        received_at=clinic.now,
    )  # fmt: skip
    deed = clinic.plane.deed
    await clinic.plane.run(messages.deposit, deed(), new, None, None)
    await clinic.plane.run(messages.adopted, deed(), new.id, b"own slot")
    for verb, argument in verbs:
        await clinic.plane.run(verb, deed(), new.id, argument)
    return new.id


async def own_message(clinic: Clinic, who: Member, *verbs: tuple[Verb, str]) -> UUID:
    made = await message(clinic, who, *verbs)
    await clinic.present(who)
    return made


def opening(name: str) -> None:
    @use("POST", f"/v1/own/messages/{{message:uuid}}/{name}")
    async def _(clinic: Clinic, who: Member) -> httpx.Response:
        path = f"/v1/own/messages/{await own_message(clinic, who)}/{name}"
        body = {
            "purpose": "to call back",
            "suite": "P384",
            "public": bytes(97),
            "voucher": bytes(32),
        }
        return await clinic.ask(who, "POST", path, body)


for name in ("listening", "export", "plain-export"):
    opening(name)


@use("POST", "/v1/own/messages/{message:uuid}/deletion")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/own/messages/{await own_message(clinic, who)}/deletion"
    return await clinic.ask(who, "POST", path)


@use("POST", "/v1/deleted-messages/{message:uuid}/restoration")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    gone = await own_message(clinic, who, (messages.delete, "owner"))
    return await clinic.ask(who, "POST", f"/v1/deleted-messages/{gone}/restoration")


@use("GET", "/v1/certificates/{message:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    statement = msgspec.json.encode(SignedStatement("certificate of destruction", "{}")).decode()
    made = await own_message(
        clinic, who, (messages.delete, "owner"), (messages.destroyed, statement)
    )
    return await clinic.ask(who, "GET", f"/v1/certificates/{made}")


async def hold(clinic: Clinic, who: Member) -> tuple[httpx.Response, UUID]:
    box, _ = await shared(clinic)
    await clinic.present(who)
    new = clinic.id()
    proof = await clinic.proof(who, acts.Hold(box, new))
    body = {"id": new, "mailbox": box, "reason": "a letter", "proof": proof}
    return await clinic.ask(who, "POST", "/v1/holds", body), new


@use("POST", "/v1/holds")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return (await hold(clinic, who))[0]


@use("POST", "/v1/holds/{hold:uuid}/release")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer, made = await hold(clinic, who)
    if not answer.is_success:
        return answer
    async with clinic.plane.database.read() as connection:
        box = (await clinic.plane.holds.find(connection, made)).mailbox
    body = {"proof": await clinic.proof(who, acts.ReleaseHold(box, made))}
    return await clinic.ask(who, "POST", f"/v1/holds/{made}/release", body)


@use("POST", "/v1/purge")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "POST", "/v1/purge", {"is_dry_run": True})


@use("GET", "/v1/mailboxes/{mailbox:uuid}/retention")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/mailboxes/{clinic.id()}/retention")


@use("PUT", "/v1/mailboxes/{mailbox:uuid}/retention")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 0, "days": 30}
    return await clinic.ask(who, "PUT", f"/v1/mailboxes/{clinic.id()}/retention", body)
