"""What every process of ours does before anything else, so that its memory stays its own.

No core dump (RLIMIT_CORE), no ptrace and no /proc/PID/mem by other processes of the account
(PR_SET_DUMPABLE), death with the supervisor (PR_SET_PDEATHSIG); see prctl(2).
"""

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


class LimitError(Exception):
    """The system grants less than is needed; the text is one sentence."""


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def keep_memory_private() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with(parent: int) -> None:
    """Asks the kernel to kill us when `parent` dies; ends at once if it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(os.EX_TEMPFAIL)


def allow_files(wanted: int) -> None:
    """Raises the limit of open files, for us and the children that inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        raise LimitError(
            f"{wanted} open files are needed and the limit is {hard}; "
            f"raise it with: ulimit -n {wanted}"
        ) from None


def allow_locked_memory() -> None:
    """Lets the children lock all their memory (mlockall(2)): the key holder does, so that its
    keys never reach swap. Where root may not raise the limit, `keeping_lock` may still help."""
    unlimited = resource.RLIM_INFINITY
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (unlimited, unlimited))


def put_ahead(process: int) -> bool:
    """Gives the main thread of a process its turn before all that is not urgent (SCHED_RR,
    sched(7)): a packet of voice that waits for a busy core is a gap. Threads and processes that it
    starts are as others are. False where the system does not let us (CAP_SYS_NICE)."""
    try:
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(process, policy, os.sched_param(1))
    except (PermissionError, ProcessLookupError):
        return False
    return True


SETPRIV: Final = Path("/usr/bin/setpriv")


def keeping_lock(uid: int, gid: int, groups: Sequence[int], setpriv: Path = SETPRIV) -> list[str]:
    """The command that drops root's rights but for CAP_IPC_LOCK, where the limit stays low: in
    many containers root may lock memory and not raise the limit (capabilities(7), setpriv(1))."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if os.geteuid() != 0 or soft == resource.RLIM_INFINITY or not setpriv.exists():
        return []
    more = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    keep = ["--inh-caps=-all,+ipc_lock", "--ambient-caps=-all,+ipc_lock"]
    return [str(setpriv), "--reuid", str(uid), "--regid", str(gid), *more, *keep]
