"""RFC 3261 §8.2, in its order."""

import pytest
from msgspec.structs import replace

from pbx.sip.checks import METHODS, Capabilities, inspect, options
from pbx.sip.errors import PeerError
from pbx.sip.message import response_to
from pbx.sip.multipart import Part, write
from tests.support.pair import request

CAN = Capabilities()


def status(
    method: str = "INVITE",
    *fields: tuple[str, str],
    merged: bool = False,
    body: bytes = b"",
    uri: str = "sip:1002@clinic.example",
) -> int | None:
    asked = request(method, *fields, body=body)
    asked.uri = uri
    refusal = inspect(asked, CAN, is_merged=merged)
    return refusal and refusal.status


UNKNOWN = ("Require", "timer, teleport, levitate")
BAD_BODY = {"body": b"<xml/>"}


def test_the_first_reason_wins():
    """Method, then Request-URI, then merging, then Require, then the body."""
    kind = ("Content-Type", "text/xml")
    assert status("FOO", UNKNOWN, kind, merged=True, uri="http://a", **BAD_BODY) == 405
    assert status("INVITE", UNKNOWN, kind, merged=True, uri="http://a", **BAD_BODY) == 416
    assert status("INVITE", UNKNOWN, kind, merged=True, **BAD_BODY) == 482
    assert status("INVITE", UNKNOWN, kind, **BAD_BODY) == 420
    assert status("INVITE", kind, **BAD_BODY) == 415
    assert status("INVITE") is None


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "SUBSCRIBE", "REFER"])
@pytest.mark.parametrize("name", ["Supported", "Allow"])
@pytest.mark.parametrize("value", ["@@@", "timer,,100rel", "<>"])
def test_abilities_that_cannot_be_read_are_not_said(method, name, value):
    asked = request(method)
    asked.headers.set("Supported", "timer")
    asked.headers.set("Allow", "INVITE, BYE")
    asked.headers.set(name, value)
    assert inspect(asked, CAN, is_merged=False) is None
    said = {"Supported": ("timer",), "Allow": ("INVITE", "BYE")} | {name: ()}
    assert (asked.supported, asked.allow) == (said["Supported"], said["Allow"])


def test_of_a_registration_only_what_is_needed_is_read():
    asked = request("REGISTER", ("Supported", ",,"), ("Allow", ";;"))
    assert inspect(asked, CAN, is_merged=False) is None
    assert asked.supported == ()
    assert asked.headers.first("Allow") == ";;"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_ours_passes(method):
    assert status(method) is None


@pytest.mark.parametrize("uri", ["sip:a@b", "SIPS:a@b", "tel:+15550100"])
def test_sip_sips_and_tel_are_understood(uri):
    assert status("INVITE", uri=uri) is None


def test_a_405_says_what_is_allowed():
    refusal = inspect(request("FOO"), CAN, is_merged=False)
    assert refusal is not None and refusal.allow == METHODS


def test_a_420_names_what_is_unsupported_and_nothing_else():
    refusal = inspect(request("INVITE", UNKNOWN), CAN, is_merged=False)
    assert refusal is not None
    assert refusal.headers.first("Unsupported") == "teleport, levitate"
    assert status("INVITE", ("Require", "timer, 100rel")) is None


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("INVITE", [("Content-Type", "application/SDP; charset=utf-8")], None),
        ("INVITE", [("Content-Type", "text/xml")], 415),
        ("INVITE", [("Content-Type", "")], 415),
        ("UPDATE", [("Content-Type", "")], 415),
        ("INFO", [("Content-Type", "")], None),
        ("INFO", [("Content-Type", "application/dtmf-relay")], None),
        ("INFO", [("Content-Type", "application/dtmf")], None),
        ("INFO", [("Content-Type", "application/dtmf-other")], 415),
        ("INVITE", [("Content-Type", "text/xml"),
                    ("Content-Disposition", "render; Handling = optional")], None),
        ("INVITE", [("Content-Encoding", "gzip")], 415),
        ("INVITE", [("Content-Encoding", "Identity")], None),
    ],
)  # fmt: skip
def test_a_body_must_be_understood_unless_it_is_optional(method, fields, expected):
    assert status(method, *fields, body=b"v=0") == expected


def test_a_415_says_what_is_accepted():
    kind = inspect(request("INVITE", ("Content-Type", "a/b"), body=b"x"), CAN, is_merged=False)
    assert kind is not None and kind.headers.first("Accept") == ", ".join(CAN.accept)
    packed = inspect(request("INVITE", ("Content-Encoding", "gzip"), body=b"x"), CAN,
                     is_merged=False)  # fmt: skip
    assert packed is not None and packed.headers.first("Accept-Encoding") == "identity"


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE"])
@pytest.mark.parametrize("contact", [None, "<sip:a@b>, <sip:c@d>", "*"])
def test_what_makes_a_dialog_names_one_target(method, contact):
    asked = request(method)
    asked.headers.remove("Contact")
    if contact:
        asked.headers.add("Contact", contact)
    with pytest.raises(PeerError, match="one target"):
        inspect(asked, CAN, is_merged=False)


def test_options_are_answered_with_all_we_can():
    answer = options(request("OPTIONS"), CAN)
    assert (answer.status, answer.allow, answer.supported) == (200, METHODS, CAN.extensions)
    assert answer.headers.first("Accept") == ", ".join(CAN.accept)


def test_what_is_said_already_is_not_said_again():
    answer = response_to(request(), 200)
    answer.headers.add("Allow", "INVITE")
    answer.headers.add("Supported", "timer")
    CAN.describe(answer)
    assert (answer.allow, answer.supported) == (("INVITE",), ("timer",))


SDP = Part(content_type="application/sdp", body=b"v=0")
PICTURE = Part(content_type="image/png", body=b"x")


@pytest.mark.parametrize(
    ("beside", "urgent", "expected"),
    [
        (PICTURE, False, 415),
        (PICTURE, True, None),
        (replace(PICTURE, is_optional=True), False, None),
        (SDP, False, None),
    ],
)
def test_every_part_that_has_to_be_understood_is(beside, urgent, expected):
    can = Capabilities(
        accept=("application/sdp", "multipart/mixed"), is_urgent=lambda request: urgent
    )
    kind = ("Content-Type", "multipart/mixed;boundary=b")
    asked = request("INVITE", kind, body=write((SDP, beside), "b"))
    refusal = inspect(asked, can, is_merged=False)
    assert (refusal and refusal.status) == expected


def test_parts_are_refused_where_nothing_but_one_body_is_taken():
    kind = ("Content-Type", "multipart/mixed;boundary=b")
    assert status("INVITE", kind, body=write((SDP,), "b")) == 415


def test_an_urgent_request_may_be_to_a_service():
    asked = request("INVITE")
    asked.uri = "urn:service:sos"
    assert inspect(asked, CAN, is_merged=False).status == 416
    assert inspect(asked, Capabilities(is_urgent=lambda r: True), is_merged=False) is None
