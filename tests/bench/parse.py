"""Parsing: a 700-byte INVITE and the fields that routing reads, beside sipmessage; and admission.

CPU time of this process. The least of many short runs, because what else the machine does can
only add; the median stands beside it.
"""

from collections.abc import Callable
from statistics import median
from time import process_time
from uuid import UUID

import sipmessage

from pbx.access.authenticate import Admitted, Doors, Gate
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.identity import Place
from pbx.directory import DeviceEntry, Directory, Entries
from pbx.sip.digest import Algorithm, answer, ha1
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response
from pbx.sip.parser import parse_message

MESSAGES, RUNS = 200, 40
SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n" + bytes(60)


def invite(number: int) -> bytes:
    """As a soft phone sends it; no two are alike in branch, tag and Call-ID."""
    return (
        f"INVITE sip:100{number % 9}@pbx.clinic.example;transport=tls SIP/2.0\r\n"
        f"Via: SIP/2.0/TLS 192.168.1.{number % 200}:51234;rport;branch=z9hG4bKPj{number:028x}\r\n"
        "Max-Forwards: 70\r\n"
        f'From: "Alice Example" <sip:1001@pbx.clinic.example>;tag={number:028x}\r\n'
        f"To: <sip:100{number % 9}@pbx.clinic.example>\r\n"
        f"Contact: <sip:1001@192.168.1.{number % 200}:51234;transport=TLS;ob>\r\n"
        f"Call-ID: {number:032x}\r\n"
        f"CSeq: {number % 9999} INVITE\r\n"
        "Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER\r\n"
        "Supported: replaces, 100rel, timer, norefersub\r\n"
        "Session-Expires: 1800\r\nMin-SE: 90\r\n"
        "Content-Type: application/sdp\r\n"
        f"Content-Length:   {len(SDP)}\r\n\r\n"
    ).encode() + SDP


def route(data: bytes) -> object:
    """What routing reads."""
    message = parse_message(data)
    assert isinstance(message, Request)
    via, cseq, uri = message.via, message.cseq, message.uri
    return (
        *(via.branch, via.sent_by, via.transport, cseq.number, cseq.method, message.call_id),
        *(message.from_.tag, message.to.tag, uri, message.max_forwards, "Route" in message.headers),
    )


def route_by_sipmessage(data: bytes) -> object:
    message = sipmessage.Message.parse(data)
    via, cseq, uri = message.via[0], message.cseq, message.uri
    return (
        *(via.parameters.get("branch"), via.host, via.transport, cseq.sequence, cseq.method),
        *(message.call_id, message.from_address.parameters.get("tag")),
        *(message.to_address.parameters.get("tag"), uri, message.max_forwards, message.route),
    )


def measure(what: str, work: Callable[[bytes], object], inputs: list[bytes]) -> None:
    spent = []
    for _ in range(RUNS):
        start = process_time()
        for each in inputs:
            work(each)
        spent.append((process_time() - start) / len(inputs) * 1e6)
    print(f"{what:44} {min(spent):6.1f} µs  (median {median(spent):.1f})")


def run() -> None:
    inputs = [invite(number) for number in range(MESSAGES)]
    print(f"INVITE of {len(inputs[0])} bytes")
    measure("parse_message", parse_message, inputs)
    measure("parse_message and the fields routing reads", route, inputs)
    measure("sipmessage and the same fields", route_by_sipmessage, inputs)
    measure("parse and write", lambda data: parse_message(data).encode(), inputs)
    admission()


def admission() -> None:
    """A REGISTER challenged, and its answer admitted: parsing included, stack and TLS not."""
    name, realm, flow = "p123456789", "pbx.clinic.example", FlowId(1)
    facts = FlowFacts(local=("192.0.2.9", 5061), peer=("192.0.2.1", 1), listener="sha256")
    secret = ha1(Algorithm.SHA_256, name, realm, "secret")
    device = DeviceEntry(id=UUID(int=1), username=name, place=Place.LOBBY, ha1=secret)
    directory = Directory(Entries(made_at=0, devices=(device,)))
    gate = Gate(
        Doors(
            realm=realm,
            devices=lambda: directory,
            nonces=Nonces(b"k" * 32),
            lockout=Lockout(LockoutConfig()),
            clock=lambda: 0,
            failed=lambda failure: None,
        )
    )
    bare = Request("REGISTER", f"sip:{realm}", register_fields(name, realm))

    def admit(data: bytes) -> Admitted | Response:
        request = parse_message(data)
        assert isinstance(request, Request)
        return gate.admit(flow, facts, request, 1.0)

    challenged = admit(bare.encode())
    assert isinstance(challenged, Response)
    (challenge,) = challenged.challenges("WWW-Authenticate")
    answered = []
    for nc in range(1, MESSAGES * RUNS + 1):
        proof = answer(challenge, name, "secret", ("REGISTER", f"sip:{realm}"), cnonce="c", nc=nc)
        bare.headers.set("Authorization", str(proof))
        answered.append(bare.encode())
    bare.headers.remove("Authorization")
    measure("REGISTER parsed and challenged", admit, [bare.encode()] * MESSAGES)
    rest = iter(answered)
    measure("REGISTER parsed and admitted", lambda _: admit(next(rest)), [b""] * MESSAGES)


def register_fields(name: str, realm: str) -> Headers:
    return Headers(
        ("Via", "SIP/2.0/TLS 192.168.1.9:51234;rport;branch=z9hG4bKPj1234567890"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:{name}@{realm}>;tag=1234567890"),
        ("To", f"<sip:{name}@{realm}>"),
        ("Call-ID", "12345678901234567890"),
        ("CSeq", "1 REGISTER"),
        ("Contact", "<sip:p123456789@192.168.1.9:51234;transport=TLS>"),
        ("Expires", "600"),
    )
