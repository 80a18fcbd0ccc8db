"""Lamps, sign-ins and files: what is no route and no table, tried with the parts that do it."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from pbx.isolation.finding import Finding, judged
from pbx.isolation.scene import Scene
from pbx.voicemail.lamps import Lamps
from storage.keyholder import slots
from storage.keyholder.signing import SignedKey
from storage.sealed import primitives
from storage.sealed.primitives import Suite


def findings(scene: Scene, lamps: Lamps) -> list[Finding]:
    return [_lamp(scene, lamps), _sign_in(scene), _file(scene)]


def _lamp(scene: Scene, lamps: Lamps) -> Finding:
    """The exchange's own lamps, over the rehearsal's directory."""
    tried = Lamps(replace(lamps.ground, directory=lambda: scene.directory))
    shown = scene.directory.devices_of_mailbox
    leak = ""
    if tried.mailbox_of(scene.phone) != scene.new.mailbox:
        leak = "the number's phone shows the lamp of another mailbox than its holder's"
    elif tried.mailbox_of(scene.shared) is not None or scene.old.mailbox in shown:
        leak = "the former holder's messages still light a lamp"
    elif shown.get(scene.new.mailbox) != (scene.phone,):
        leak = "the new holder's messages light a lamp that is not theirs"
    return judged(
        "lamp", leak, "the number's phone shows the new holder's mailbox, and no other does"
    )


def _sign_in(scene: Scene) -> Finding:
    seat = scene.directory.holder_of(scene.shared)
    leak = "" if seat is None else "a sign-in of the former holder outlives the tenure"
    return judged("phone log-in", leak, "a sign-in of the former tenure counts no more")


def _file(scene: Scene) -> Finding:
    """A key slot that was sealed to the former tenure, opened as the new one's."""
    pair = primitives.generate_pair(Suite.P384)
    former = SignedKey(
        scene.old.id, bytes(pair.public), "deposit", scene.old.mailbox, scene.old.id, Suite.P384,
        scene.now, scene.now, 1,
    )  # fmt: skip
    message_key, content = primitives.random(primitives.KEY), primitives.random(16)
    slot = slots.deposit_slot(former, content, message_key)
    if bytes(slots.open_deposit_slot(former, pair.private, content, slot)) != message_key:
        return judged("files", "a slot does not open for the tenure it was sealed to", "")
    try:
        slots.open_deposit_slot(_of_tenure(former, scene), pair.private, content, slot)
    except slots.WrongSlot:
        return judged("files", "", "a slot opens for its own tenure; as the new one's it does not")
    return judged("files", "a key slot of the former tenure opens as one of the new tenure", "")


def _of_tenure(key: SignedKey, scene: Scene) -> SignedKey:
    return msgspec.structs.replace(key, mailbox=scene.new.mailbox, tenure=scene.new.id)
