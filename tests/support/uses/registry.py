"""How each route is used once, properly: the table, and how to add to it."""

from collections.abc import Awaitable, Callable

import httpx

from tests.support.clinic import Clinic, Member

Verb = Callable[..., Awaitable[object]]

Use = Callable[[Clinic, Member], Awaitable[httpx.Response]]

USES: dict[tuple[str, str], Use] = {}

serial = iter(range(10_000))


def use(method: str, path: str) -> Callable[[Use], Use]:
    def remember(function: Use) -> Use:
        USES[method, path] = function
        return function

    return remember


def reading(method: str, path: str, actual: str | None = None) -> None:
    """A route that needs nothing but its path."""

    async def plain(clinic: Clinic, who: Member) -> httpx.Response:
        return await clinic.ask(who, method, actual or path)

    USES[method, path] = plain
