"""The daemon's one place where any error ends: of an event, of a call, of a task.

What one of them broke must not stop the care for all resources. A failure is told once, and what its remedy says is done: the program
goes on, or ends when going on would risk data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.errors import ReconcilerError, Remedy


class Caught:
    """What a guarded block came to: `error` is None when it went through."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: Exception | None = None


class Supervisor:
    """Guards blocks and tasks. `failed` is told of each failure, `end` why the program must end."""

    def __init__(self, failed: Callable[[Exception], None], end: Callable[[str], None]) -> None:
        self._failed = failed
        self._end = end
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def guarded(self) -> Iterator[Caught]:
        """Run the block; an error in it is told and kept in what `with` gives, and the code behind the block goes on."""
        caught = Caught()
        try:
            yield caught
        except Exception as error:  # noqa: BLE001 - the one place that catches everything, and it reports what it caught
            caught.error = error
            self._failed(error)
            if isinstance(error, ReconcilerError) and error.remedy is Remedy.STOP:
                self._end(str(error))

    def begin(self, work: Coroutine[Any, Any, None], *, vital: bool = False) -> None:
        """Run the work as a task. One that fails is told; without a `vital` one the program ends."""
        task = asyncio.get_running_loop().create_task(self._guard(work, vital))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # One that was cancelled before it began has never been awaited.

    async def stop(self) -> None:
        """Cancel all tasks, and wait until they have ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, None], vital: bool) -> None:
        with self.guarded() as caught:
            await work
        if vital and caught.error is not None:
            self._end(f"{type(caught.error).__name__}: {caught.error}")
