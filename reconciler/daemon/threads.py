"""Threads for calls that block: each kind of work has its own, so that a slow kind holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Threads:
    """At most `count` threads for one kind of work; what comes when all are busy waits its turn, in order."""

    def __init__(self, kind: str, count: int) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=kind)

    async def run(self, function: Callable[_P, _R], *args: _P.args, **named: _P.kwargs) -> _R:
        """What the function returns or raises; it goes on to its end even if nobody waits for it any more."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **named))
