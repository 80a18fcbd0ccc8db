"""What the operating system has to allow."""

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from media.config import MediaConfig
from media.worker.limits import raise_files
from tests.support.media_worker import ROOT


@pytest.fixture
def limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_what_the_ports_need(limit: None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    config = MediaConfig(workers=1, first_port=20_000, last_port=20_999)

    raise_files(config)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == config.files_per_worker
    raise_files(config)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == config.files_per_worker


def test_a_hard_limit_that_is_too_low_is_refused_with_what_to_do() -> None:
    program = (
        "from media.config import MediaConfig; from media.worker import limits\n"
        "try: limits.raise_files(MediaConfig(workers=1))\n"
        "except limits.LimitError as error: print(error)"
    )
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 512; exec {sys.executable} -c '{program}'"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "needs 16448 open files" in done.stdout
    assert "LimitNOFILE" in done.stdout
