"""What is known of each node at an installation: a deterministic function of what was known before and of who is there.

Source: the design of the cluster, "Membership" (INSTALLED); Pacemaker Explained, "startup-fencing".
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import assert_never

from reconciler.frozen import frozen

GRACE_MS = 15_000
"""How long a process may be gone from a host that is there before its node counts as lost: a restart of the daemon takes less."""


class Presence(enum.Enum):
    """How a node stands in the shared state."""

    ONLINE = "online"
    """It takes part."""
    DOWN = "down"
    """It went cleanly, was fenced, or an operator confirmed that it is off: nothing of it runs."""
    WAITED = "waited"
    """Without fencing, it was waited for long enough: nothing of it is believed to run."""
    PENDING = "pending"
    """Its process is gone and its host is there: it may be back before the grace ends. What it ran may run."""
    UNCLEAN = "unclean"
    """It is gone otherwise: what it ran may run."""


@frozen
class Attendance:
    """Who is there: `present` take part, `hosts` are seen by the fabric, `leaving` have said that they go with nothing running."""

    present: frozenset[str]
    hosts: frozenset[str]
    leaving: frozenset[str] = frozenset()


def presences(
    before: Mapping[str, Presence], attendance: Attendance, configured: Collection[str], *, startup_fencing: bool
) -> dict[str, Presence]:
    """How every node stands from now on. One that was never seen is unclean, unless it is not to be fenced at start-up."""
    nodes = sorted({*before, *attendance.present, *configured})
    unseen = Presence.UNCLEAN if startup_fencing else Presence.DOWN
    return {node: _presence(node, before.get(node, unseen), attendance) for node in nodes}


def _presence(node: str, before: Presence, attendance: Attendance) -> Presence:
    if node in attendance.present:
        return Presence.ONLINE
    match before:
        case Presence.DOWN | Presence.WAITED | Presence.UNCLEAN:
            return before
        case Presence.ONLINE if node in attendance.leaving:
            return Presence.DOWN
        case Presence.ONLINE | Presence.PENDING:
            return Presence.PENDING if node in attendance.hosts else Presence.UNCLEAN
        case _:
            assert_never(before)


def after_grace(before: Mapping[str, Presence], node: str) -> dict[str, Presence]:
    """The grace of a node is over: if it is still awaited, it is lost."""
    lost = before.get(node) is Presence.PENDING
    return {**before, node: Presence.UNCLEAN} if lost else dict(before)
