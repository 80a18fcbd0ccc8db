"""The administration interface of an exchange: its sockets, and what ends by date.

Everything that takes the web framework is imported from here, when phones are served already.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from certs.authority import Authority
from pbx.admin.api import create_app
from pbx.admin.config import AdminConfig
from pbx.admin.context import AdminContext
from pbx.admin.lifecycle import Lifecycle
from pbx.admin.management import ManagementServer
from pbx.admin.operators import withdrawing
from pbx.admin.server import AdminServer


class Interface:
    """Started when everything that it shows is there.

    It is made in a thread: the application takes a fifth of a second, which no phone waits for.
    """

    def __init__(self, context: AdminContext, authority: Authority, config: AdminConfig) -> None:
        self._context, self._authority, self._config = context, authority, config
        self._app = create_app(context)
        self._entered = AsyncExitStack()

    async def start(self) -> dict[str, str]:
        """Where it is to be found, in words for a person."""
        context, endpoints = self._context, {}
        if context.plane is not None:
            context.plane.enders.register("certificates", withdrawing(self._authority))
            living = asyncio.create_task(Lifecycle(context.plane).run())
            self._entered.push_async_callback(_ended, living)
        admin = AdminServer(self._app, context.layout.admin_socket)
        await admin.start()
        self._entered.push_async_callback(admin.stop)
        if self._config.listen:
            server = ManagementServer(self._config, self._authority, admin)
            self._entered.push_async_callback(server.stop)
            context.alarms.append(server.alarms)
            endpoints["management over TLS"] = server.start()
        return endpoints

    async def stop(self) -> None:
        await self._entered.aclose()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
