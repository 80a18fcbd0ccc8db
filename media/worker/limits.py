"""What the operating system has to allow a worker."""

import ctypes
import resource

from media.config import MediaConfig

PR_SET_DUMPABLE = 4


class LimitError(Exception):
    """The worker cannot start here; the text says what to change."""


def raise_files(config: MediaConfig) -> None:
    """Raise RLIMIT_NOFILE to what the configured ports need, or refuse."""
    needed = config.files_per_worker
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise LimitError(
            f"[media]: the port range needs {needed} open files in each worker, the limit is "
            f"{hard}; raise the limit (LimitNOFILE=) or narrow first_port to last_port"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def forbid_dumps() -> None:
    """Keys and audio are in this process: no core dump, no attaching by the same account."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
