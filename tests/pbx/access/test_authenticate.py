"""Who sent a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import pytest

from pbx.access.authenticate import Admitted, Doors, Failure, Gate, Reason
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.identity import Place
from pbx.directory import DeviceEntry, Directory, Entries
from pbx.sip.credentials import Challenge, Credentials
from pbx.sip.digest import Algorithm, answer, ha1
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response

REALM = "clinic.example"
URI = "sip:clinic.example"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
MODERN, OLD, CARD, LAPSED = (UUID(int=n) for n in range(1, 5))


def device(number: UUID, name: str, algorithm: Algorithm, **more: object) -> DeviceEntry:
    secret = ha1(algorithm, name, REALM, f"secret of {name}")
    values = {"algorithm": algorithm.value, "ha1": secret, "place": Place.LOBBY, **more}
    return DeviceEntry(id=number, username=name, **values)


DIRECTORY = Directory(
    Entries(
        made_at=0,
        devices=(
            device(MODERN, "modern", Algorithm.SHA_256),
            device(OLD, "old", Algorithm.MD5, md5_until=1_000),
            device(LAPSED, "lapsed", Algorithm.MD5, md5_until=1),
            device(CARD, "card", Algorithm.SHA_256, ha1=b"", certificate="sip:card@clinic"),
        ),
    )
)


def facts(
    listener: str = "sha256", source: str = HERE, certificate: str | None = None
) -> FlowFacts:
    return FlowFacts(
        local=("192.0.2.9", 5061), peer=(source, 40000), listener=listener, certificate=certificate
    )


@dataclass
class House:
    """A gate, and phones that come to it."""

    failures: list[Failure] = field(default_factory=list)
    now: float = 100.0

    def __post_init__(self) -> None:
        self.lockout = Lockout(LockoutConfig(failures=3, decay_seconds=60))
        self.nonces = Nonces(b"k" * 32)
        self.gate = Gate(
            Doors(
                realm=REALM,
                devices=lambda: DIRECTORY,
                nonces=self.nonces,
                lockout=self.lockout,
                clock=lambda: 500,
                failed=self.failures.append,
            )
        )

    def ask(
        self,
        *credentials: Credentials | str,
        flow: int = 1,
        to: FlowFacts | None = None,
        method: str = "REGISTER",
    ) -> Admitted | Response:
        fields = [("Authorization", str(each)) for each in credentials]
        request = Request(method, URI, Headers(("Via", "SIP/2.0/TLS h"), ("To", URI), *fields))
        return self.gate.admit(FlowId(flow), to or facts(), request, self.now)

    def challenge(self, flow: int = 1, to: FlowFacts | None = None) -> Challenge:
        return challenge_in(self.ask(flow=flow, to=to))

    def proof(
        self,
        name: str,
        *,
        flow: int = 1,
        to: FlowFacts | None = None,
        password: str = "",
        nc: int = 1,
    ) -> Credentials:
        challenge = self.challenge(flow, to)
        password = password or f"secret of {name}"
        return answer(challenge, name, password, ("REGISTER", URI), cnonce="c", nc=nc)

    def log_in(
        self, name: str, *, flow: int = 1, to: FlowFacts | None = None
    ) -> Admitted | Response:
        return self.ask(self.proof(name, flow=flow, to=to), flow=flow, to=to)

    def fail(self, name: str, *, flow: int = 1, to: FlowFacts | None = None) -> Challenge:
        proof = self.proof(name, flow=flow, to=to, password="wrong")
        return challenge_in(self.ask(proof, flow=flow, to=to))

    @property
    def reasons(self) -> list[Reason]:
        return [failure.reason for failure in self.failures]


def challenge_in(verdict: Admitted | Response) -> Challenge:
    assert isinstance(verdict, Response)
    assert verdict.status == 401
    (challenge,) = verdict.challenges("WWW-Authenticate")
    return challenge


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(("listener", "algorithm"), [("sha256", "SHA-256"), ("md5", "MD5")])
def test_a_listener_offers_exactly_one_algorithm_to_everybody(
    house: House, listener: str, algorithm: str
) -> None:
    challenge = house.challenge(to=facts(listener))

    assert (challenge.algorithm, challenge.qop, challenge.realm) == (algorithm, ("auth",), REALM)
    assert not challenge.is_stale
    assert house.failures == []


def test_a_phone_with_the_right_secret_is_admitted(house: House) -> None:
    assert house.log_in("modern") == Admitted(MODERN, "digest SHA-256")
    assert house.log_in("old", to=facts("md5")) == Admitted(OLD, "digest MD5")
    assert house.failures == []


def test_a_nonce_serves_for_many_requests_each_count_once(house: House) -> None:
    challenge = house.challenge()
    one, two = (
        answer(challenge, "MODERN", "secret of modern", ("REGISTER", URI), cnonce="c", nc=nc)
        for nc in (1, 2)
    )
    # the name in the hash is the phone's spelling, the look-up folds case: this must not verify
    assert isinstance(house.ask(one), Response)
    house.failures.clear()
    one, two = (
        answer(challenge, "modern", "secret of modern", ("REGISTER", URI), cnonce="c", nc=nc)
        for nc in (1, 2)
    )

    assert isinstance(house.ask(one), Admitted)
    assert isinstance(house.ask(two), Admitted)
    assert challenge_in(house.ask(two)).is_stale
    assert house.reasons == [Reason.REPLAYED]


def test_a_nonce_of_another_flow_or_too_old_is_stale_and_no_failure(house: House) -> None:
    proof = house.proof("modern", flow=1)

    assert challenge_in(house.ask(proof, flow=2)).is_stale
    house.now += 4_000
    assert challenge_in(house.ask(proof, flow=1)).is_stale
    assert house.failures == []


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(house: House) -> None:
    wrong, unknown = house.fail("modern"), house.fail("nobody")

    assert msgspec.structs.replace(wrong, nonce="") == msgspec.structs.replace(unknown, nonce="")
    assert house.reasons == [Reason.WRONG_SECRET, Reason.UNKNOWN_NAME]
    assert [failure.device for failure in house.failures] == [MODERN, None]
    assert {failure.source for failure in house.failures} == {HERE}


@pytest.mark.parametrize(
    ("name", "listener", "password"),
    [
        ("modern", "md5", "secret of modern"),
        ("old", "sha256", "secret of old"),
        ("lapsed", "md5", "secret of lapsed"),
        ("card", "sha256", "anything"),
    ],
)
def test_a_device_is_refused_where_it_has_no_business(
    house: House, name: str, listener: str, password: str
) -> None:
    proof = house.proof(name, to=facts(listener), password=password)

    assert not challenge_in(house.ask(proof, to=facts(listener))).is_stale
    assert house.reasons == [Reason.NOT_FOR_THIS_LISTENER]


def test_one_of_several_credentials_is_enough(house: House) -> None:
    right = house.proof("modern")
    wrong = msgspec.structs.replace(right, response="0" * 64)
    foreign = msgspec.structs.replace(right, realm="elsewhere")
    md5 = msgspec.structs.replace(right, algorithm="MD5")

    assert isinstance(house.ask("Basic YTpi", foreign, md5, wrong, right), Admitted)
    assert house.reasons == [Reason.WRONG_SECRET]  # each line is a guess that counts


def test_each_line_counts_towards_the_lock_of_its_own_name(house: House) -> None:
    def guess(name: str) -> Credentials:
        return house.proof(name, password="wrong")

    for _ in range(2):
        house.ask(guess("modern"), guess("modern"), guess("junk"))
    assert [failure.device for failure in house.failures if failure.locked] != []
    assert house.log_in("modern", flow=2) is not None
    assert isinstance(house.log_in("modern", flow=2), Response)


def test_guesses_before_credentials_of_ones_own_are_counted(house: House) -> None:
    right = house.proof("modern")
    assert isinstance(house.ask(right, house.proof("junk", password="wrong")), Admitted)
    again = msgspec.structs.replace(right)
    assert isinstance(house.ask(house.proof("junk"), house.proof("modern"), again), Admitted)
    assert house.reasons == [Reason.UNKNOWN_NAME] * 2


def test_credentials_beyond_the_first_few_are_not_looked_at(house: House) -> None:
    right = house.proof("modern")
    wrong = msgspec.structs.replace(right, response="0" * 64)

    assert isinstance(house.ask(wrong, wrong, wrong, right), Response)


def test_a_stale_nonce_beside_a_failure_is_a_failure(house: House) -> None:
    stale = house.proof("modern", flow=2)
    wrong = house.proof("modern", password="wrong")

    assert not challenge_in(house.ask(wrong, stale)).is_stale
    assert house.reasons == [Reason.WRONG_SECRET]


def test_credentials_for_another_realm_or_algorithm_are_as_none(house: House) -> None:
    right = house.proof("modern")

    for change in ({"realm": "x"}, {"algorithm": "MD5"}, {"algorithm": "SHA-256-sess"}):
        challenge_in(house.ask(msgspec.structs.replace(right, **change)))
    assert house.failures == []


def test_broken_credentials_are_a_bad_request(house: House) -> None:
    for broken in ("Digest x", house.proof("modern").__str__().replace(URI, "not a uri")):
        verdict = house.ask(broken)
        assert isinstance(verdict, Response)
        assert verdict.status == 400


def test_credentials_name_the_request_uri_but_for_port_and_parameters(house: House) -> None:
    challenge = house.challenge()

    def ask(uri: str, nc: int) -> Admitted | Response:
        proof = answer(
            challenge, "modern", "secret of modern", ("REGISTER", uri), cnonce="c", nc=nc
        )
        return house.ask(proof)

    assert isinstance(ask("sips:CLINIC.example:5061;transport=tls", 1), Admitted)
    for other in ("sip:other.example", "sip:a@clinic.example", "tel:+1"):
        verdict = ask(other, 2)
        assert isinstance(verdict, Response)
        assert verdict.status == 400


@pytest.mark.parametrize("change", [{"qop": None}, {"nc": None}, {"cnonce": None}, {"nc": 0}])
def test_a_proof_that_could_be_replayed_is_a_failure(house: House, change: dict[str, None]) -> None:
    challenge_in(house.ask(msgspec.structs.replace(house.proof("modern"), **change)))

    assert house.reasons == [Reason.WRONG_SECRET]


def test_failures_lock_a_name_for_one_source_and_say_so_once(house: House) -> None:
    for _ in range(5):
        house.fail("modern")

    assert house.reasons == [Reason.WRONG_SECRET] * 3
    assert [failure.locked for failure in house.failures] == [False, False, True]
    challenge_in(house.log_in("modern"))
    assert isinstance(house.log_in("modern", flow=2, to=facts(source=ELSEWHERE)), Admitted)
    house.now += 90
    assert isinstance(house.log_in("modern"), Admitted)


def test_bare_challenges_and_stale_nonces_lock_nobody(house: House) -> None:
    for _ in range(20):
        house.ask(house.proof("modern", flow=2), flow=1)

    assert len(house.lockout) == 0
    assert isinstance(house.log_in("modern"), Admitted)


def test_an_unknown_name_is_locked_like_a_known_one(house: House) -> None:
    for _ in range(5):
        house.fail("nobody")

    assert house.reasons == [Reason.UNKNOWN_NAME] * 3
    assert house.failures[-1].locked


def test_a_flow_on_which_the_device_proved_itself_is_never_locked(house: House) -> None:
    assert isinstance(house.log_in("modern", flow=7), Admitted)
    for _ in range(5):
        house.fail("modern", flow=1)
    challenge_in(house.log_in("modern", flow=1))

    assert isinstance(house.log_in("modern", flow=7), Admitted)

    house.gate.closed(FlowId(7))
    challenge_in(house.log_in("modern", flow=7))
    assert len(house.nonces) == 0


def test_a_client_certificate_is_its_device_and_is_never_locked(house: House) -> None:
    mine = facts("certificate", certificate="sip:card@clinic")
    for _ in range(5):
        house.fail("card")

    assert house.ask(to=mine) == Admitted(CARD, "certificate")


def test_a_certificate_that_is_no_devices_is_refused(house: House) -> None:
    verdict = house.ask(to=facts("certificate", certificate="sip:stranger@clinic"))

    assert isinstance(verdict, Response)
    assert verdict.status == 403
    assert house.failures == [Failure(Reason.UNKNOWN_CERTIFICATE, None, HERE, "certificate")]


def test_a_listener_that_offers_nothing_refuses(house: House) -> None:
    verdict = house.ask(to=facts("certificate"))

    assert isinstance(verdict, Response)
    assert verdict.status == 403
    assert house.failures == []
