"""The key holder's answer to an act, as the command is told."""

from pbx.admin.plane import Caller
from pbx.admin.wire.fields import Performed
from storage.keyholder.protocol import Done, Opened, Waiting


def performed(caller: Caller, answer: Done | Waiting | Opened) -> Performed:
    operation = caller.deed.operation
    match answer:
        case Waiting(proposal=proposal, digest=digest, until=until, answer=sealed):
            return Performed(
                operation=operation, answer=sealed, proposal=proposal, digest=digest, until=until
            )
        case Done(answer=sealed, sole=sole):
            return Performed(operation=operation, answer=sealed, by_installation=sole)
        case _:
            return Performed(operation=operation)
