"""A process that starts, answers pings and stops."""


class Idle:
    """Nothing to serve."""

    async def start(self) -> dict[str, str]:
        return {}

    async def reload(self) -> dict[str, str]:
        return {}

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        return
