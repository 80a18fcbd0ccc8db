"""How a phone describes its media: heard, kept, and known still after a restart."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from media.client import Manner
from pbx.b2bua.manners import Manners, read, written

PHONE = uuid4()


@pytest.mark.parametrize(
    ("manner", "text"),
    [
        (Manner(), "sdes"),
        (Manner(keying="dtls", feedback=True, muxed=True, ice=True), "dtls feedback mux ice"),
        (Manner(ice=True), "sdes ice"),
    ],
)
def test_a_manner_is_kept_in_words(manner: Manner, text: str) -> None:
    assert written(manner) == text
    assert read(text) == manner


@pytest.mark.parametrize("text", ["", "zrtp mux", "dtls later"])
def test_words_of_another_version_do_no_harm(text: str) -> None:
    assert read(text) in (Manner(), Manner(keying="dtls"))


def test_what_is_heard_counts_for_more_than_the_row_and_goes_into_it_once() -> None:
    row: dict[UUID, str] = {PHONE: "sdes"}
    news: list[str] = []

    def keep(device: UUID, text: str) -> None:
        row[device] = text
        news.append(text)

    manners = Manners(lambda device: row.get(device, ""), keep)
    assert manners.is_known(PHONE)
    assert not manners.is_known(uuid4())
    for _ in range(2):
        manners.heard(PHONE, Manner(keying="dtls"))
    assert news == ["dtls"]
    assert manners.of(PHONE).keying == "dtls"

    row[PHONE] = "sdes mux"  # by hand
    assert manners.of(PHONE).keying == "dtls"
    manners.forget(PHONE)
    assert manners.of(PHONE) == Manner(muxed=True)
