"""Where the key store stands: what a thief of one disk, or of one account, would have."""

import ctypes
import resource
from dataclasses import dataclass
from pathlib import Path

_PR_SET_DUMPABLE = 4
_MCL_CURRENT_AND_FUTURE = 3
_CAP_IPC_LOCK = 14


@dataclass(frozen=True, slots=True)
class Surroundings:
    same_device: bool
    same_account: bool
    root_beside: bool

    @classmethod
    def of(cls, store: Path, data: Path, root_key: Path | None) -> "Surroundings":
        """`data` is where the exchange's database is; `root_key` the key file, if it is one."""
        ours, theirs = store.stat(), data.stat()
        beside = root_key is not None and _device(root_key) == ours.st_dev
        return cls(ours.st_dev == theirs.st_dev, ours.st_uid == theirs.st_uid, beside)

    def sentences(self) -> list[str]:
        said = []
        if self.same_device:
            said.append("key store and data share a disk: a thief of the disk has both")
        if self.same_account:
            said.append("single-account mode: separation of the key holder does not hold")
        if self.root_beside:
            said.append("the root key lies on the disk of the store: a thief of it opens the store")
        return said


def _device(path: Path) -> int:
    try:
        return path.stat().st_dev
    except OSError:
        return -1


def close_memory() -> bool:
    """No core dump, no ptrace, no swap; says whether the memory could be locked."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if not _may_lock(capabilities()) and not _limit_raised():
        return False  # with a low limit locking would make later allocations fail
    return bool(libc.mlockall(_MCL_CURRENT_AND_FUTURE) == 0)


def capabilities(status: Path = Path("/proc/self/status")) -> int:
    """The effective ones of this process (capabilities(7)); none where the system does not say."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def _may_lock(effective: int) -> bool:
    return bool(effective >> _CAP_IPC_LOCK & 1)


def _limit_raised() -> bool:
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
    except (ValueError, OSError):
        return False
    return True


def memory_in_words(*, locked: bool, swaps: Path = Path("/proc/swaps")) -> str:
    """For `pbx status`: whether keys could reach a disk by way of swap."""
    if locked:
        return "locked"
    try:
        has_swap = len(swaps.read_text().splitlines()) > 1
    except OSError:
        has_swap = True
    return "NOT LOCKED: encrypt the swap, or use none" if has_swap else "not locked, and no swap"
