"""What speaks for the restored state being the newest: a sound journal, and the commit that the repository names as active.

Two witnesses that fail apart: a journal that lost its end says so (or the repository knows better), and as long as nobody vouches for
the configuration, nothing is started or stopped by it.
Source: the design of the cluster, safety rule 8.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.controller.shared import Activation, Shared
from reconciler.frozen import frozen


@frozen
class Doubt:
    """Why the restored configuration may not be the newest, and the commit to propose before anything else, if one is known."""

    why: str
    newer: str | None = None


def doubt_of(
    commit: str | None, activations: Sequence[Activation], problems: Sequence[str], named: str | None
) -> Doubt | None:
    """Whether to trust a restored state with this active commit: `problems` has its damages, `named` what the repository says was active.

    A repository that names an older commit is only behind: it is told after the journal. One that names a commit that the state never
    heard of knows better.
    """
    if named == commit and commit is not None:
        return None
    if named is not None and all(activation.commit != named for activation in activations):
        known = "the state knows of no configuration" if commit is None else f"the state goes up to {commit[:12]} only"
        return Doubt(f"the repository says that {named[:12]} was active, and {known}; it is proposed again", named)
    if not problems:
        return None
    if commit is None:
        return Doubt("the state is damaged, and nothing is left of the configuration that was active")
    return Doubt(f"the state is damaged, and nothing vouches for {commit[:12]} being the newest configuration")


def is_one_of_several(shared: Shared, name: str) -> bool:
    """Whether others have votes besides this node: they know what it may have forgotten, and it must not outvote them by what it has."""
    return bool(shared.votes.keys() - {name})
