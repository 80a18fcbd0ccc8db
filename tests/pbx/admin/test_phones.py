"""What phones log in with, from the administration plane to the TLS listener and back."""

import ssl
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from pbx.access.policy import DAY
from pbx.access.roles import Role
from pbx.admin.wire.phones import PhoneSecret
from storage.ledger.actions import Action
from tests.support import privileges
from tests.support.clinic import Clinic, Member
from tests.support.phone import Account, Phone


@dataclass
class Told:
    """A label, and what was answered for it."""

    label: str
    secret: PhoneSecret


async def add(clinic: Clinic, who: Member, label: str = "desk", **more: Any) -> Told:
    import msgspec

    body = {"id": clinic.id(), "label": label} | more
    answer = await clinic.do(who, "POST", "/v1/devices", body)
    return Told(label, msgspec.convert(answer, PhoneSecret))


def context(clinic: Clinic) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cafile=str(clinic.layout.certificates / "root.pem"))
    return made


async def connected(clinic: Clinic, told: PhoneSecret, port: int | None = None) -> Phone:
    phone = Phone(Account(username=told.username, domain=told.domain, password=told.secret))
    await phone.connect(("127.0.0.1", port or told.port), context(clinic))
    return phone


async def login(clinic: Clinic, told: PhoneSecret, port: int | None = None) -> int:
    phone = await connected(clinic, told, port)
    try:
        return (await phone.register()).status
    finally:
        phone.close()


async def md5_of(clinic: Clinic, owner: Member) -> dict[str, Any]:
    return {
        "id": clinic.id(),
        "owner": owner.id,
        "reason": "ten years old",
        "expires_at": clinic.now + 30 * DAY,
    }


def md5_port(clinic: Clinic) -> int:
    return int(str(clinic.telephony.section()["MD5 exceptions"]).rpartition(":")[2])


async def test_a_phone_that_was_just_added_logs_in_at_once(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root)

    phone = await connected(clinic, told.secret)
    assert (await phone.register()).status == 200

    [row] = await clinic.do(root, "GET", "/v1/registrations")
    assert (row["label"], row["login"]) == ("desk", "digest SHA-256")
    assert row["tls"].startswith("TLSv1.")
    phone.close()


async def test_a_new_secret_ends_the_connections_of_the_old_one(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root)
    phone = await connected(clinic, told.secret)
    assert (await phone.register()).status == 200

    answer = await clinic.do(root, "POST", "/v1/devices/desk/secret", {})

    await phone.closed.wait()
    assert await login(clinic, told.secret) == 401
    fresh = PhoneSecret(**{**answer, "addresses": ()})
    assert await login(clinic, fresh) == 200


async def test_md5_has_a_door_of_its_own_while_an_exception_is_in_force(clinic: Clinic) -> None:
    root = await clinic.found()
    assert clinic.telephony.section()["MD5 exceptions"] == "closed"
    old = await add(clinic, root, md5=await md5_of(clinic, root))
    modern = await add(clinic, root, "modern")

    assert old.secret.algorithm == "MD5"
    assert await login(clinic, old.secret, md5_port(clinic)) == 200
    assert await login(clinic, modern.secret, md5_port(clinic)) == 401
    [exception] = await clinic.do(root, "GET", "/v1/exceptions")
    assert exception["subject"] == str(old.secret.device)

    await clinic.do(root, "POST", f"/v1/exceptions/{exception['id']}/closing")
    assert clinic.telephony.section()["MD5 exceptions"] == "closed"


async def test_granting_the_exception_gives_a_new_secret(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root)
    body = await md5_of(clinic, root) | {"kind": "md5-device", "subject": told.secret.device}

    answer = await clinic.do(root, "POST", "/v1/exceptions", body)

    assert answer["phone"]["algorithm"] == "MD5"
    assert answer["phone"]["secret"] != told.secret.secret
    assert await login(clinic, told.secret) == 401
    again = await clinic.do(root, "POST", "/v1/devices/desk/secret", {})
    assert again["algorithm"] == "MD5"
    away = await clinic.do(root, "POST", "/v1/devices/desk/secret", {"sha256": True})
    assert away["algorithm"] == "SHA-256"


async def test_a_phone_that_has_used_sha256_does_not_go_back(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root)
    assert await login(clinic, told.secret) == 200
    while not (await clinic.do(root, "GET", "/v1/devices/desk"))["has_used_sha256"]:
        pass  # written behind the registrar's back; each look waits for the database

    body = await md5_of(clinic, root) | {"kind": "md5-device", "subject": told.secret.device}
    refused = await clinic.ask(root, "POST", "/v1/exceptions", body)

    assert refused.status_code == 409
    assert "does not go back to MD5" in refused.json()["error"]
    assert await clinic.do(root, "GET", "/v1/exceptions") == []
    assert await login(clinic, told.secret) == 200


async def test_an_exception_wants_somebody_who_works_here_and_an_end(clinic: Clinic) -> None:
    root = await clinic.found()
    body = {"id": clinic.id(), "label": "desk"}
    nobody = await md5_of(clinic, root) | {"owner": clinic.id()}
    endless = await md5_of(clinic, root) | {"expires_at": clinic.now + 4000 * DAY}

    for md5, status in ((nobody, 404), (endless, 403)):
        answer = await clinic.ask(root, "POST", "/v1/devices", body | {"md5": md5})
        assert answer.status_code == status, answer.text
    assert await clinic.do(root, "GET", "/v1/devices") == []


async def test_the_help_desk_opens_a_lock_and_may_do_no_more(clinic: Clinic) -> None:
    await clinic.staffed()
    desk = await clinic.with_role("helper", Role.HELP_DESK)
    root = await clinic.present(clinic.members["root"])
    told = await add(clinic, root)
    wrong = PhoneSecret(**{**_fields(told.secret), "secret": "wrong"})
    for _ in range(12):  # a little is forgiven as they go
        assert await login(clinic, wrong) == 401
    assert await login(clinic, told.secret) == 401
    shown = await clinic.do(root, "GET", "/v1/devices/desk")
    assert [lock["source"] for lock in shown["locks"]] == ["127.0.0.1"]

    answer = await clinic.do(desk, "POST", "/v1/devices/desk/unlocking")

    assert answer["opened"] == 1
    assert await login(clinic, told.secret) == 200
    assert (await clinic.ask(desk, "POST", "/v1/devices/desk/secret", {})).status_code == 403


def _fields(secret: PhoneSecret) -> dict[str, Any]:
    return {name: getattr(secret, name) for name in secret.__struct_fields__}


async def test_a_client_certificate_logs_in_until_it_is_withdrawn(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root)
    made = await clinic.do(root, "POST", "/v1/devices/desk/certificate", {})
    pem = clinic.layout.root / "phone.pem"
    pem.write_text(made["key_pem"] + made["chain_pem"])
    mutual = context(clinic)
    mutual.load_cert_chain(str(pem))
    phone = Phone(Account(username=told.secret.username, domain="pbx.test"))
    await phone.connect(("127.0.0.1", made["port"]), mutual)
    assert (await phone.register()).status == 200

    await clinic.do(root, "DELETE", "/v1/devices/desk/certificate")

    await phone.closed.wait()
    bad = {"signing_request": "not a request"}
    answer = await clinic.ask(root, "POST", "/v1/devices/desk/certificate", bad)
    assert answer.status_code == 403
    assert "not a PEM" in answer.json()["error"]


async def test_a_removed_phone_is_gone_and_its_label_is_free(clinic: Clinic) -> None:
    root = await clinic.found()
    told = await add(clinic, root, md5=await md5_of(clinic, root))
    await clinic.do(root, "DELETE", "/v1/devices/desk")

    assert (await clinic.ask(root, "GET", "/v1/devices/desk")).status_code == 404
    assert await clinic.do(root, "GET", "/v1/exceptions") == []
    again = await add(clinic, root)
    assert again.secret.username != told.secret.username
    assert await login(clinic, again.secret) == 200


@pytest.mark.parametrize("number", ["911", "9911", "933", "9110"])
async def test_no_extension_takes_an_emergency_number(clinic: Clinic, number: str) -> None:
    root = await clinic.found()
    anna = await clinic.hire("anna", root)

    answer = await privileges.assign(clinic, root, number, anna, 0)

    assert answer.status_code == 403
    assert "emergency" in answer.json()["error"]


async def test_only_a_leaver_s_private_phones_are_shut(clinic: Clinic) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    number = await privileges.extension(clinic, anna)
    root = await clinic.present(clinic.members["root"])
    private = await add(clinic, root, "anna's", place="private")
    shared = await add(clinic, root, "nurses'", place="nurse-station")
    for told in (private, shared):
        body = {"version": 1, "extension": number}
        await clinic.do(root, "POST", f"/v1/devices/{told.label}/assignment", body)
    theirs = await connected(clinic, private.secret)
    assert (await theirs.register()).status == 200

    answer = (await privileges.leave(clinic, root, anna)).json()

    counts = {ended["kind"]: ended["count"] for ended in answer["ended"]}
    assert counts["phones"] == 1
    await theirs.closed.wait()
    assert await login(clinic, private.secret) == 401
    assert await login(clinic, shared.secret) == 200
    assert await clinic.telephony.end_phones_of(anna.id) == 0


async def test_who_spoke_with_whom_is_for_record_readers_and_after_the_hour_too(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    officer = await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    call = await privileges.recorded(clinic)
    path = f"/v1/call-records/{call}/parties"

    now = await clinic.do(officer, "GET", path)
    clinic.pass_(7200)
    await clinic.present(officer)
    later = await clinic.do(officer, "GET", path)
    root = await clinic.present(clinic.members["root"])

    assert now["parties"] == later["parties"]
    assert now["parties"]["dialled"] == "1002"
    assert (await clinic.ask(root, "GET", path)).status_code == 403
    rows = [(row.action, row.outcome) for row in await clinic.rows()]
    assert rows.count((Action.CALL_PARTIES_READ, "done")) == 2
    assert (Action.CALL_PARTIES_READ, "intended") in rows
    assert (Action.CALL_PARTIES_READ, "refused") in rows


async def test_test_phones_exist_while_they_are_tested_and_no_more_than_four_pairs(
    clinic: Clinic,
) -> None:
    root = await clinic.found()
    lines = [await clinic.do(root, "POST", "/v1/call-tests") for _ in range(4)]
    assert (await clinic.ask(root, "POST", "/v1/call-tests")).status_code == 409
    caller = PhoneSecret(**{**lines[0]["caller"], "device": UUID(lines[0]["caller"]["device"])})
    phone = await connected(clinic, caller)
    assert (await phone.register()).status == 200
    assert lines[0]["number"] in clinic.telephony.keeper.current().tenancies
    await clinic.telephony.keeper.refresh()
    assert (await phone.register()).status == 200

    await clinic.do(root, "DELETE", f"/v1/call-tests/{lines[0]['id']}")

    await phone.closed.wait()
    assert await login(clinic, caller) == 401
    assert await clinic.do(root, "GET", "/v1/devices") == []
