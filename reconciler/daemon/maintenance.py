"""The node's repository as a chore: opened after whatever end the last daemon had, and packed now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from reconciler.daemon.log import say
from reconciler.errors import ReconcilerError
from reconciler.sources.repository import Repository

# Every commit and fetch leaves a pack, and every look-up searches all of them.
_MAINTAIN_S = 6 * 3600.0
_MOST_NAMED = 20


def open_repository(path: str, warn: Callable[[str], None]) -> Repository:
    """The repository at a path, made if it is not there; `warn` is told when it can't be used.

    Without one nothing new comes, but what runs is cared for all the same.
    """
    repository = Repository(path, make=False)
    try:
        repository.make()
        # The state directory is ours alone: what lies there locked or half-written belongs to a process that was killed.
        if left := repository.recover():
            files = " ".join(left[:_MOST_NAMED])
            say(logging.WARNING, "what a killed process left in the repository was removed", files=files)
    except ReconcilerError as error:
        warn(f"the repository can't be used: {error}")
    return repository


async def maintain(repository: Repository, kept: Callable[[], Iterable[str]]) -> None:
    """Pack the repository now and then, for ever, and prune what is not reachable from the commits that are `kept`."""
    while True:
        await asyncio.sleep(_MAINTAIN_S)
        commits = list(kept())
        try:
            await asyncio.to_thread(repository.make)
            await asyncio.to_thread(repository.maintain)
            await asyncio.to_thread(repository.prune, commits)
        except ReconcilerError as error:
            say(logging.WARNING, "the repository could not be packed", reason=str(error))
