"""What a REGISTER costs between the bytes and TLS: challenge and answer, on flows that are open.

Stack, doorkeeper, gate, registrar and location service in this process, without a socket. CPU time;
the least of many short rounds, because what else the machine does can only add to it.
"""

from __future__ import annotations

import asyncio
from itertools import count
from time import process_time
from typing import cast
from uuid import UUID

from media.client import MediaClient
from pbx.access.authenticate import Doors, Gate
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.calls import Calls
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.identity import Place
from pbx.b2bua.snapshot import SnapshotKey
from pbx.b2bua.surroundings import Surroundings
from pbx.directory import DeviceEntry, Directory, Entries
from pbx.doorkeeper import Doorkeeper, Premises
from pbx.features.serve import serve
from pbx.location import Location
from pbx.reachable import RegisteredPhones
from pbx.registrar import Registrar
from pbx.signalling import CAPABILITIES, Agent, Parts, Signalling
from pbx.sip.digest import Algorithm, answer, ha1
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Response
from pbx.sip.parser import parse_message
from pbx.sip.shared import StackConfig
from pbx.sip.stack import Stack
from pbx.voicemail.lamps import Lamps

PHONES, ROUNDS = 100, 80
DOMAIN, SECRET = "clinic.example", "a-secret-of-a-test-phone"


class Desk:
    """The exchange's own parts for REGISTER, fed by hand."""

    def __init__(self) -> None:
        devices = tuple(
            DeviceEntry(
                id=UUID(int=n + 1), username=f"phone{n:05d}", place=Place.LOBBY,
                ha1=ha1(Algorithm.SHA_256, f"phone{n:05d}", DOMAIN, SECRET),
            )
            for n in range(PHONES)
        )  # fmt: skip
        directory = Directory(Entries(made_at=0, devices=devices))
        self.stack = Stack(StackConfig(capabilities=CAPABILITIES))
        location = Location()
        phones = RegisteredPhones(location)
        self.loop = asyncio.get_running_loop()
        doors = Doors(
            realm=DOMAIN, devices=lambda: directory, nonces=Nonces(b"k" * 32),
            lockout=Lockout(LockoutConfig()), clock=lambda: 0, failed=print,
        )  # fmt: skip
        doorkeeper = Doorkeeper(
            Premises(
                gate=Gate(doors), phones=phones, facts=self.stack.facts,
                owner=lambda _: None, authenticated=self.stack.flow_authenticated,
                surplus=lambda flow: None,
            )
        )  # fmt: skip
        self.stack.guard(doorkeeper)
        agent = Agent(self.stack, lambda: None)
        around = Surroundings(
            agent=agent, phones=phones, media=MediaClient({}), directory=lambda: directory,
            snapshots=SnapshotKey(bytes(32)), clock=lambda: 0, config=CallsConfig(), domain=DOMAIN,
        )  # fmt: skip
        self.signalling = Signalling(
            Parts(
                agent=agent, doorkeeper=doorkeeper, location=location,
                registrar=Registrar(location, DOMAIN),
                calls=Calls(around, serve, lambda _: None, lambda _: None),
                lamps=cast(Lamps, None),  # nobody subscribes here
                directory=lambda: directory, changed=lambda change, seconds: None,
            )
        )  # fmt: skip
        for n in range(PHONES):
            peer = ("192.0.2.1", 40_000 + n)
            facts = FlowFacts(local=("192.0.2.9", 5061), peer=peer, listener="sha256")
            self.stack.flow_opened(FlowId(n), facts)

    def say(self, messages: list[bytes]) -> tuple[float, list[bytes]]:
        """One from each phone: seconds of CPU, and what was answered."""
        answers: list[bytes] = []
        start = process_time()
        for n, message in enumerate(messages):
            self.stack.receive(FlowId(n), message, self.loop.time())
            for event in self.stack.events():
                self.signalling.deliver(event)
            answers += [data for _, data in self.stack.outgoing()]
            self.stack.next_deadline()
        return process_time() - start, answers


def register(n: int, cseq: int, authorization: str = "") -> bytes:
    """As a soft phone sends it."""
    user, port = f"phone{n:05d}", 40_000 + n
    return (
        f"REGISTER sip:{DOMAIN} SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 192.0.2.1:{port};rport;branch=z9hG4bKPj{n:016x}{cseq:08x}\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{user}@{DOMAIN}>;tag={n:08x}{cseq:08x}\r\nTo: <sip:{user}@{DOMAIN}>\r\n"
        f"Call-ID: {n:032x}\r\nCSeq: {cseq} REGISTER\r\nUser-Agent: bench phone 1.0\r\n"
        f"Contact: <sip:{user}@192.0.2.1:{port};transport=TLS;ob>\r\nExpires: 600\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    ).encode()


def proof(n: int, challenged: bytes) -> str:
    response = parse_message(challenged)
    assert isinstance(response, Response) and response.status == 401
    [challenge] = response.challenges("WWW-Authenticate")
    request = ("REGISTER", f"sip:{DOMAIN}")
    made = answer(challenge, f"phone{n:05d}", SECRET, request, cnonce="abcdabcd")
    return f"Authorization: {made}\r\n"


async def _run() -> None:
    desk, numbers = Desk(), count(1)
    challenges, answers = [], []
    for _ in range(ROUNDS):
        cseq = next(numbers)
        spent, said = desk.say([register(n, cseq) for n in range(PHONES)])
        challenges.append(spent)
        cseq = next(numbers)
        spent, said = desk.say([register(n, cseq, proof(n, said[n])) for n in range(PHONES)])
        answers.append(spent)
        assert all(message.startswith(b"SIP/2.0 200 ") for message in said)
    desk.signalling.close()
    first, second = (min(found) / PHONES * 1e6 for found in (challenges, answers))
    print(
        f"REGISTER without TLS: challenge {first:.0f} µs, answer {second:.0f} µs, "
        f"both {first + second:.0f} µs of CPU"
    )


def run() -> None:
    asyncio.run(_run())


if __name__ == "__main__":
    run()
