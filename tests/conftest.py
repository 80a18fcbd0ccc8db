"""Fixtures every test may ask for; each lives in tests/support under its own subject."""

from tests.support.databases import database, database_urls, postgres_cluster, sqlite_template

__all__ = ["database", "database_urls", "postgres_cluster", "sqlite_template"]
