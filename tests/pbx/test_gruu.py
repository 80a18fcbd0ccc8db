"""Public GRUUs (RFC 5627): made of a registration, read from a Request-URI."""

import pytest

from pbx import gruu
from pbx.gruu import Gruu
from pbx.sip.uri import parse_uri

INSTANCE = "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"


def test_a_gruu_reads_as_what_it_was_made_of() -> None:
    made = gruu.public("p1", "clinic.example", INSTANCE)

    assert made == "sip:p1@clinic.example;gr=urn:uuid:00000000-0000-1000-8000-000A95A0E128"
    assert gruu.read(parse_uri(made), "clinic.example") == Gruu("p1", INSTANCE)


def test_what_an_instance_says_is_written_so_that_it_is_one_parameter() -> None:
    instance = "<urn:x:a;lr?b=c>"

    made = gruu.public("p1", "clinic.example", instance)

    assert gruu.read(parse_uri(made), "clinic.example") == Gruu("p1", instance)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:p1@clinic.example",
        "sip:p1@clinic.example;gr",
        "sip:p1@elsewhere.example;gr=urn:uuid:1",
        "sip:clinic.example;gr=urn:uuid:1",
        "tel:+15551234;gr=urn:uuid:1",
    ],
)
def test_other_uris_are_none_of_ours(uri: str) -> None:
    assert gruu.read(parse_uri(uri), "clinic.example") is None


@pytest.mark.parametrize(
    ("instance", "fit"),
    [(INSTANCE, True), ("<URN:uuid:1>", True), ("urn:uuid:1", False), ("<urn:uuid:1", False),
     ("<sip:a@b>", False), ("<urn:ä>", False), ("<urn:\t>", False), ("", False), (None, False)],
)  # fmt: skip
def test_only_a_urn_in_brackets_makes_a_gruu(instance: str | None, fit: bool) -> None:
    assert gruu.is_urn(instance) is fit


def test_the_case_of_a_urn_does_not_matter_and_no_instance_is_nobody() -> None:
    assert gruu.names(INSTANCE, INSTANCE.lower())
    assert not gruu.names(INSTANCE, "<urn:uuid:other>")
    assert not gruu.names(INSTANCE, None)
