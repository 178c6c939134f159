"""What the machine is short of: descriptors, processes, memory. That is the node's trouble, and no failure of any resource.

A call that can't be begun for want of one of them is tried again here, more and more rarely, until it can. Were it answered as a
failure, the cluster would stop and start services that run well, and make the want worse.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reconciler.errors import ReconcilerError

_T = TypeVar("_T")
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0


def shortage_of(error: BaseException | None) -> int | None:
    """The errno of the want that the error, or what it came from, tells of; None when it is something else."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _SHORT:
            return error.errno
        error = error.__cause__
    return None


class Shortage:
    """What this node can't begin at present; `told` is called when that begins (with what is wanting) and when it is over (None)."""

    def __init__(self) -> None:
        self.present: str | None = None
        self.told: Callable[[str | None], None] = _nobody
        self._waiting = 0

    async def outlast(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """The answer of the first attempt that does not end for a want of the machine; it must not have begun anything then.

        **Raises** what the attempt raises otherwise.
        """
        pause_s, waits = _FIRST_PAUSE_S, False
        try:
            while True:
                try:
                    return await attempt()
                except (OSError, ReconcilerError) as error:
                    number = shortage_of(error)
                    if number is None:
                        raise
                self._waiting += not waits
                waits = True
                self._tell(f"agents can't be called at present: {os.strerror(number)}")
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        finally:
            self._waiting -= waits
            if waits and not self._waiting:
                self._tell(None)

    def _tell(self, text: str | None) -> None:
        if text != self.present:
            self.present = text
            self.told(text)


def _nobody(_text: str | None) -> None:
    """Nobody wants to be told."""
