"""What a test asks of the product around a crash of its exchange."""

from __future__ import annotations

import os
import signal
import time

from sqlalchemy import select

from media.client import MediaClient
from storage import calls as call_store
from storage.calls import SealedCall
from storage.config import database_url
from storage.database import Database
from storage.models.calls import call as call_table
from tests.support.product import Product


async def restart(product: Product) -> float:
    """kill -9 if it lives still, and start again; seconds until phones are let in."""
    await product.kill("exchange", signal.SIGKILL)
    began = time.monotonic()
    await product.start(["exchange"])
    return time.monotonic() - began


async def records(product: Product) -> list[SealedCall]:
    database = await Database.open(database_url(f"sqlite:///{product.layout.database_file}"))
    try:
        async with database.read() as connection:
            ids = (await connection.scalars(select(call_table.c.id))).all()
            found = [await call_store.read(connection, id) for id in ids]
    finally:
        await database.close()
    return sorted(found, key=lambda call: call.row.started_at)


async def nothing_is_left(product: Product) -> None:
    """Asked of the worker itself, with the exchange gone."""
    await product.kill("exchange", signal.SIGTERM)
    client = MediaClient({0: product.layout.worker_socket(0)})
    await client.start()
    try:
        assert await client.calls() == []
    finally:
        await client.close()
    await product.start(["exchange"])


def ports_of(product: Product) -> int:
    """Sockets of the worker."""
    return len(os.listdir(f"/proc/{product.processes['worker'].pid}/fd"))
