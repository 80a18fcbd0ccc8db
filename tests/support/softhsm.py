"""SoftHSM2 with a token of its own: a library reads its configuration once per process."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SoftHsm:
    module: str
    pin_file: Path


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    pin_file = directory / "pin"
    pin_file.write_text("13579246")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "hipaa-pbx"]
    command += ["--pin", "13579246", "--so-pin", "24681357"]
    subprocess.run(command, check=True, capture_output=True)
    return SoftHsm("/usr/lib/softhsm/libsofthsm2.so", pin_file)
