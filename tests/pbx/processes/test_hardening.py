import ast
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pbx.processes import hardening

CANARY = "from pbx.processes import hardening; import os, resource, sys, time\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CANARY + code], capture_output=True, text=True, check=False
    )


def test_no_core_is_written_and_no_other_process_may_look_in() -> None:
    result = run(
        "hardening.keep_memory_private();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), os.stat('/proc/self/mem').st_uid)"
    )

    assert result.stdout.split() == ["(0,", "0)", "0"]


def test_a_process_dies_with_its_parent() -> None:
    script = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=sys.stdout)\n"
        "sys.stdin.read()\n"
    )
    code = (
        CANARY + "hardening.die_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, code],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert child > 0
        parent.send_signal(signal.SIGKILL)
        parent.wait()

        # The child held the other end of the pipe: it closes only when the child is gone.
        assert parent.stdout.read() == ""


def test_a_process_whose_parent_is_gone_already_ends_at_once() -> None:
    assert run("hardening.die_with(1 << 22)").returncode == os.EX_TEMPFAIL


def test_a_limit_that_is_enough_stays() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    hardening.allow_files(1)

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def test_a_limit_is_raised_where_the_system_lets_us() -> None:
    result = run(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128)); hardening.allow_files(100);"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    assert result.stdout == "(100, 128)\n"


def test_a_limit_that_cannot_be_had_is_a_sentence() -> None:
    with pytest.raises(hardening.LimitError, match="open files are needed and the limit is"):
        hardening.allow_files(1 << 40)


def test_what_the_kernel_refuses_is_an_error() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        hardening._prctl(1, 10_000)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to keep")
def test_a_process_keeps_the_right_to_lock_memory_and_nothing_else_of_root() -> None:
    limited = "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536));"
    shown = "print(hardening.keeping_lock(54321, 54322, {groups}), sep='')"
    words = {}
    for groups in ("()", "(54323, 54324)"):
        words[groups] = ast.literal_eval(run(limited + shown.format(groups=groups)).stdout)
    read = "[l for l in open('/proc/self/status') if l.startswith(('CapEff','Uid','Gid','Groups'))]"
    done = subprocess.run(
        [*words["(54323, 54324)"], sys.executable, "-I", "-c", f"print(''.join({read}))"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )

    facts = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert set(facts["Uid:"]) == {"54321"}
    assert set(facts["Gid:"]) == {"54322"}
    assert facts["Groups:"] == ["54323", "54324"]
    assert int(facts["CapEff:"][0], 16) == 1 << 14
    assert "--clear-groups" in words["()"]
    assert hardening.keeping_lock(1, 1, (), Path("/nonexistent")) == []


def policies(process: int) -> list[int]:
    """Of the threads of a process, its main thread first."""
    threads = sorted(map(int, os.listdir(f"/proc/{process}/task")), key=lambda one: one != process)
    return [os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK for thread in threads]


STARTS_A_THREAD = (
    "import sys, threading\n"
    "sys.stdin.readline()\n"
    "threading.Thread(target=sys.stdin.read).start(); print(flush=True)\n"
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may put a process ahead")
def test_media_gets_its_turn_first_and_the_threads_it_starts_do_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_A_THREAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert policies(child.pid) == [os.SCHED_OTHER]

        assert hardening.put_ahead(child.pid)

        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        assert policies(child.pid) == [os.SCHED_RR, os.SCHED_OTHER]
        child.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another account")
def test_whoever_may_not_put_media_ahead_is_told() -> None:
    code = "os.setuid(65534); print(hardening.put_ahead(os.getpid()), os.sched_getscheduler(0))"

    assert run(code).stdout.split() == ["False", "0"]


def test_a_process_that_is_gone_is_not_put_ahead() -> None:
    assert not hardening.put_ahead(1 << 22)
