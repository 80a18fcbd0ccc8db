"""Phones that come to a call by themselves: to answer for a colleague, or to take a parked one."""

from __future__ import annotations

from uuid import UUID

from pbx.b2bua.call import Call
from pbx.b2bua.callee_leg import CalleeLeg
from pbx.directory import Directory


def is_open(call: Call) -> bool:
    """Whether somebody waits in it for whom another phone may answer."""
    return call.takes_comers and call.is_wanted


def rings_at(call: Call, target: UUID, device: UUID) -> bool:
    """Whether the call rings at this extension or group, for somebody else than this phone.

    An emergency call is answered by the phones that it rings, and by no other."""
    if not is_open(call) or call.is_emergency or call.waiting.device == device:
        return False
    if call.group == target:
        return True
    held = call.directory.of_extension(target)
    devices = held.devices if held is not None else ()
    return any(
        isinstance(leg, CalleeLeg) and leg.is_beginning and leg.device in devices
        for leg in call.legs
    )


def may_take_back(directory: Directory, device: UUID) -> bool:
    """Every phone of the house may take a parked call; but not one in the public's reach that
    nobody answers for."""
    return directory.holder_of(device) is not None or not directory.place_of(device).is_public
