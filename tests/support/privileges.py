"""How to use each route of the administration API once, properly.

The routes themselves are found in the running application; this only says what to put into them.
A route without an entry here fails the tests that walk the application.
"""

from tests.support.uses import factors, groups, roles
from tests.support.uses.audit import ledger_export, review_item
from tests.support.uses.calls import recorded
from tests.support.uses.extensions import assign, extension, held, release, undo
from tests.support.uses.glass import approve_glass, break_glass, nurse, patient_box
from tests.support.uses.mailboxes import join, owned, part, share, shared
from tests.support.uses.messages import message
from tests.support.uses.people import leave, newcomer, suspend
from tests.support.uses.phones import at_a_shared_phone, phone
from tests.support.uses.policies import excepted
from tests.support.uses.registry import USES
from tests.support.uses.sites import site

__all__ = [
    "USES",
    "approve_glass",
    "assign",
    "at_a_shared_phone",
    "break_glass",
    "excepted",
    "extension",
    "factors",
    "groups",
    "held",
    "join",
    "leave",
    "ledger_export",
    "message",
    "newcomer",
    "nurse",
    "owned",
    "part",
    "patient_box",
    "phone",
    "recorded",
    "release",
    "review_item",
    "roles",
    "share",
    "shared",
    "site",
    "suspend",
    "undo",
]
