"""Passwords and codes on their way to the key holder: typed unseen, sealed, forgotten.

From a terminal they are asked for without echo; without one they are read from standard input,
a line each, never from arguments or the environment, which other processes can see.
"""

import getpass
import sys

from pbx.cli.output import CommandError, Exit, say

SHORTEST = 12


def secret(prompt: str) -> bytearray:
    if sys.stdin.isatty():
        text = getpass.getpass(f"{prompt}: ")
    else:
        line = sys.stdin.readline()
        if not line:
            raise CommandError(f"{prompt}: expected on standard input.", Exit.USAGE)
        text = line.rstrip("\n")
    return bytearray(text.encode())


def code() -> bytearray:
    """The present code of the second factor; spaces do not count."""
    return bytearray(bytes(secret("Second factor code")).replace(b" ", b""))


def new_password() -> bytearray:
    return chosen(f"New password (at least {SHORTEST} characters)", "A password")


def new_passphrase(whose: str) -> bytearray:
    return chosen(f"{whose} (at least {SHORTEST} characters)", "A passphrase")


def chosen(prompt: str, what: str, shortest: int = SHORTEST) -> bytearray:
    """Typed twice on a terminal: a slip would lock out whoever chose it. Length is the only rule
    here, the key holder knows the rest."""
    while True:
        first = secret(prompt)
        if len(first.decode()) < shortest:
            problem = f"{what} has at least {shortest} characters."
        elif sys.stdin.isatty() and first != secret("The same again"):
            problem = "The two differ."
        else:
            return first
        if not sys.stdin.isatty():
            raise CommandError(problem, Exit.USAGE)
        say(problem)
