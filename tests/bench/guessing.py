"""PINs guessed from many phones at once, and what everybody else feels of it.

Exchange, key holder and worker are the processes that `serve` starts; the phones that guess are a
process of their own, each at a mailbox of its own, so that every guess costs argon2id in full.
Everything else is asked again and again meanwhile, by real phones and on the key holder's sockets.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from certs.contexts import client_context
from storage.keyholder import acts, vouchers
from storage.keyholder.acts import Role
from storage.keyholder.client import KeyHolder, WorkerKeyHolder
from storage.keyholder.proofs import seal_proof
from storage.keyholder.protocol import Opened, Origin, Proof, Protected
from storage.keyholder.signing import Pin
from storage.sealed.primitives import Argon2
from tests.support.keyholder import BINDING, House, evidence, text
from tests.support.message_exchange import PIN, Caller
from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN
from tests.support.rtp_phone import RtpPhone
from tests.support.ward import Ward, ward

PHONES = int(os.environ.get("GUESSING_PHONES", "50"))
QUIET_SECONDS = 6
GUESS = "998877"
ATTEMPTS = 3
"""In one call; then its phone is slowed."""
Act = Callable[[], Awaitable[object]]


class Guessed(Ward):
    """With so many more people, each with a phone and a PIN at its real cost."""

    async def _people(self, house: House, pin: str) -> list[Line]:
        lines = await super()._people(house, pin)
        admin, manager = self.people["admin"], self.people["manager"]
        house.core.stretcher.cost = Argon2()
        for n in range(PHONES):
            someone = await house.enrolled(f"doctor{n}", Role.PHYSICIAN, admin, manager)
            box, number = uuid4(), str(2000 + n)
            await house.done(admin, acts.OpenTenure(box, uuid4(), someone.id))
            await house.done(someone, acts.SetPin((number,)), new_pin=pin)
            name = f"phone{n}"
            lines.append(Line(number=number, username=name, person=someone.id, mailbox=box))
        return lines


async def registered(address: str, port: int, trust: Path, name: str) -> Phone:
    phone = Phone(Account(username=name, domain=DOMAIN, password=SECRET))
    await phone.connect((address, port), client_context(trust))
    assert (await phone.register()).status == 200
    return phone


# -- the guessers, in a process of their own


async def guess(phone: Phone, ready: asyncio.Barrier) -> int:
    """How many guesses were looked at; so many wait that others have no answer in time."""
    with closing(RtpPhone()) as media:
        call = phone.invite("*97", media.sdp())
        media.read((await call.answered()).body)
        caller = Caller(phone, call, media)
        for attempt in range(ATTEMPTS):
            await caller.prompted("vm-pin", patience=300)
            if attempt == 0:
                await ready.wait()
            caller.press(GUESS + "#")
            if await caller.prompted("vm-refused", "vm-away", patience=120) == "vm-away":
                return attempt
        await caller.hang_up()
        return ATTEMPTS


async def guessers(address: str, port: int, trust: Path) -> None:
    phones = [await registered(address, port, trust, f"phone{n}") for n in range(PHONES)]
    ready = asyncio.Barrier(PHONES + 1)
    storm = [asyncio.create_task(guess(phone, ready)) for phone in phones]
    await ready.wait()
    print("guessing", flush=True)
    print(sum(await asyncio.gather(*storm)), flush=True)


# -- everybody else


async def timed(act: Act, until: asyncio.Event) -> list[float]:
    """Milliseconds, again and again."""
    taken = []
    while not until.is_set():
        before = time.perf_counter()
        await act()
        taken.append(1000 * (time.perf_counter() - before))
        await asyncio.sleep(0.02)
    return sorted(taken)


async def session(clinic: Ward, keyholder: KeyHolder) -> bytes:
    """Ben's, as on a phone."""
    challenge, act = await keyholder.challenge(), acts.PhoneLogIn(clinic.people["ben"].id)
    pinned = Pin.read(clinic.product.layout.keyholder_pin).signing_key
    typed = Protected(pin=text(PIN), binding=bytearray(BINDING))
    sealed, _ = seal_proof(pinned, challenge, act, typed, now=time.time_ns() // 1000)
    origin = Origin("ben's phone", "10.0.0.1")
    answer = await keyholder.perform(act, Proof(sealed, origin, b""), evidence())
    assert isinstance(answer, Opened)
    return answer.session


async def others(clinic: Ward, until: asyncio.Event) -> dict[str, list[float]]:
    layout, product = clinic.product.layout, clinic.product
    keyholder = KeyHolder(layout.keyholder_exchange_socket, deadline=60)
    worker = WorkerKeyHolder(layout.keyholder_worker_socket, deadline=60)
    began = time.perf_counter()
    opened, [message] = await session(clinic, keyholder), await clinic.rows()
    log_in = 1000 * (time.perf_counter() - began)
    where = (product.address, product.port, product.ca_file)
    alice, bob = [await registered(*where, name) for name in ("alice", "bob")]
    slot, head = message.slot or b"", uuid4()

    async def sign() -> None:
        nonlocal head
        head = uuid4()
        await keyholder.sign_head(head, 0, [os.urandom(32)])

    async def open_message() -> None:
        ticket = (await keyholder.ticket(opened, message.id, evidence())).ticket
        vouched = vouchers.of_leg(BINDING, ticket, message.content)
        await worker.open_message(ticket, message.content, slot, vouched)

    async def call() -> None:
        with closing(RtpPhone()) as ours, closing(RtpPhone()) as theirs:
            outgoing = alice.invite("1002", ours.sdp())
            incoming = await bob.incoming.get()
            theirs.read(incoming.invite.body)
            incoming.answer(theirs.sdp())
            await outgoing.answered()
            await outgoing.bye()
            await incoming.ended.wait()

    third = await registered(*where, "alice")
    asked: dict[str, Act] = {
        "ping": keyholder.ping, "challenge": keyholder.challenge, "head signed": sign,
        "message opened": open_message, "registration": third.register, "call": call,
    }  # fmt: skip
    found = await asyncio.gather(*(timed(act, until) for act in asked.values()))
    for one in (alice, bob, third):
        one.close()
    await keyholder.close()
    await worker.close()
    return dict(zip(asked, found, strict=True)) | {"right PIN, once": [log_in]}


def shown(taken: list[float]) -> str:
    middle, most = taken[len(taken) // 2], taken[int(0.99 * (len(taken) - 1))]
    return f"{middle:7.1f} {most:7.1f} {taken[-1]:7.1f} ({len(taken)})"


async def _all(folder: Path) -> None:
    async with ward(folder, stock=1, kind=Guessed) as clinic:
        await clinic.serve()
        quiet, over = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().call_later(QUIET_SECONDS, quiet.set)
        before = await others(clinic, quiet)
        product = clinic.product
        words = [product.address, str(product.port), str(product.ca_file)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.guessing", *words, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"guessing\n"
        began = time.perf_counter()

        async def wait() -> int:
            assert process.stdout is not None
            try:
                return int(await process.stdout.readline())
            finally:
                over.set()

        during, looked_at = await asyncio.gather(others(clinic, over), wait())
        lasted = time.perf_counter() - began
        await process.wait()
    print(f"{PHONES} phones, {looked_at} guesses looked at, over in {lasted:.1f} s")
    print("milliseconds: median, p99, most (count); quiet | while they guess")
    for name in before:
        print(f"{name:>15}: {shown(before[name])} | {shown(during[name])}")


def run() -> None:
    with tempfile.TemporaryDirectory(prefix="pbx-bench-", dir="/tmp") as folder:
        asyncio.run(_all(Path(folder)))


if __name__ == "__main__":
    asyncio.run(guessers(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
