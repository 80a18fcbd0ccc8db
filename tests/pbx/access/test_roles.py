"""The role table says what CUSTODY and the job functions say, and nothing more."""

from itertools import product

import pytest

from pbx.access.roles import (
    APPROVING_ROLES,
    CONTENT_ROLES,
    EVERYBODY,
    MATRIX,
    SENSITIVE_ROLES,
    STEP_UP,
    Privilege,
    Role,
    is_allowed,
    matrix_rows,
    privileges_of,
)
from storage.keyholder import acts, decisions

# Transcribed a second time, by role: what each may do to others.
READS = {
    "person",
    "site",
    "extension",
    "mailbox",
    "device",
    "exception",
    "policy",
    "history",
    "role",
    "session",
}
AUDIT = {
    "audit-search",
    "audit-trace",
    "audit-number",
    "audit-export",
    "audit-review",
    "audit-words",
}
GLASS = {f"break-glass-{verb}" for verb in ("request", "approve", "end", "list")}
ORACLE = {
    "system-administrator": set(Privilege)
    - EVERYBODY
    - GLASS
    - AUDIT
    - {"call-parties", "message-plain", "message-undelete", "message-purge", "hold"},
    "help-desk": {"person-read", "person-unlock", "site-read", "extension-read", "device-read"}
    | {"device-unlock", "device-sign-out", "call-watch", "call-test", "console"},
    "compliance-officer": {f"{noun}-read" for noun in READS}
    | {"extension-prove"}
    | {"keys-read", "call-watch", "call-read", "call-parties", "console"}
    | (GLASS - {"break-glass-request"})
    | AUDIT
    | {"message-undelete", "message-purge", "message-statistics", "hold"},
    "practice-manager": {f"{noun}-read" for noun in READS}
    | {
        "audit-search",
        "audit-review",
        "console",
        "message-statistics",
        "device-sign-out",
        "extension-prove",
        "mailbox-members",
        "person-change",
        "person-suspend",
        "person-leave",
        "exception-close",
    }
    | {"enrolment-request", "role-request", "proposal-approve", "role-revoke"}
    | (GLASS - {"break-glass-request"}),
    "physician": GLASS - {"break-glass-approve"} | {"message-plain"},
    "clinical-staff": GLASS - {"break-glass-approve"},
    "front-desk": GLASS - {"break-glass-approve"},
    "billing": GLASS - {"break-glass-approve"},
}


@pytest.mark.parametrize(("role", "privilege"), [*product(Role, Privilege)])
def test_every_pair_is_decided_as_the_oracle_says(role: Role, privilege: Privilege) -> None:
    own = EVERYBODY | {Privilege.RECOVERY_COLLECT}
    expected = privilege in ORACLE[role] or privilege in own

    assert is_allowed([role], privilege) is expected


@pytest.mark.parametrize("privilege", Privilege)
def test_whoever_has_no_role_may_do_only_what_everybody_may(privilege: Privilege) -> None:
    assert is_allowed([], privilege) is (privilege in EVERYBODY)


def test_every_role_has_a_line_in_the_table() -> None:
    assert set(MATRIX) == set(Role)


def test_roles_add_up_and_take_nothing_away() -> None:
    both = privileges_of([Role.HELP_DESK, Role.BILLING])

    assert both == privileges_of([Role.HELP_DESK]) | privileges_of([Role.BILLING])


def test_who_configures_never_meets_protected_content_by_role() -> None:
    assert {Role.SYSTEM_ADMINISTRATOR, Role.HELP_DESK}.isdisjoint(CONTENT_ROLES)


def test_nobody_sensitive_may_change_configuration() -> None:
    changes = {Privilege.EXTENSION_CHANGE, Privilege.DEVICE_CHANGE, Privilege.POLICY_CHANGE}

    for role in SENSITIVE_ROLES:
        assert MATRIX[role].isdisjoint(changes)


def test_the_printed_table_has_every_privilege_once_and_agrees_with_the_decision() -> None:
    rows = matrix_rows()

    assert [row.privilege for row in rows] == list(Privilege)
    for row in rows:
        assert row.step_up is (row.privilege in STEP_UP)
        for role in Role:
            assert is_allowed([role], row.privilege) is (role in row.allowed or row.everybody)


KEY_HOLDER = {
    acts.AddPerson: Privilege.PERSON_ADD,
    acts.IssueEnrolment: Privilege.ENROLMENT_REQUEST,
    acts.GrantRole: Privilege.ROLE_REQUEST,
    acts.RevokeRole: Privilege.ROLE_REVOKE,
    acts.Suspend: Privilege.PERSON_SUSPEND,
    acts.Reinstate: Privilege.PERSON_SUSPEND,
    acts.Leave: Privilege.PERSON_LEAVE,
    acts.LiftLock: Privilege.PERSON_UNLOCK,
    acts.OpenTenure: Privilege.EXTENSION_CHANGE,
    acts.ReopenTenure: Privilege.EXTENSION_CHANGE,
    acts.Rotate: Privilege.KEYS_CHANGE,
    acts.Backup: Privilege.KEYS_CHANGE,
    acts.CollectShare: Privilege.RECOVERY_COLLECT,
    acts.Hold: Privilege.HOLD,
}


@pytest.mark.parametrize(("act", "privilege"), KEY_HOLDER.items())
def test_the_key_holder_decides_by_the_same_table(
    act: type[acts.Act], privilege: Privilege
) -> None:
    allowed = {role for role in Role if privilege in MATRIX[role]}

    assert decisions.RULES[act].askers == allowed


def test_the_key_holder_knows_the_same_approvers_and_protected_roles() -> None:
    assert decisions.RULES[acts.GrantRole].approvers == set(APPROVING_ROLES)
    assert decisions.PROTECTED_ROLES == CONTENT_ROLES
    assert decisions.SENSITIVE_ROLES == SENSITIVE_ROLES
