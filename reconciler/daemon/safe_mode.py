"""The safe mode: after some ends in a row nothing is decided about the configuration that was active then.

`attempts` counts the ends. Another configuration ends the mode; an end counts no more once the node was at rest, or has lived for a while.
"""

from __future__ import annotations

import asyncio
import contextlib

from reconciler.daemon.attempts import Attempts
from reconciler.daemon.shell import Shell

_LOOK_AGAIN_S = 0.2
# Some states never rest: who lives so long does not end by what it decides first, and that is what is counted.
_WELL_S = 60.0


class SafeMode:
    """Holds the shell at the start where the count of ends demands it, and begins the count anew when all is well."""

    def __init__(self, shell: Shell, attempts: Attempts) -> None:
        self._shell = shell
        self._attempts = attempts

    def begin(self) -> None:
        """Hold the shell if the daemon has ended too often, unless there is no configuration that could have been the cause."""
        if (why := self._attempts.safe_mode) is not None and self._shell.node.replica.commit is not None:
            commit = self._shell.node.replica.commit[:12]
            hint = "it waits for another configuration, or for an end that is asked for"
            self._shell.hold("safe", f"{why} with {commit}; {hint}")

    async def run(self) -> None:
        """Until this life counts as well: wait for another configuration where the mode began, then for the node to be at rest."""
        await self._overtaken()
        log, number = self._shell.events, self._shell.events.last
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WELL_S):
                while not self._shell.node.coordinator.converged:
                    await log.wait(number)
                    number = log.last
        self._attempts.well()

    async def _overtaken(self) -> None:
        epoch = self._shell.node.replica.cib.version.epoch
        while "safe" in self._shell.holds:
            await asyncio.sleep(_LOOK_AGAIN_S)
            if self._shell.node.replica.cib.version.epoch != epoch:
                self._shell.release("safe")
