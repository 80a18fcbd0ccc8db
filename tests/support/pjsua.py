"""A real phone for tests: PJSIP (pjsua2) over TLS, driven from asyncio."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Event = dict[str, Any]
AGENT = Path(__file__).with_name("pjsua_agent.py")


class PjsuaPhone:
    """One PJSIP process. `events` keeps all it said; `wait` returns the next that matches."""

    def __init__(self, prefix: tuple[str, ...] = (), **options: Any) -> None:
        """Options: user, domain, host, port, username, password, ca_file, bind, codecs, …

        `prefix` goes before the command: a network namespace.
        """
        self.options = options
        self._prefix = prefix
        self.events: list[Event] = []
        self.log: list[str] = []
        self._seen: dict[str, int] = {}  # event name -> index after the last one waited for
        self._news = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> PjsuaPhone:
        self._process = await asyncio.create_subprocess_exec(
            *self._prefix,
            sys.executable,
            str(AGENT),
            json.dumps(self.options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**20,
        )
        self._reader = asyncio.create_task(self._read())
        await self.wait("started")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process and self._reader
        if self._process.returncode is None:
            try:
                self.do("quit")
                await asyncio.wait_for(self._process.wait(), 3)
            except (TimeoutError, ConnectionError):
                self._process.kill()
                await self._process.wait()
        await self._reader

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """The phone vanishes: no BYE, no unregister."""
        assert self._process
        self._process.kill()

    def do(self, name: str, **arguments: Any) -> None:
        assert self._process and self._process.stdin
        self._process.stdin.write(json.dumps({"do": name, **arguments}).encode() + b"\n")

    async def wait(
        self,
        name: str,
        matches: Callable[[Event], bool] = lambda _: True,
        *,
        seconds: float = 60.0,
        **facts: Any,
    ) -> Event:
        """The next event of this name with these facts; each is returned once."""

        def position() -> int | None:
            for index in range(self._seen.get(name, 0), len(self.events)):
                event = self.events[index]
                if (
                    event["event"] == name
                    and all(event.get(key) == value for key, value in facts.items())
                    and matches(event)
                ):
                    return index
            return None

        async def found() -> Event:
            async with self._news:
                while (index := position()) is None:
                    if self._process and self._process.returncode is not None:
                        raise AssertionError(f"phone ended before {name} {facts}: {self.tail()}")
                    await self._news.wait()
                self._seen[name] = index + 1
                return self.events[index]

        try:
            return await asyncio.wait_for(found(), seconds)
        except TimeoutError:
            raise AssertionError(f"no {name} {facts} in {seconds} s: {self.tail()}") from None

    def tail(self) -> str:
        said = [{**event, "message": "…"} if "message" in event else event for event in self.events]
        return json.dumps(said[-12:]) + "\n" + "\n".join(self.log[-40:])

    async def _read(self) -> None:
        assert self._process and self._process.stdout
        async for line in self._process.stdout:
            async with self._news:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.log.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()
        await self._process.wait()
        async with self._news:
            self._news.notify_all()

    # What a person does with a phone.

    async def registered(self, **kwargs: Any) -> None:
        await self.wait("registration", code=200, **kwargs)

    async def call(self, uri: str, **how: Any) -> int:
        self.do("call", uri=uri, **how)
        event = await self.wait("calling")
        return int(event["call"])

    async def confirmed(self, call: int, **kwargs: Any) -> None:
        await self.wait("state", call=call, state="CONFIRMED", **kwargs)

    async def disconnected(self, call: int, **kwargs: Any) -> Event:
        return await self.wait("state", call=call, state="DISCONNECTED", **kwargs)
