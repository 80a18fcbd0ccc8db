"""The key holder's own state, its backup and the rotation of its keys."""

from litestar import get, post
from litestar.params import JSONBody

from pbx.access.roles import Privilege
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Performed, Proved
from pbx.admin.wire.rules import Backup, KeysView, Recovery
from storage.keyholder import acts
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.unit import Unit


@get("/v1/keys", opt=needs(Privilege.KEYS_READ, Action.KEYS_READ), summary="State of the keys")
async def show_keys(plane: GivenPlane, caller: GivenCaller) -> KeysView:
    report = await plane.keyholder.report()

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.KEYS_READ))

    await plane.committer.run(work)
    return KeysView(
        state=report.state,
        keystore=report.keystore,
        generation=report.generation,
        journal=report.journal,
        last_backup=report.last_backup,
        recovery=report.recovery,
        same_device=report.same_device,
        same_account=report.same_account,
        root_beside=report.root_beside,
        memory=report.memory,
        alarms=list(report.alarms),
    )


@post(
    "/v1/keys/rotation",
    opt=needs(Privilege.KEYS_CHANGE, Action.KEYS_ROTATED),
    status_code=200,
    summary="New wrapping keys; everything is re-wrapped",
)
async def rotate_keys(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[Proved],
) -> Performed:
    return await _own(plane, caller, acts.Rotate(), data.proof, Action.KEYS_ROTATED)


@post(
    "/v1/keys/backup",
    opt=needs(Privilege.KEYS_CHANGE, Action.KEYS_BACKED_UP),
    status_code=200,
    summary="An encrypted copy of the key store, on another disk",
)
async def back_up_keys(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[Backup],
) -> Performed:
    act = acts.Backup(directory=data.directory, force=data.force)
    return await _own(plane, caller, act, data.proof, Action.KEYS_BACKED_UP)


@post(
    "/v1/keys/recovery",
    opt=needs(Privilege.KEYS_CHANGE, Action.RECOVERY_SET),
    status_code=200,
    summary="Who can bring a lost key store back; waits for a second person",
)
async def set_recovery(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[Recovery]
) -> Performed:
    act = acts.SetRecovery(threshold=data.threshold, holders=tuple(data.holders))
    return await _own(plane, caller, act, data.proof, Action.RECOVERY_SET)


@post(
    "/v1/own/recovery-share",
    opt=needs(Privilege.RECOVERY_COLLECT, Action.RECOVERY_COLLECTED),
    status_code=200,
    summary="Collect one's own share of the recovery secret, once",
)
async def collect_share(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[Proved]
) -> Performed:
    return await _own(plane, caller, acts.CollectShare(), data.proof, Action.RECOVERY_COLLECTED)


async def _own(
    plane: Plane, caller: Caller, act: acts.AnyAct, proof: bytes, action: Action
) -> Performed:
    answer = await plane.perform(caller, act, proof, action=action)
    if isinstance(answer, Waiting):
        return performed(caller, answer)

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(action))

    await plane.committer.run(work)
    return performed(caller, answer)


ROUTES = [show_keys, rotate_keys, back_up_keys, set_recovery, collect_share]
