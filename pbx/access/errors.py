"""How access is refused.

AccessError
├── NotSignedIn      no live session: sign in first
├── StepUpNeeded     the act wants a fresh second factor
├── Denied           the role table says no (the default)
└── RuleBroken       the role would allow it, a rule of separation does not

A message names the rule, never a name, a number or a secret.
"""


class AccessError(Exception):
    """Access was refused; `sentence` may be shown to whoever asked."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotSignedIn(AccessError):
    """There is no live session behind the request."""


class StepUpNeeded(AccessError):
    """The session is live, but the act wants the second factor again."""


class Denied(AccessError):
    """No role held now allows the act."""


class RuleBroken(AccessError):
    """A role allows the act, but separation of duties forbids it here."""
