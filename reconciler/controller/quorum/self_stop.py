"""What a member does that is cut off: told by a plan, or by itself when nobody tells it anything.

Source: the design of the cluster, "Quorum".
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from typing import assert_never

from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.frozen import frozen

ALONE_MS = 5_000
"""How long a member waits for an installed view before it applies the policy by itself."""
MARGIN_MS = 5_000
"""What is added to the bound of the stop policy before what a lost node ran is started elsewhere without fencing."""

FRESH_MS = 20_000
"""A member feeds its watchdog as long as most of the votes have answered something that it sent no longer ago."""


class Minority(enum.Enum):
    """What a member does without quorum: told by its DC's plan, or by itself when there is no installed view."""

    STOP_ALL = "stop-all"
    """Stop everything in reverse order of start, what is promoted first."""
    DEMOTE_THEN_STOP = "demote-then-stop"
    """Demote first, then stop the rest."""
    NOTHING_NEW = "nothing-new"
    """Leave what runs, start nothing that may run outside, fence nobody."""
    FENCE_ITSELF = "fence-itself"
    GO_ON = "go-on"


def in_minority(policy: QuorumPolicy) -> Minority:
    """What the DC of a view without quorum plans, and what a member does by itself that has had no installed view for `ALONE_MS`.

    With FENCE (suicide) no DC plans anything: each member fences itself at once.
    """
    match policy:
        case QuorumPolicy.STOP:
            return Minority.STOP_ALL
        case QuorumPolicy.DEMOTE:
            return Minority.DEMOTE_THEN_STOP
        case QuorumPolicy.FREEZE:
            return Minority.NOTHING_NEW
        case QuorumPolicy.FENCE:
            return Minority.FENCE_ITSELF
        case QuorumPolicy.IGNORE:
            return Minority.GO_ON
        case _:
            assert_never(policy)


def acts_after_ms(policy: QuorumPolicy) -> int | None:
    """How long after the view (or after the loop stood still) a member acts by itself; None: it never does."""
    match policy:
        case QuorumPolicy.FENCE:
            return 0
        case QuorumPolicy.STOP | QuorumPolicy.DEMOTE | QuorumPolicy.FREEZE:
            return ALONE_MS
        case QuorumPolicy.IGNORE:
            return None
        case _:
            assert_never(policy)


@frozen
class Active:
    """A resource that is active here: its place in the order of starts, and whether it is promoted."""

    resource: str
    started: int
    promoted: bool = False


def self_stop(policy: QuorumPolicy, active: Collection[Active]) -> tuple[tuple[str, str], ...]:
    """What a member that is cut off does about what is active on it, one after the other: (task, resource)."""
    latest_first = sorted(active, key=lambda one: (-one.started, one.resource))
    demotes = tuple(("demote", one.resource) for one in latest_first if one.promoted)
    stops = tuple(("stop", one.resource) for one in latest_first)
    match in_minority(policy):
        case Minority.STOP_ALL:
            promoted = tuple(pair for one in latest_first if one.promoted for pair in _demote_and_stop(one))
            return promoted + tuple(("stop", one.resource) for one in latest_first if not one.promoted)
        case Minority.DEMOTE_THEN_STOP:
            return demotes + stops
        case Minority.NOTHING_NEW | Minority.FENCE_ITSELF | Minority.GO_ON:
            return ()
        case unexpected:
            assert_never(unexpected)


def _demote_and_stop(one: Active) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("demote", one.resource), ("stop", one.resource)


def goes_on(policy: QuorumPolicy) -> bool:
    """Whether a member that is cut off leaves running what it runs."""
    return policy in (QuorumPolicy.FREEZE, QuorumPolicy.IGNORE)


def lost_node_grace_ms(
    configured_ms: int | None, policy: QuorumPolicy, stopping_ms: int, *, exclusive: bool = True
) -> int | None:
    """How long the quorate side waits, without fencing, before it starts what a lost node may run; None: it must never.

    A member that is cut off begins to stop after `ALONE_MS` and needs as long as all its stops take (`stopping_ms`); one that would go on,
    by its policy or as it may be quorate itself (unless we are so `exclusive`ly), is never safe to replace unless the operator says how
    long to wait.
    """
    if configured_ms is not None:
        return configured_ms
    if not exclusive or goes_on(policy):
        return None
    return ALONE_MS + stopping_ms + MARGIN_MS


def may_feed_watchdog(*, turning: bool, quorate: bool, installed: bool, fresh: bool, active: bool) -> bool:
    """Whether a watchdog device may be fed: while the loop turns, and the view is quorate and installed or nothing of ours is active.

    `fresh`: those who have quorum have lately answered us, so that we know that they have not gone on without us.
    """
    return turning and ((quorate and installed and fresh) or not active)
