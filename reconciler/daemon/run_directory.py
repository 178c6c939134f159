"""The run directory, and that of the socket where it is another: locked from the start of the daemon to its end, and there all the time.

Who clears up below /run, or unmounts it, takes away what operators and agents reach the daemon by. It goes on caring for what runs,
and makes all of it anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from reconciler.daemon.config import NodeConfig
from reconciler.daemon.lock import LockError, check_owner, lock
from reconciler.daemon.log import say

_LOOK_S = 5.0


class RunDirectory:
    """The locks that one daemon holds."""

    def __init__(self, config: NodeConfig) -> None:
        """Take the locks. **Raises** BusyError and LockError, and then none is held."""
        self.path = config.run
        self._held: dict[str, tuple[int, str]] = {}
        wanted = {os.path.join(config.run, "lock"): "run directory"}
        if os.path.realpath(os.path.dirname(config.socket)) != os.path.realpath(config.run):
            wanted[f"{config.socket}.lock"] = "socket's directory"
        try:
            for path, what in wanted.items():
                self._held[path] = lock(path, what), what
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Hold nothing any more."""
        for descriptor, _ in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def lost(self) -> list[str]:
        """The locks whose files are not there any more, or are others."""
        return [path for path, (descriptor, _) in self._held.items() if not is_file_of(path, descriptor)]

    def take_again(self) -> None:
        """Lock what was lost, in directories made anew. **Raises** LockError, also when another daemon was faster."""
        check_owner(self.path, "run directory")
        for path in self.lost():
            former, what = self._held[path]
            self._held[path] = lock(path, what), what
            os.close(former)


def is_file_of(path: str, descriptor: int) -> bool:
    """Whether a path still names the file that is open."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


async def keep(directory: RunDirectory, is_whole: Callable[[], bool], remake: Callable[[], None]) -> None:
    """See to it that what was put into the run directory is there, for ever.

    `is_whole` tells of what others keep there, `remake` makes that anew where it is missing, and **raises** OSError.
    """
    trouble = None
    while True:
        await asyncio.sleep(_LOOK_S)
        lost = directory.lost()
        if not lost and is_whole():
            trouble = None
            continue
        try:
            directory.take_again()
            remake()
        except (LockError, OSError) as error:
            cause = f": {error.__cause__}" if error.__cause__ is not None else ""
            if trouble != (trouble := f"{error}{cause}"):
                say(logging.ERROR, "what was removed from the run directory can't be made anew", reason=trouble)
        else:
            trouble = None
            say(logging.WARNING, "what was removed from the run directory was made anew", path=directory.path)
