"""The encryption receipt of a call, as a person reads it."""

from pbx.admin.wire.calls import CallSummary, CallView, LegView
from pbx.cli.moments import shown
from pbx.cli.output import as_table, say


def seconds(call: CallSummary) -> int:
    """How long it lasted from the first INVITE on."""
    return (call.ended_at - call.started_at) // 1_000_000


def show(call: CallView) -> None:
    say(f"call {call.id}")
    say(
        f"  began {shown(call.started_at)}, {seconds(call)} s, "
        f"{call.route}: {call.outcome} ({call.cause})"
    )
    for leg in call.legs:
        say("", f"{leg.role}: {leg.phone}")
        as_table(("", ""), rows(leg))


def rows(leg: LegView) -> list[tuple[str, str]]:
    found, receipt = [], leg.receipt
    if (signalling := receipt.signalling) is not None:
        found += [
            ("signalling", f"{signalling.tls_version}, {signalling.cipher}"),
            ("logged in by", signalling.authentication),
        ]
    found += [
        ("media", f"SRTP, {receipt.suite}" if receipt.suite else "none flowed"),
        ("keys by", f"{receipt.keying}, renewed {receipt.rekeys} times"),
        ("codec", receipt.codec),
        ("packets", f"{receipt.received} in, {receipt.sent} out, {receipt.refused} refused"),
        ("lost", f"{receipt.lost} here, {receipt.lost_there} there"),
    ]
    if receipt.mos is not None:
        found.append(("quality", f"MOS {receipt.mos:.1f}, jitter {receipt.jitter_ms:.1f} ms"))
    return found
