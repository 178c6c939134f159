"""As long as nothing is decided: what was started here and has no monitor is looked at, and what does not run any more is said."""

from __future__ import annotations

import asyncio

from reconciler.controller.events import HeldUp
from reconciler.controller.executor import Executor
from reconciler.daemon.shell import Shell, moment
from reconciler.model.operation import OperationStatus, ResultCode

_LOOK_S = 10.0


class HeldUpWatch:
    """Of a shell that is held, or whose node comes to no decision."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    @property
    def _holds_up(self) -> bool:
        return bool(self._shell.holds) or self._shell.node.coordinator.undecided

    async def run(self) -> None:
        """What runs without a monitor is looked at now and then, for ever: status says what that found."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._holds_up:
                self._shell.tell(HeldUp(moment()))

    def texts(self) -> list[str]:
        """What status says of each resource that was started here and does not run any more, where nobody decides what to do about it."""
        if not self._holds_up:
            return []
        executor = self._shell.node.executor
        return [
            f"{name} does not run, and nothing is started at the moment"
            for name in found_stopped(executor)
            if not executor.monitors(name)
        ]


def found_stopped(executor: Executor) -> tuple[str, ...]:
    """What was started here and, as it was looked for, does not run any more."""
    found = sorted(executor.adopted.items())
    stopped = (ResultCode.NOT_RUNNING, OperationStatus.DONE)
    return tuple(name for name, (_, result, _) in found if (result.code, result.status) == stopped)
