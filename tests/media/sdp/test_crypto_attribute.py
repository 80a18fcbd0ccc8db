"""RFC 4568 lines: what is read, and what is never chosen."""

import base64

import pytest

from media.sdp.crypto_attribute import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    SUITES,
    CryptoAttribute,
    Unusable,
    parse,
)

KEY = base64.b64encode(bytes(range(30))).decode()
CM = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


@pytest.mark.parametrize("suite", SUITES)
def test_each_suite_survives_writing_and_reading(suite) -> None:
    line = CryptoAttribute(7, suite, bytes(suite.master_length))

    assert parse(str(line)) == line


def test_the_order_of_preference_is_gcm_256_gcm_128_cm_80() -> None:
    assert SUITES == (AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80)


@pytest.mark.parametrize(
    ("field", "lifetime"), [("|2^20", 2**20), ("|2^48", 2**48), ("|1000", 1000), ("", None)]
)
def test_the_lifetime_is_read(field: str, lifetime: int | None) -> None:
    assert parse(CM + field).lifetime == lifetime


def test_base64_may_come_without_its_padding() -> None:
    key = base64.b64encode(bytes(44)).decode()

    assert parse(f"1 AEAD_AES_256_GCM inline:{key.rstrip('=')}").master == bytes(44)


def test_a_window_hint_and_hyphenated_parameters_are_no_obstacle() -> None:
    assert parse(f"{CM} WSH=128 -X").tag == 1


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("1 AES_CM_128_HMAC_SHA1_80", "required"),
        (f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "tag"),
        (f"² AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "tag"),
        (f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "tag"),
        (f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}", "AES_CM_128_HMAC_SHA1_32"),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}", "no supported suite"),
        (f"{CM}|2^20|1:4", "MKI"),
        (f"{CM}|1:4", "MKI"),
        (f"{CM};inline:{KEY}|2^20|2:4", "MKI"),
        (f"{CM} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        (f"{CM} unencrypted_srtcp", "UNENCRYPTED_SRTCP"),
        (f"{CM} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP"),
        (f"{CM} KDR=1", "KDR"),
        (f"{CM} FEC_ORDER=FEC_SRTP", "FEC_ORDER"),
        (f"{CM} FEC_KEY=inline:{KEY}", "FEC_KEY"),
        (f"{CM} SOMETHING", "unknown session parameter"),
        (f"1 AES_CM_128_HMAC_SHA1_80 outline:{KEY}", "inline"),
        (f"1 AES_CM_128_HMAC_SHA1_80 {KEY}", "inline"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:!!!!", "base64"),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", "length"),
        (f"1 AEAD_AES_256_GCM inline:{KEY}", "length"),
        (f"{CM}|0", "lifetime"),
        (f"{CM}|2^49", "lifetime"),
        (f"{CM}|2^", "lifetime"),
        (f"{CM}|999999999999999", "lifetime"),
        (f"{CM}|{'9' * 5000}", "lifetime"),
    ],
)
def test_a_line_that_breaks_a_rule_is_never_chosen(line: str, rule: str) -> None:
    with pytest.raises(Unusable, match=rule) as caught:
        parse(line)

    assert KEY not in str(caught.value)


def test_a_key_has_no_path_to_a_log() -> None:
    assert "inline" not in repr(parse(CM))
    assert KEY not in repr(parse(CM))
