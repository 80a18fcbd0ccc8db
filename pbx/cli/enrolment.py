"""How a new second factor is shown: once, to its owner."""

import io

import segno

from pbx.cli.output import say
from storage.keyholder.protocol import Enrolment


def show_enrolment(enrolment: Enrolment) -> None:
    """The second factor as a QR code for the authenticator, and the recovery codes; shown once."""
    drawing = io.StringIO()
    segno.make(enrolment.totp_uri).terminal(out=drawing, compact=True)
    say("", "Second factor: scan this with an authenticator app.", drawing.getvalue().rstrip())
    say(f"  or type in: {enrolment.totp_secret}", "")
    say("Recovery codes, each works once instead of the app. Keep them on paper:")
    for code in enrolment.recovery_codes:
        say(f"  {code}")
