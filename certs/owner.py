"""Root works in a service account's directory as that account, never as root.

Whoever owns a directory decides what its names mean: a planted link would otherwise make root
write, create or give away a file elsewhere. With the owner's rights a link opens nothing that the
owner could not open anyway.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def acting_as_owner_of(directory: Path) -> Iterator[None]:
    """For root: the rights of whoever can decide what this path means; for others, nothing."""
    if os.geteuid() != 0 or (owner := _who_decides(directory)) is None:
        yield
        return
    uid, gid = owner
    groups, group = os.getgroups(), os.getegid()
    try:
        os.setgroups(_groups_of(uid, gid))
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _who_decides(directory: Path) -> tuple[int, int] | None:
    """The first owner on the way who is not root: everything below can be replaced by them."""
    path = Path(os.path.abspath(directory))
    for place in (*reversed(path.parents), path):
        try:
            found = place.lstat()
        except FileNotFoundError:
            return None
        if found.st_uid != 0:
            return found.st_uid, found.st_gid
    return None


def _groups_of(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]
