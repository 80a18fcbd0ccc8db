"""Who left a message: said where the place allows it, and called back."""

from __future__ import annotations

from uuid import UUID

from pbx.b2bua.handing_over import introduce
from pbx.b2bua.news import News
from pbx.dialplan import plan
from pbx.features.dialogue import Dialogue
from pbx.features.ringing import RINGBACK, Ringing
from pbx.features.voicemail_login import Listener
from pbx.voicemail.office import Voicemail
from storage import calls
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import new_id
from storage.intents import intend
from storage.keyholder.client import KeyHolderError, Refused
from storage.ledger.actions import Action, Outcome
from storage.ledger.unit import Unit
from storage.messages import Message, subject
from storage.records import PURPOSE
from storage.sealed.fields import FieldKey
from storage.sealed.primitives import OpenError


async def number_of(voicemail: Voicemail, listener: Listener, message: Message) -> str:
    """The caller's number, or "" where it is withheld or cannot be opened now. Whoever learns it
    has a row of their own, whether this hour's key is still here or the key holder is asked."""
    ground, key = voicemail.ground, message.records_key
    if key is None:
        return ""
    deed = Deed(listener.actor, new_id(ground.clock), ground.clock())

    async def read(unit: Unit) -> None:
        unit.record(deed.entry(Action.CALL_PARTIES_READ, subject(message.id)))

    try:
        fields = ground.keys.held(key) or await _opened(voicemail, listener, message, key, deed)
        number = message.envelope(fields).number
        await ground.committer.run(read)
    except KeyHolderError as error:
        outcome = Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED
        entry = deed.entry(Action.CALL_PARTIES_READ, subject(message.id), outcome=outcome)
        await ground.committer.note(entry)
        return ""
    except (StorageError, OpenError):
        return ""
    return number


async def _opened(
    voicemail: Voicemail, listener: Listener, message: Message, key: UUID, deed: Deed
) -> FieldKey:
    """The key of the message's hour: intent first, then the key holder."""
    ground = voicemail.ground
    evidence = await intend(ground.committer, deed, Action.CALL_PARTIES_READ, subject(message.id))
    async with ground.database.read() as connection:
        wrapped, sealed_to = await calls.sealed_key(connection, key)
    opened = await ground.keyholder.open_records_key(listener.session, sealed_to, wrapped, evidence)
    return FieldKey(opened, PURPOSE)


class CalledBack(Exception):
    """Listening is over: the two of them talk."""


async def reply(
    dialogue: Dialogue, voicemail: Voicemail, listener: Listener, message: Message
) -> None:
    """Ring whoever left it; raises `CalledBack` once they talk, returns when nobody answers."""
    call = dialogue.call
    number = await number_of(voicemail, listener, message)
    route = plan.route(call.caller.device, number, call.directory, call.clock()) if number else None
    if not isinstance(route, plan.RingPerson):
        await dialogue.tell("vm-fault")
        return
    await dialogue.media.release(dialogue.leg)
    await call.pairing.entertain(call.caller, RINGBACK)
    ringing = Ringing(call, number=number, news=News(call.caller, None, is_wanted=False))
    winner = await ringing.first_answer(route.devices)
    if winner is None:
        await dialogue.tell("no-answer")
        return
    await dialogue.media.digits(dialogue.leg, report=False)
    introduce(call, call.caller, winner)
    raise CalledBack
