"""`pbx call test`: one real call, over the listener that phones use, with its receipt."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.calls import CallView, TrialLine
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import PhoneSecret
from pbx.cli import receipt
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, as_table, say
from pbx.cli.session import signed_in
from pbx.testcall.errors import CallTestFailed
from pbx.testcall.phone import Line
from pbx.testcall.run import Found, place

WRITTEN_WITHIN = 10.0
"""Seconds until the exchange has written the call's record."""


def test(
    address: Annotated[
        str, typer.Option(help="Connect here instead of to this machine's loopback address.")
    ] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Place one real call between two phones of its own: TLS, digest, SRTP, a tone both ways.

    Example: pbx call test
    """
    with signed_in(data) as client, trial_line(client) as line:
        found = _placed(line, address)
        record = _record(client, line.id)
    if json:
        as_json({"heard": found.heard, "tls": found.tls, "call": record})
        return
    say("The call went through; each phone verified the server's certificate.")
    as_table(("", ""), _rows(found))
    receipt.show(record)


@contextmanager
def trial_line(client: AdminClient) -> Iterator[TrialLine]:
    """Two phones, and their end."""
    line = client.post("/v1/call-tests", TrialLine)
    try:
        yield line
    finally:
        client.send("DELETE", f"/v1/call-tests/{line.id}", Changed)


def _placed(line: TrialLine, address: str) -> Found:
    host = address or _loopback(line.caller)
    try:
        return asyncio.run(
            place(line_of(line.caller, host), line_of(line.callee, host), line.number)
        )
    except CallTestFailed as failure:
        raise CommandError(f"The test call failed: {failure}.", Exit.FOUND) from None


def _loopback(phone: PhoneSecret) -> str:
    local = [found for found in phone.addresses if found in ("127.0.0.1", "::1")]
    return (local or list(phone.addresses) or [phone.domain])[0]


def line_of(phone: PhoneSecret, host: str) -> Line:
    """As a phone is configured; it trusts our authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=phone.ca_pem)
    return Line((host, phone.port), phone.domain, phone.username, phone.secret, context)


def _record(client: AdminClient, test: UUID) -> CallView:
    """Written a moment after the call has ended."""
    end = time.monotonic() + WRITTEN_WITHIN
    while time.monotonic() < end:
        if found := client.get(f"/v1/call-tests/{test}", list[CallView]):
            return found[-1]
        time.sleep(0.2)
    raise CommandError("The call went through, but no record of it was written.", Exit.FOUND)


def _rows(found: Found) -> list[tuple[str, str]]:
    return [
        ("TLS", found.tls),
        ("caller's media", f"SRTP, {found.suites[0]}; heard {found.heard[0]:.1f} s of the tone"),
        ("callee's media", f"SRTP, {found.suites[1]}; heard {found.heard[1]:.1f} s of the tone"),
        ("packets refused", str(found.refused)),
    ]
