"""The header fields of one message."""

from __future__ import annotations

import pytest

from pbx.sip.errors import LocalError, PeerError
from pbx.sip.headers import Headers


def some() -> Headers:
    return Headers(("v", "one"), ("To", "t"), ("VIA", "two, three"), ("X-Clinic", "x"))


def test_names_are_case_insensitive_and_order_is_kept() -> None:
    headers = some()

    assert list(headers) == [("Via", "one"), ("To", "t"), ("Via", "two, three"), ("X-Clinic", "x")]
    assert headers.first("via") == "one"
    assert headers.first("x-CLINIC") == "x"
    assert headers.first("From") is None
    assert headers.all("Via") == ["one", "two, three"]
    assert headers.all("From") == []
    assert headers.elements("Via") == ["one", "two", "three"]
    assert ("t" in headers, "f" in headers, len(headers)) == (True, False, 4)


def test_an_empty_line_has_no_elements() -> None:
    assert Headers(("Supported", "")).elements("Supported") == []


def test_a_line_is_put_before_all_others() -> None:
    headers = some()

    headers.prepend("Via", "zero")

    assert headers.all("Via") == ["zero", "one", "two, three"]
    assert headers.first("Via") == "zero"


def test_setting_replaces_all_lines_where_the_first_was() -> None:
    headers = some()

    headers.set("via", "new")
    headers.set("From", "f")

    assert list(headers) == [("Via", "new"), ("To", "t"), ("X-Clinic", "x"), ("From", "f")]


def test_amending_keeps_what_other_fields_read_as() -> None:
    headers = some()
    kept, changed = object(), object()
    assert headers.typed("To", lambda _: kept) is kept
    assert headers.typed("Via", lambda _: changed) is changed

    headers.amend("Via", "uno")

    assert headers.all("Via") == ["uno", "two, three"]
    assert headers.first("Via") == "uno"
    assert headers.typed("To", lambda _: None) is kept
    assert headers.typed("Via", lambda h: h.first("Via")) == "uno"
    with pytest.raises(LocalError):
        headers.amend("From", "f")
    with pytest.raises(LocalError):
        headers.amend("Via", "a\r\nb")


def test_taking_the_first_line_leaves_the_next_one_first() -> None:
    headers = some()

    assert headers.remove_first("Via") == []
    assert headers.first("Via") == "two, three"
    assert headers.remove_first("Via") == ["three"]
    assert headers.first("Via") is None
    with pytest.raises(LocalError):
        headers.remove_first("Via")


def test_removing_what_is_not_there_is_nothing() -> None:
    headers = some()

    headers.remove("Via")
    headers.remove("From")

    assert list(headers) == [("To", "t"), ("X-Clinic", "x")]


def test_a_copy_is_independent() -> None:
    headers = some()
    copy = headers.copy()

    copy.remove("Via")

    assert headers == some()
    assert copy != headers


def test_a_second_line_of_a_singular_field_is_refused() -> None:
    with pytest.raises(LocalError, match=r"^To: appears once$"):
        some().add("t", "again")


def test_a_typed_value_is_kept_until_a_field_changes() -> None:
    headers = some()
    calls = []

    def parse(h: Headers) -> int:
        calls.append(h.first("To"))
        return len(calls)

    assert (headers.typed("To", parse), headers.typed("To", parse)) == (1, 1)
    for change in (
        lambda: headers.add("X", "1"),
        lambda: headers.set("To", "u"),
        lambda: headers.remove("X"),
        lambda: headers.remove_first("Via"),
        lambda: headers.prepend("Via", "p"),
    ):
        before = headers.typed("To", parse)
        change()
        assert headers.typed("To", parse) == before + 1
    assert calls[0] == "t"
    assert calls[-1] == "u"


@pytest.mark.parametrize("bad", ["a\r\nRoute: <sip:evil>", "a\nb", "a\rb", "a\0b"])
def test_a_line_end_is_never_written(bad: str) -> None:
    headers = some()

    for write in (headers.add, headers.set, headers.prepend):
        with pytest.raises(LocalError):
            write("Subject", bad)
        with pytest.raises(LocalError):
            write(bad, "value")
    with pytest.raises(LocalError):
        headers.set("To", bad)
    assert headers == some()


def test_content_length_is_not_encoded_nor_compared() -> None:
    headers = Headers(("To", "t"), ("Content-Length", "5"), ("X-Clinic", "x"))

    assert headers.encode() == "To: t\r\nX-Clinic: x\r\n"
    assert headers == Headers(("To", "t"), ("x-clinic", "x"))
    assert headers != "To: t"


def test_a_broken_list_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        Headers(("Via", "a,,b")).elements("Via")


def test_the_representation_shows_no_value() -> None:
    assert repr(some()) == "<Headers Via To Via X-Clinic>"
    with pytest.raises(TypeError):
        hash(some())


def test_picking_copies_the_lines_with_some_keys() -> None:
    headers = Headers(("Via", "one"), ("To", "t"), ("Via", "two"), ("From", "f"))
    picked = headers.pick(frozenset({"Via", "From", "CSeq"}))
    assert list(picked) == [("Via", "one"), ("Via", "two"), ("From", "f")]
    assert (picked.first("Via"), picked.first("To"), "CSeq" in picked) == ("one", None, False)
    picked.set("From", "g")
    assert headers.first("From") == "f"
