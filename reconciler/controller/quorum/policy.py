"""The policy for resources without quorum, and what a view may do under it.

Source: Pacemaker Explained, "no-quorum-policy".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import assert_never

from reconciler.controller.quorum.votes import Quorum
from reconciler.frozen import frozen


class QuorumPolicy(enum.Enum):
    """What becomes of resources without quorum (`no-quorum-policy`)."""

    STOP = "stop"
    DEMOTE = "demote"
    FREEZE = "freeze"
    FENCE = "fence"
    IGNORE = "ignore"


class Absence(enum.Enum):
    """What is known of a node that is not in the view."""

    LEFT = "left"
    """It went cleanly: nothing of it runs."""
    DOWN = "down"
    """It was fenced, or an operator confirmed that it is off."""
    WAITED = "waited"
    """Fencing is off, and its grace has passed: it is taken to run nothing, and may have decided anything."""
    UNKNOWN = "unknown"
    """It may still run what it ran."""


@frozen
class Permissions:
    """What a view may do. `start` covers promoting; `recover` is to start what a node outside may run."""

    activate: bool
    override: bool
    start: bool
    recover: bool
    fence: bool


NOTHING = Permissions(False, False, False, False, False)


def permissions(
    quorum: Quorum, installed: bool, policy: QuorumPolicy, missing: Mapping[str, Absence], *, fencing: bool
) -> Permissions:
    """What the members of a view may do, given what is known of each node that is missing from it.

    Without quorum no configuration and no override is accepted, whatever the policy. A view that is quorate without a majority of all
    votes only fences until each missing node is accounted for: the others may be quorate as well, and think the same of us.
    """
    if not installed:
        return NOTHING
    if quorum.exclusive:
        return Permissions(activate=True, override=True, start=True, recover=True, fence=fencing)
    if quorum.quorate:
        decides = not doubtful(missing)
        begins = Absence.UNKNOWN not in missing.values()
        return Permissions(decides, decides, begins, begins, fence=fencing)
    match policy:
        case QuorumPolicy.IGNORE:
            return Permissions(False, False, start=True, recover=True, fence=fencing)
        case QuorumPolicy.FREEZE:
            return Permissions(False, False, start=True, recover=False, fence=False)
        case QuorumPolicy.STOP | QuorumPolicy.DEMOTE | QuorumPolicy.FENCE:
            return NOTHING
        case _:
            assert_never(policy)


def doubtful(missing: Mapping[str, Absence]) -> frozenset[str]:
    """The missing nodes that may have decided something since they were seen."""
    return frozenset(node for node, absence in missing.items() if absence in (Absence.UNKNOWN, Absence.WAITED))
