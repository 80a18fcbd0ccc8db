"""A certificate made off the loop; what the authority refuses is told to whoever asked."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from certs.errors import CertsError
from pbx.access.errors import RuleBroken

P = ParamSpec("P")
T = TypeVar("T")


async def issued(issue: Callable[P, T], *words: P.args, **named: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(issue, *words, **named)
    except CertsError as error:
        raise RuleBroken(str(error).rstrip(".")) from None
