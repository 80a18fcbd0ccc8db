"""What somebody types into a phone, shown once; and how to know that it works."""

from pbx.admin.wire.phones import PhoneSecret
from pbx.cli.output import as_table, say
from pbx.dialplan.emergency import TEST_NUMBER


def address_of(phone: PhoneSecret) -> str:
    """Where phones on the network find us; the loopback address only if there is no other."""
    outside = [a for a in phone.addresses if not a.startswith(("127.", "::1"))]
    return (outside or list(phone.addresses) or [phone.domain])[0]


def rows(phone: PhoneSecret) -> list[tuple[str, str]]:
    return [
        ("username", phone.username),
        ("secret", phone.secret),
        ("domain, server name", phone.domain),
        ("server address", address_of(phone)),
        ("port", str(phone.port) if phone.port else "see `pbx status`"),
        ("transport, media", "TLS, SRTP (mandatory)"),
        ("digest", phone.algorithm),
        ("CA file to trust", phone.ca_file),
    ]


def show(phone: PhoneSecret) -> None:
    say("Type this into the phone. The secret is shown once; a new one: pbx device rotate-secret")
    as_table(("SETTING", "VALUE"), rows(phone))


def say_what_next(phone: PhoneSecret) -> None:
    if phone.algorithm == "SHA-256":
        say(
            "",
            "Can the phone do SHA-256? If it registers, it can. If it keeps trying and "
            "`pbx device show` says it was never seen, look in its manual for RFC 8760 or",
            "SHA-256 digest, and update its firmware. For one that can do MD5 alone, record an "
            "exception: pbx exceptions grant md5-device LABEL --owner ... --reason ... --until ...",
        )
    say(
        "",
        f"Then make a test call from the phone: dial {TEST_NUMBER}. It says what an emergency call",
        "would do. A phone without SRTP cannot call at all, not even for help.",
    )
