"""What of commits travels: what this node's repository lacks, and the packs that its members send each other. All of it blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from reconciler.controller.events import Examine, MakePack, PackMade, PackTaken, TakePack
from reconciler.controller.moment import Moment
from reconciler.controller.packs import LARGEST_PACK_BYTES
from reconciler.controller.shared import Activation
from reconciler.errors import ReconcilerError
from reconciler.sources.git_command import TooMuchError
from reconciler.sources.repository import Repository


def missing(repository: Repository, wanted: Examine) -> tuple[str, ...]:
    """The commits that have to be there to judge one, and are not. Raises GitError."""
    return tuple(one for one in (wanted.base, wanted.commit) if one is not None and not repository.has(one))


def newest_known(repository: Repository, activations: Iterable[Activation]) -> str | None:
    """The newest of the commits that were active (oldest first) that is there; None when none is. Raises GitError."""
    return next((one.commit for one in reversed(tuple(activations)) if repository.has(one.commit)), None)


def make_pack(repository: Repository, path: str, wanted: MakePack, now: Moment) -> PackMade:
    """What another member lacks of a commit: from what it knows on, if that is here and so much travels; else the commit alone."""
    try:
        if wanted.known is not None and repository.has(wanted.known):
            with contextlib.suppress(TooMuchError):
                data = repository.export_pack(wanted.commit, path, wanted.known)
                if len(data) <= LARGEST_PACK_BYTES:
                    return PackMade(now, wanted.commit, wanted.known, wanted.known, data)
        return PackMade(now, wanted.commit, wanted.known, None, repository.export_pack(wanted.commit, path))
    except ReconcilerError as error:
        return PackMade(now, wanted.commit, wanted.known, reason=str(error))


def take_pack(repository: Repository, wanted: TakePack, now: Moment) -> PackTaken:
    """Put what another member has sent into the repository."""
    try:
        repository.import_pack(wanted.data)
        return PackTaken(now, wanted.commit, "" if repository.has(wanted.commit) else "the commit is not in it")
    except ReconcilerError as error:
        return PackTaken(now, wanted.commit, str(error))


def failed(wanted: MakePack | TakePack, reason: str, now: Moment) -> PackMade | PackTaken:
    """What the node is told when it could not be done."""
    if isinstance(wanted, MakePack):
        return PackMade(now, wanted.commit, wanted.known, reason=reason)
    return PackTaken(now, wanted.commit, reason)
