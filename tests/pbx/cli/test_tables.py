"""Tables on a terminal of 80 columns: nothing is cut, and what people copy is whole."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.cli.tables import lines

ID = "01a202bd-f892-7a50-9180-15582edd4518"


def told(columns: tuple[str, ...], *rows: tuple[str, ...], width: int = 80) -> list[str]:
    return list(lines(columns, rows, width))


def test_what_fits_stands_as_it_is() -> None:
    assert told(("NUMBER", "HOLDER"), ("1001", "anna"), ("1002", "")) == [
        "NUMBER  HOLDER",
        "1001    anna",
        "1002",
    ]


def test_prose_gives_way_first_and_at_words() -> None:
    shown = told(("WHO", "WHY", ID[:6]), ("anna", "covers the reception until Anna is back", ID))

    assert shown == [
        "WHO   WHY                                   01a202",
        f"anna  covers the reception until Anna is    {ID}",
        "      back",
    ]


def test_an_identifier_without_room_stands_below_its_row_whole() -> None:
    columns = ("PERSON", "ROLE", "STATE", "REASON", "", "GRANT")
    row = ("anna", "compliance-officer", "active", "looks after us", "ONE PERSON ALONE", ID)

    assert told(columns, row) == [
        "PERSON  ROLE                STATE   REASON",
        "anna    compliance-officer  active  looks after us  ONE PERSON ALONE",
        f"    GRANT {ID}",
    ]


def test_a_name_leads_its_row_and_an_identifier_need_not() -> None:
    name, words = "voicemail-retention-days-clinical-staff", "the same for this role; 0: no own"

    by_name = told(("POLICY", "VALUE", "BOUNDS", ""), (name, "0" * 8, "0" * 14, words))
    by_id = told(("ID", "BY", "AT"), (ID, "n" * 30, "2026-11-22 10:00"))

    assert by_name[1:] == [f"{name}  00000000  00000000000000", f"    {words}"]
    assert by_id[1:] == [f"{'n' * 30}  2026-11-22 10:00", f"    ID {ID}"]


def test_without_titles_there_is_no_empty_line_and_without_room_words_are_broken() -> None:
    assert told(("", ""), ("state", "ready")) == ["state  ready"]
    assert told(("A", "B"), ("x" * 9, "y"), width=8) == ["A      B", "xxxxx  y", "xxxx"]


CELL = st.text(st.sampled_from("abc -"), max_size=60).map(str.strip) | st.uuids().map(str)


@settings(max_examples=50)
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=4), st.integers(60, 120))
def test_nothing_is_lost_and_no_line_is_too_long(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    shown = told(("ONE", "TWO", "THREE", "FOUR"), *rows, width=width)

    assert max(map(len, shown)) <= width
    letters = "".join(sorted("".join(shown[1:]).replace(" ", "")))
    wanted = "".join(sorted("".join(cell for row in rows for cell in row).replace(" ", "")))
    assert len(letters) >= len(wanted)
    for row in rows:
        for cell in row:
            if _is_identifier(cell):
                assert any(cell in line for line in shown)


def _is_identifier(cell: str) -> bool:
    try:
        return str(UUID(cell)) == cell
    except ValueError:
        return False
