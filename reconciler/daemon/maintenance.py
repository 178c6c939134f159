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
_LOOK_S = 5.0
_LOOK_AGAIN_S = 600.0
"""After the repository was looked through, which takes a processor for seconds; and one that is soon damaged again is no better begun anew
at once."""


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


async def mend(repository: Repository, told: Callable[[str], None]) -> None:
    """Set a repository aside in which damage was met, for ever; `told` is told of each.

    Without it the commit after next would not come either, as each is read, and fetched, by what is there of the one before.
    """
    while True:
        await asyncio.sleep(_LOOK_S)
        if not repository.damaged:
            continue
        found = None
        try:
            found = await asyncio.to_thread(repository.set_aside_if_damaged)
        except ReconcilerError as error:
            say(logging.ERROR, "the damaged repository could not be looked through", reason=str(error))
        if found is not None:
            told(
                f"the repository was damaged; another one is begun, and the sources fill it. It was set aside as {found}"
            )
        await asyncio.sleep(_LOOK_AGAIN_S)
