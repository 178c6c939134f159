"""How commits stand to each other: most are direct children, which is seen in this process; a long way is walked by git."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.controller.admission import Relation
from reconciler.sources.commit_object import CommitObject
from reconciler.sources.git_command import MissingObjectError

if TYPE_CHECKING:
    from reconciler.sources.repository import Repository

_SHORT_WAY = 32
"""So many commits are read one by one before a git process is faster."""


def relation(repository: Repository, commit: str, other: str | None) -> Relation:
    """How a commit stands to another one, which may have been lost: then nothing is known to join them. **Raises** GitError."""
    if other is None:
        return Relation.NONE
    if commit == other:
        return Relation.SAME
    if not repository.has(other):
        return Relation.APART
    if repository.is_ancestor(other, commit):
        return Relation.AHEAD
    return Relation.BEHIND if repository.is_ancestor(commit, other) else Relation.APART


def descends(commit: Callable[[str], CommitObject], old: str, new: str, ends: Callable[[str], None]) -> bool | None:
    """Whether `new` descends from `old` (or is it); None when that is too far to walk.

    Where history was cut off it ends: what lies behind is taken for not there, and `ends` is told which commits have a parent that is
    not here. **Raises** MissingObjectError when `new` is not here.
    """
    if old == new:
        return True
    waiting, seen = deque((parent, new) for parent in commit(new).facts.parents), {new}
    while waiting:
        name, child = waiting.popleft()
        if name == old:
            return True
        if name in seen:
            continue
        seen.add(name)
        if len(seen) > _SHORT_WAY:
            return None
        try:
            waiting.extend((parent, name) for parent in commit(name).facts.parents)
        except MissingObjectError:
            ends(child)
    return False
