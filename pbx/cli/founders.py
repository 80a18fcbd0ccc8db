"""What `pbx init` and `pbx quickstart` ask for and show about the first people."""

import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import typer

from certs.stock import Stock
from pbx.cli.enrolment import show_enrolment
from pbx.cli.output import CommandError, Exit, as_table, say
from pbx.cli.secrets import new_password
from pbx.config import Config
from pbx.first_people import Made, Wanted, make
from pbx.paths import Layout
from storage.identifiers import system_clock
from storage.keyholder.protocol import Enrolment
from storage.sealed.primitives import hotp

ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that is mistaken for another when it is copied by hand."""


@dataclass(slots=True)
class Founders:
    """Called by init once keys and database are there; remembers what to tell at the end."""

    login: str = "admin"
    name: str = "Administrator"
    generate: bool = False
    samples: bool = False
    made: Made | None = field(default=None)
    domain: str = ""
    port: int = 0
    ca_file: str = ""

    def __call__(self, layout: Layout, config: Config) -> None:
        asks = sys.stdin.isatty() and not self.generate
        self.domain, self.port = config.exchange.domain, config.sip.port
        self.ca_file = str(Stock(layout.certificates).root)
        say("", f"The first administrator signs in as: {self.login}")
        if asks:
            password = new_password()
        else:
            password = bytearray(generated().encode())
            say(f"  password (shown once): {password.decode()}")
        wanted = Wanted(
            login=self.login,
            name=self.name,
            password=password,
            confirm=_confirmed if asks else _shown,
            manager=_manager() if asks else None,
            samples=self.samples,
        )
        self.made = make(layout, config, wanted)
        self._tell(wanted)

    def _tell(self, wanted: Wanted) -> None:
        made = self.made
        if made is None:
            return
        if wanted.manager is not None:
            say("", f"The practice manager enrols within a day with: pbx enrol {wanted.manager[0]}")
            say(f"  one-time code (shown once): {made.manager_code}")
        else:
            say(
                "",
                "Until a second person can approve, grants are made by `installation` alone and",
                "flagged. Enrol the practice manager soon: pbx person add, pbx role grant.",
            )
        for number, name in made.extensions.items():
            say(f"  extension {number}: {name}")
        if made.phones:
            self._tell_phones(made)

    def _tell_phones(self, made: Made) -> None:
        say("", "Type this into two phones; the secrets are shown once.")
        as_table(
            ("PHONE", "USERNAME", "SECRET"),
            ((label, phone.username, phone.secret) for label, phone in made.phones.items()),
        )
        say(
            f"  server name and domain: {self.domain}, TLS port {self.port}, SRTP mandatory",
            f"  CA file to trust: {self.ca_file}",
            f"  {next(iter(made.phones))} rings for emergency calls: there is no outside line yet.",
        )


def generated() -> str:
    """100 bits, in five groups."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(5))


def _shown(enrolment: Enrolment) -> None:
    show_enrolment(enrolment)


def _confirmed(enrolment: Enrolment) -> None:
    """Nobody is locked out by a code that was never scanned."""
    show_enrolment(enrolment)
    for _ in range(3):
        if is_code_of(enrolment, typer.prompt("Code of the app"), system_clock):
            return
        say("That is not the code of this moment; try again.")
    raise CommandError("The second factor was not confirmed; nothing was made.", Exit.REFUSED)


def is_code_of(enrolment: Enrolment, code: str, clock: Callable[[], int]) -> bool:
    import base64

    secret = base64.b32decode(enrolment.totp_secret + "=" * (-len(enrolment.totp_secret) % 8))
    step = clock() // 30_000_000
    return any(secrets.compare_digest(hotp(secret, s), code) for s in (step - 1, step, step + 1))


def _manager() -> tuple[str, str] | None:
    if not typer.confirm("Enrol the practice manager now, as the second approver?", default=True):
        return None
    login: str = typer.prompt("Log-in name of the practice manager")
    name: str = typer.prompt("Name")
    return login, name
