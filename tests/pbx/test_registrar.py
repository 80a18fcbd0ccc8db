"""RFC 3261 §10.3, RFC 3327, RFC 3608 and RFC 5626 §6, request by request."""

import pytest

from pbx.location import Cause, Location
from pbx.registrar import Arrival, Registered, Registrant, Registrar, RegistrarConfig
from pbx.sip.flows import FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request
from tests.support.quickness import least_seconds

DOMAIN, ALIASES = "clinic.example", frozenset({"192.0.2.100", "[2001:db8::1]"})
INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'
PHONE = Registrant("device-1", "1001")


class Desk:
    """A registrar, its location service, and a phone's way of asking."""

    def __init__(self, **config: object) -> None:
        self.location = Location()
        self.config = RegistrarConfig(**config)  # type: ignore[arg-type]
        self.registrar = Registrar(self.location, DOMAIN, self.config, aliases=ALIASES)
        self.now = 1000.0
        self.cseq = 0

    def ask(
        self,
        *contacts: str,
        flow: int = 1,
        phone: Registrant = PHONE,
        uri: str = "sip:clinic.example",
        **fields: str,
    ) -> Registered:
        self.cseq += 1
        headers = Headers(
            ("Via", "SIP/2.0/TLS 192.0.2.1:50000;branch=z9hG4bK1"),
            ("From", f"<sip:{phone.name}@clinic.example>;tag=a"),
            ("To", fields.pop("To", f"<sip:{phone.name}@clinic.example>")),
            ("Call-ID", fields.pop("call_id", "c1")),
            ("CSeq", fields.pop("cseq", str(self.cseq)) + " REGISTER"),
        )
        for contact in contacts:
            headers.add("Contact", contact)
        for name, value in fields.items():
            headers.add(name.replace("_", "-"), value)
        request = Request("REGISTER", uri, headers)
        arrival = Arrival(FlowId(flow), "node-1", "192.0.2.1")
        return self.registrar.register(request, phone, arrival, self.now)

    def status(self, *contacts: str, **fields: object) -> int:
        return self.ask(*contacts, **fields).response.status  # type: ignore[arg-type]

    def uris(self, phone: Registrant = PHONE) -> list[str]:
        return sorted(binding.uri for binding in self.location.bindings_of(phone.device))


A, B = "<sip:1001@192.0.2.1:50000>", "<sip:1001@192.0.2.2:50000>"


def test_a_contact_is_bound_to_its_flow_and_told_its_time():
    desk = Desk()
    done = desk.ask(f"{A};q=0.7;foo=bar", User_Agent="Phone/1")
    assert done.response.status == 200
    assert done.response.headers.all("Contact") == [
        "<sip:1001@192.0.2.1:50000>;q=0.7;foo=bar;expires=600"
    ]
    (binding,) = desk.location.bindings_of("device-1")
    assert (binding.flow, binding.node, binding.source) == (1, "node-1", "192.0.2.1")
    assert (binding.q, binding.user_agent, binding.expires_at) == (0.7, "Phone/1", 1600.0)
    assert [(c.is_new, c.is_first) for c in done.changes] == [(True, True)]


def test_what_cannot_be_answered_changes_nothing():
    desk = Desk()
    assert desk.status(A, Supported="path,,gruu") == 400
    assert desk.uris() == []


def test_a_user_agent_is_cut_to_a_length():
    desk = Desk()
    desk.ask(A, User_Agent="x" * 5000)
    assert len(desk.location.bindings_of("device-1")[0].user_agent) == 200


@pytest.mark.parametrize(
    ("uri", "to", "status"),
    [
        ("sip:clinic.example", "<sip:1001@clinic.example>", 200),
        ("sip:192.0.2.100", "<sip:1001@192.0.2.100>", 200),
        ("sip:[2001:DB8:0::1]:5061", "<sip:1001@[2001:db8::1]>", 200),
        ("sips:clinic.example", "<sips:1001@clinic.example>", 200),
        ("sip:elsewhere.example", "<sip:1001@clinic.example>", 404),
        ("tel:+15550100", "<sip:1001@clinic.example>", 404),
        ("sip:clinic.example", "<tel:+15550100>", 404),
        ("sip:clinic.example", "<sip:1001@elsewhere.example>", 403),
        ("sip:clinic.example", "<sip:1002@clinic.example>", 403),
        ("sip:clinic.example", "<sip:clinic.example>", 403),
    ],
)
def test_a_device_registers_itself_in_our_domain_and_nothing_else(uri, to, status):
    desk = Desk()
    assert desk.status(A, uri=uri, To=to) == status
    assert len(desk.location) == (status == 200)


@pytest.mark.parametrize(
    ("contact", "expires", "status", "granted"),
    [
        (A, None, 200, 600),
        (A, "120", 200, 120),
        (f"{A};expires=300", "120", 200, 300),
        (f"{A};expires=60", None, 200, 60),
        (f"{A};expires=59", None, 423, None),
        (A, "1", 423, None),
        (A, "10800", 200, 10_800),
        (A, "10801", 200, 10_800),
        (A, "4294967295", 200, 10_800),
        (f"{A};expires=soon", None, 200, 600),
    ],
)
def test_the_expiry_is_within_our_bounds(contact, expires, status, granted):
    desk = Desk()
    done = desk.ask(contact, **({"Expires": expires} if expires else {}))
    assert done.response.status == status
    if status == 423:
        assert done.response.headers.first("Min-Expires") == "60"
        assert len(desk.location) == 0
    else:
        assert done.response.contacts[0].expires == granted


def test_fetching_changes_nothing_and_tells_what_is_left():
    desk = Desk()
    desk.ask(A)
    desk.now += 100.4
    done = desk.ask()
    assert done.changes == []
    assert done.response.contacts[0].expires == 500
    desk.now += 10_000
    assert desk.ask().response.contacts[0].expires == 1  # due, but never "gone" in an answer


def test_refreshing_is_not_a_new_registration():
    desk = Desk()
    desk.ask(A)
    desk.now += 300
    done = desk.ask(A)
    assert [(c.is_new, c.is_first) for c in done.changes] == [(False, False)]
    assert desk.location.bindings_of("device-1")[0].expires_at == 1900.0


def test_contacts_are_compared_as_uris():
    desk = Desk()
    desk.ask("<sip:1001@PHONE.example;transport=TLS>")
    done = desk.ask("<sip:1001@phone.example;transport=tls>")
    assert [c.is_new for c in done.changes] == [False]


def test_expires_zero_removes_one_contact():
    desk = Desk()
    desk.ask(A, B)
    done = desk.ask(f"{A};expires=0")
    assert [c.cause for c in done.changes] == [Cause.UNREGISTERED]
    assert desk.uris() == ["sip:1001@192.0.2.2:50000"]
    assert desk.ask(f"{A};expires=0").changes == []  # not there: nothing to do


def test_a_star_removes_everything_of_this_device_alone():
    desk = Desk()
    other = Registrant("device-2", "1002")
    desk.ask(A, B)
    desk.ask(A, phone=other)
    done = desk.ask("*", Expires="0")
    assert done.response.status == 200
    assert [c.is_last for c in done.changes] == [False, True]
    assert desk.uris() == []
    assert desk.uris(other) == ["sip:1001@192.0.2.1:50000"]


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(["*"], None), (["*"], "600"), (["*", A], "0"), (["*, " + A], "0"), ([A, "*"], "0")],
)
def test_a_star_stands_alone_and_with_expires_zero(contacts, expires):
    desk = Desk()
    desk.ask(A)
    assert desk.status(*contacts, **({"Expires": expires} if expires else {})) == 400
    assert desk.uris() == ["sip:1001@192.0.2.1:50000"]


@pytest.mark.parametrize("contact", [A, f"{A};expires=0", "*"])
@pytest.mark.parametrize(
    ("call_id", "cseq", "status"),
    [("c1", "5", 500), ("c1", "4", 500), ("c1", "6", 200), ("c2", "1", 200)],
)
def test_an_older_request_of_the_same_phone_changes_nothing(contact, call_id, cseq, status):
    desk = Desk()
    desk.ask(A, cseq="5")
    before = desk.location.bindings_of("device-1")
    extra = {"Expires": "0"} if contact == "*" else {}
    assert desk.status(contact, call_id=call_id, cseq=cseq, **extra) == status
    assert (desk.location.bindings_of("device-1") == before) == (status == 500)


def test_one_bad_contact_spoils_the_whole_request():
    desk = Desk()
    for bad in ("<tel:+15550100>", "<sip:1001@192.0.2.2>;q=2", f"{B};expires=5", "<sip:@@>"):
        assert desk.status(A, bad) in (400, 423)
        assert desk.uris() == []


def test_a_contact_that_is_named_twice_is_refused():
    desk = Desk()
    desk.ask(A)
    assert desk.status(A, A) == 400


def test_two_devices_with_the_same_instance_do_not_evict_each_other():
    desk = Desk()
    other = Registrant("device-2", "1002")
    desk.ask(f"{A};reg-id=1;{INSTANCE}")
    desk.ask(f"{B};reg-id=1;{INSTANCE}", phone=other)
    assert desk.uris() == ["sip:1001@192.0.2.1:50000"]
    assert desk.uris(other) == ["sip:1001@192.0.2.2:50000"]


def test_outbound_replaces_by_instance_and_reg_id_whatever_the_contact():
    desk = Desk(flow_timer=25)
    desk.ask(f"{A};reg-id=1;{INSTANCE}", Supported="outbound, path", call_id="c1")
    done = desk.ask(f"{B};reg-id=1;{INSTANCE}", flow=2, call_id="c2")
    assert desk.uris() == ["sip:1001@192.0.2.2:50000"]
    assert done.response.require == ("outbound",)
    assert done.response.headers.first("Flow-Timer") == "25"
    desk.ask(f"{A};reg-id=2;{INSTANCE}", flow=3, call_id="c2")
    assert len(desk.uris()) == 2
    assert "Flow-Timer" not in Desk().ask(f"{A};reg-id=1;{INSTANCE}").response.headers


def test_reg_id_without_instance_is_no_outbound():
    desk = Desk()
    done = desk.ask(f"{A};reg-id=1")
    assert desk.location.bindings_of("device-1")[0].reg_id is None
    assert "Require" not in done.response.headers


def test_one_request_names_one_flow():
    desk = Desk()
    assert desk.status(f"{A};reg-id=1;{INSTANCE}", f"{B};reg-id=2;{INSTANCE}") == 400
    assert desk.status(f"{A};reg-id=0;{INSTANCE}") == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (None, 439),
        ("<sip:edge.example;lr>", 439),
        ("<tel:+15550100>", 439),
        ("<sip:core.example;lr>, <sip:edge.example;lr;ob>", 200),
        ("<sip:edge.example;lr;ob>, <sip:core.example;lr>", 439),
    ],
)
def test_an_edge_between_must_know_about_outbound(path, status):
    desk = Desk()
    fields = {"Via": "SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK0", "Supported": "path"}
    fields |= {"Path": path} if path else {}
    assert desk.status(f"{A};reg-id=1;{INSTANCE}", **fields) == status


def test_path_and_service_route_are_returned():
    desk = Desk(service_route=("<sip:clinic.example;lr>",))
    path = "<sip:edge.example;lr;ob>"
    done = desk.ask(A, Path=path, Supported="path")
    assert done.response.headers.all("Path") == [path]
    assert done.response.headers.all("Service-Route") == ["<sip:clinic.example;lr>"]
    assert desk.location.bindings_of("device-1")[0].path == (path,)
    assert "Path" not in desk.ask(A, Path=path).response.headers


def test_a_phone_that_came_back_on_a_new_flow_leaves_no_ghost():
    desk = Desk()
    desk.ask(A, flow=1)
    done = desk.ask(B, flow=2)
    assert desk.uris() == ["sip:1001@192.0.2.2:50000"]
    assert [type(c).__name__ for c in done.changes] == ["Unbound", "Bound"]
    assert done.changes[0].cause is Cause.REPLACED


def test_the_same_contact_on_a_new_flow_moves():
    desk = Desk()
    desk.ask(A, flow=1)
    desk.ask(A, flow=2)
    assert [b.flow for b in desk.location.bindings_of("device-1")] == [2]


def test_another_phone_of_the_device_and_an_outbound_flow_stay():
    desk = Desk()
    desk.ask(A, flow=1, call_id="other")
    desk.ask(f"<sip:1001@192.0.2.3>;reg-id=1;{INSTANCE}", flow=2)
    desk.ask(B, flow=3)
    assert len(desk.uris()) == 3


def test_the_oldest_contact_makes_room():
    desk = Desk(contacts_per_device=2)
    for port in (1, 2, 3):
        desk.now += 1
        done = desk.ask(f"<sip:1001@192.0.2.1:{port}>", call_id=f"c{port}")
    assert desk.uris() == ["sip:1001@192.0.2.1:2", "sip:1001@192.0.2.1:3"]
    assert done.changes[-1].cause is Cause.EVICTED


@pytest.mark.parametrize("in_one_line", [True, False])
def test_a_flood_of_contacts_is_refused_and_costs_little(in_one_line):
    desk = Desk()
    flood = [f"<sip:1001@192.0.2.1:{port}>" for port in range(1000)]
    contacts = [", ".join(flood)] if in_one_line else flood
    assert desk.status(*contacts) == 403
    assert least_seconds(lambda: desk.status(*contacts), 0.05) < 0.05
    assert len(desk.location) == 0
    assert desk.status(*flood[:5]) == 403


@pytest.mark.parametrize(
    "config",
    [
        {"min_expires": 0},
        {"min_expires": 700},
        {"max_expires": 10_801},
        {"max_expires": 500},
        {"min_expires": 3601, "default_expires": 3601},
        {"contacts_per_device": 0},
        {"contacts_per_device": 17},
    ],
)
def test_an_unsafe_configuration_is_refused(config):
    with pytest.raises(ValueError, match=r"expires|contacts"):
        RegistrarConfig(**config)


GRUU = '"sip:1001@clinic.example;gr=urn:uuid:00000000-0000-1000-8000-000a95a0e128"'


def test_a_gruu_is_given_to_who_asks_for_it_and_names_an_instance():
    desk = Desk()
    done = desk.ask(f"{A};{INSTANCE}", B, Supported="gruu, path")
    assert {c.uri_text: c.parameters.get("pub-gruu") for c in done.response.contacts} == {
        "sip:1001@192.0.2.1:50000": GRUU,
        "sip:1001@192.0.2.2:50000": None,
    }
    assert all("temp-gruu" not in contact.parameters for contact in done.response.contacts)
    assert "pub-gruu" not in str(desk.ask(f"{A};{INSTANCE}").response.headers.all("Contact"))
    assert desk.status(f"{A};{INSTANCE}", Require="gruu") == 200


def test_a_gruu_is_of_our_domain_whatever_the_phone_calls_us():
    desk = Desk()
    done = desk.ask(
        f"{A};{INSTANCE}", uri="sip:192.0.2.100", To="<sip:1001@192.0.2.100>", Supported="gruu"
    )
    [contact] = done.response.contacts
    assert contact.parameters.get("pub-gruu") == GRUU


def test_a_gruu_that_a_phone_sends_back_is_not_kept_beside_ours():
    desk = Desk()
    mine = f'{A};{INSTANCE};pub-gruu="sip:1002@clinic.example;gr=urn:x";temp-gruu="sip:t@x;gr"'
    done = desk.ask(mine, Supported="gruu")
    [contact] = done.response.contacts
    assert contact.parameters.get("pub-gruu") == GRUU and "temp-gruu" not in contact.parameters
