"""A key holder that works until it is killed: says each thing once it is acknowledged.

python -m tests.support.keyholder_torture DIRECTORY SEED [POINTS]: stops itself by SIGKILL at the
POINTS-th named point, if given; else it goes on until somebody else does.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from uuid import UUID, uuid4

from storage.keyholder import acts, messages, slots
from storage.keyholder.acts import Role
from storage.keyholder.books import going_on
from storage.keyholder.protocol import (  # fmt: skip
    AdoptMessage,
    AskTicket,
    DestroyMessage,
    Head,
    KeyList,
    MessageKey,
    PublicKeys,
    SignHead,
    Statement,
    Ticket,
    Wrapped,
)
from tests.support.keyholder import FakeTime, House, Someone, evidence, redeeming

WRITER = UUID(int=5)


def say(*words: object) -> None:
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


async def work(house: House, admin: Someone, doctor: Someone, dice: random.Random) -> None:
    messages.DELETION_WINDOW = 0
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), doctor.id))
    key = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys[0]
    alive: list[UUID] = []
    slot_of: dict[UUID, bytes] = {}
    sequence, head = 0, None
    while True:
        match dice.randrange(8):
            case 0 | 1:
                message = uuid4()
                slot = slots.deposit_slot(key, message.bytes, b"m" * 32)
                ask = AdoptMessage(message, mailbox, message.bytes, key.id, slot, evidence())
                slot_of[message] = (await house.ask(ask, Wrapped)).slot
                alive.append(message)
                say("adopted", message)
            case 2 if alive:
                message = alive.pop(dice.randrange(len(alive)))
                say("destroying", message)
                await house.ask(DestroyMessage(message, "", None, evidence()), Statement)
                say("destroyed", message)
            case 6 | 7 if alive:
                message, why = dice.choice(alive), evidence()
                await house.log_in(doctor)
                ask_ticket = AskTicket(doctor.session, message, why)
                ticket = (await house.ask(ask_ticket, Ticket)).ticket
                await house.ask(redeeming(ticket, message.bytes, slot_of[message]), MessageKey)
                say("opened", why.operation)
            case 3:
                await house.log_in(admin)
                await house.done(admin, acts.Rotate())
                say("rotated")
            case 4:
                await house.log_in(admin)
                usb = str(house.directory.parent / "usb")
                await house.done(admin, acts.Backup(usb, force=True))
                say("backed-up")
            case _:
                leaf = os.urandom(32)
                answer = await house.ask(SignHead(WRITER, sequence, (leaf,), head), Head)
                sequence, head = answer.head.sequence, answer.head
                say("signed", sequence)


async def main() -> None:
    directory, seed = Path(sys.argv[1]), int(sys.argv[2])
    house = House(directory, time=FakeTime())
    admin = await house.administrator()
    await house.done(admin, acts.SetRecovery(), recovery_passphrase="first long passphrase")
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    house.close()
    left = [int(sys.argv[3])] if len(sys.argv) > 3 else []

    def stop(_: str) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    house.at = stop if left else going_on
    say("ready")
    house.open()
    house.core.books.longest = 4_000  # a new part every dozen entries
    await house.log_in(admin)
    await work(house, admin, doctor, random.Random(seed))


if __name__ == "__main__":
    asyncio.run(main())
