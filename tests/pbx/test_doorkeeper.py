"""Who must prove what before the stack does anything, by flow and dialog."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import pytest

from pbx.access.authenticate import Admitted
from pbx.doorkeeper import Doorkeeper, Premises
from pbx.location import Binding, Location
from pbx.reachable import MOST_FLOWS, RegisteredPhones
from pbx.sip.dialog import Dialog
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from tests.support.pair import ALICE, EXCHANGE, answer, facts, request

HERS, HIS = UUID(int=1), UUID(int=2)
FIRST, SECOND = FlowId(1), FlowId(2)
DIALOG = Dialog.as_uas(request("INVITE"), answer(request("INVITE"), 200))


@dataclass
class Desk:
    """A gate that knows one device on each flow, and the doorkeeper before it."""

    at: dict[FlowId, UUID] = field(default_factory=dict)
    owner: UUID | None = HERS
    asked: list[FlowId] = field(default_factory=list)
    authenticated: list[FlowId] = field(default_factory=list)
    gone: list[FlowId] = field(default_factory=list)
    surplus: list[FlowId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.location = Location()
        self.phones = RegisteredPhones(self.location)
        self.open = {FIRST: facts(EXCHANGE, ALICE), SECOND: facts(EXCHANGE, ALICE)}
        self.keeper = Doorkeeper(
            Premises(
                gate=self,
                phones=self.phones,
                facts=self.open.get,
                owner=lambda _: self.owner,
                authenticated=self.authenticated.append,
                surplus=self.surplus.append,
            )
        )

    def admit(
        self, flow: FlowId, facts: FlowFacts, request: Request, now: float
    ) -> Admitted | Response:
        self.asked.append(flow)
        device = self.at.get(flow)
        return Admitted(device, "digest") if device else response_to(request, 401)

    def closed(self, flow: FlowId) -> None:
        self.gone.append(flow)

    def says(self, method: str, dialog: Dialog | None = None, flow: FlowId = FIRST) -> object:
        """The status of a refusal, or the sender."""
        uri = "sip:911@clinic.example" if method == "911" else "sip:1002@clinic.example"
        said = Request("INVITE" if method == "911" else method, uri, request("INVITE").headers)
        verdict = self.keeper.admit(flow, said, dialog, 0.0)
        return verdict.status if isinstance(verdict, Response) else verdict


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_who_begins_something_proves_who_they_are(method: str) -> None:
    desk = Desk()
    assert desk.says(method) == 401
    assert desk.authenticated == [] and desk.phones.proved(FIRST) is None
    desk.at[FIRST] = HERS
    assert desk.says(method) == Admitted(HERS, "digest")
    assert desk.authenticated == [FIRST] and desk.phones.proved(FIRST) == Admitted(HERS, "digest")


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE"])
def test_what_begins_nothing_needs_no_proof(method: str) -> None:
    desk = Desk()
    assert desk.says(method) is None
    assert desk.asked == []


def test_in_its_call_a_device_is_asked_once_on_each_flow() -> None:
    desk = Desk(at={FIRST: HERS, SECOND: HERS})
    assert desk.says("BYE", DIALOG) == Admitted(HERS, "digest")
    assert desk.says("BYE", DIALOG) is None
    assert desk.says("BYE", DIALOG, SECOND) == Admitted(HERS, "digest")
    assert desk.asked == [FIRST, SECOND]


def test_in_a_call_of_others_the_right_password_does_not_help() -> None:
    desk = Desk(at={SECOND: HIS})
    assert desk.says("BYE", DIALOG) == 401
    assert desk.says("BYE", DIALOG, SECOND) == 403
    assert desk.says("BYE", DIALOG, SECOND) == 403


def test_a_dialog_whose_call_is_over_takes_nothing() -> None:
    desk = Desk(at={FIRST: HERS}, owner=None)
    assert desk.says("BYE", DIALOG) == 481
    assert not desk.keeper.knows(FIRST, DIALOG)
    assert desk.asked == []


def test_a_flow_is_the_dialogs_once_its_device_proved_itself_there() -> None:
    desk = Desk(at={FIRST: HERS, SECOND: HIS})
    assert not desk.keeper.knows(FIRST, DIALOG)
    desk.says("REGISTER")
    desk.says("REGISTER", flow=SECOND)
    assert desk.keeper.knows(FIRST, DIALOG)
    assert not desk.keeper.knows(SECOND, DIALOG)


def test_what_is_said_again_goes_where_the_dialogs_device_is_by_now() -> None:
    desk = Desk(at={FIRST: HERS, SECOND: HERS})
    desk.says("REGISTER")
    assert desk.keeper.way_to(DIALOG, FIRST) == FIRST
    desk.says("REGISTER", flow=SECOND)
    assert desk.keeper.way_to(DIALOG, FIRST) == SECOND
    desk.owner = None
    assert desk.keeper.way_to(DIALOG, FIRST) == FIRST


def test_a_device_that_opens_ever_more_flows_loses_the_oldest_without_a_registration() -> None:
    flows = [FlowId(n) for n in range(1, MOST_FLOWS + 4)]
    desk = Desk(at=dict.fromkeys(flows, HERS) | {FlowId(99): HIS})
    desk.open |= dict.fromkeys([*flows, FlowId(99)], facts(EXCHANGE, ALICE))
    desk.says("REGISTER", flow=FlowId(99))
    for flow in flows[:MOST_FLOWS]:
        desk.says("REGISTER", flow=flow)
    assert desk.surplus == []
    for flow in (FIRST, FlowId(3)):
        desk.location.bind(
            Binding(
                device=str(HERS), node="a", flow=flow, uri="sip:x", call_id=str(flow), cseq=1,
                expires_at=9e9, since=0.0, seen=0.0,
            )
        )  # fmt: skip
    for flow in flows[MOST_FLOWS:]:
        desk.says("REGISTER", flow=flow)
    assert desk.surplus == [SECOND, FlowId(4), FlowId(5)]
    for flow in desk.surplus:
        desk.keeper.closed(flow)
    left = [flow for flow in flows if flow not in desk.surplus]
    assert desk.phones.flows_of(HERS) == left and len(left) == MOST_FLOWS
    for flow in (*left, FIRST):
        desk.keeper.closed(flow)
    assert desk.phones.flows_of(HERS) == []
    assert desk.phones.flows_of(HIS) == [FlowId(99)]


def test_whoever_proves_to_be_another_on_a_flow_is_the_first_no_longer() -> None:
    desk = Desk(at={FIRST: HERS})
    desk.says("REGISTER")
    desk.at[FIRST] = HIS
    desk.says("REGISTER")
    assert (desk.phones.flows_of(HERS), desk.phones.flows_of(HIS)) == ([], [FIRST])


def test_help_is_called_without_a_challenge_where_the_phone_is_registered() -> None:
    desk = Desk(at={FIRST: HERS})
    assert desk.says("911", flow=SECOND) == 401
    desk.says("REGISTER")
    desk.asked.clear()
    assert desk.says("911") == Admitted(HERS, "digest") and desk.asked == [FIRST]  # not bound yet
    desk.location.bind(
        Binding(
            device=str(HERS), node="n", flow=FIRST, uri="sip:a@b", call_id="c", cseq=1,
            expires_at=60.0, since=0.0, seen=0.0,
        )
    )  # fmt: skip
    desk.asked.clear()
    del desk.at[FIRST]
    assert desk.says("911") == Admitted(HERS, "digest") and desk.asked == []
    assert desk.says("INVITE") == 401


def test_a_flow_that_closed_has_proved_nothing() -> None:
    desk = Desk(at={FIRST: HERS})
    desk.says("REGISTER")
    desk.keeper.closed(FIRST)
    assert desk.gone == [FIRST] and desk.phones.proved(FIRST) is None
    del desk.open[FIRST]
    assert desk.says("REGISTER") == 403
