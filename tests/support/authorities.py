"""A certificate authority with a server's certificate, made once in this process for many tests."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from certs.authority import Authority, create_authority
from certs.config import CertsConfig
from storage.identifiers import system_clock


@functools.cache
def _made(domain: str, config: CertsConfig) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    create_authority(folder, domain, system_clock, config).issue_server()
    return folder


def authority_in(directory: Path, domain: str, config: CertsConfig) -> Authority:
    """A copy of it, in a directory that is not there yet."""
    shutil.copytree(_made(domain, config), directory)
    return Authority.open(directory, domain, system_clock, config)
