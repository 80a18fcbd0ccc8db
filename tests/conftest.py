"""Fixtures every test may ask for; each lives in tests/support under its own subject."""

import os

from hypothesis import HealthCheck, settings

from pbx import logs
from tests.support.clinic import clinic, field_key
from tests.support.databases import database, database_urls, postgres_cluster, sqlite_template
from tests.support.directories import open_path
from tests.support.installation import installation
from tests.support.measuring import pytest_runtest_protocol
from tests.support.stores import stores

__all__ = [
    "clinic",
    "database",
    "database_urls",
    "field_key",
    "installation",
    "open_path",
    "postgres_cluster",
    "pytest_runtest_protocol",
    "sqlite_template",
    "stores",
]

# Processes that tests start import eight times as slowly without their byte code.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# structlog's own default prints the local variables of every frame: slow, and a leak.
logs.configure(process="test", shape="json")

# How long an example takes, or how long it takes to think of one, says how busy the machine is.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
