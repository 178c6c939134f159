"""A node that is no part of the cluster any more: its vote counts no longer, and nothing of it stays in what members share.

Its vote may be taken away only by those who may also activate: they have a majority of the votes as they were, or know of everybody who is
missing that nothing of it runs. So whoever holds an older list can't decide anything that these have not heard of.
Source: the design of the cluster, "Terms" (the list of nodes and votes changes one at a time, in a quorate view).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from reconciler.cib import Cib
from reconciler.controller.fencing.record import Fencing
from reconciler.controller.membership.presence import Presence
from reconciler.controller.standing import Member
from reconciler.frozen import replace


class Unforgettable(enum.Enum):
    """Why a node can't be forgotten."""

    UNKNOWN = "unknown"
    TAKES_PART = "takes-part"
    CONFIGURED = "configured"
    NOT_DOWN = "not-down"
    NO_QUORUM = "no-quorum"


def why_kept(
    cib: Cib, nodes: Mapping[str, Member], votes: Mapping[str, int], node: str, *, may_decide: bool
) -> Unforgettable | None:
    """Why a node can't be forgotten in this state; None when it can. `may_decide`: the installed view may activate.

    What the configuration names stays known: a configured node of which nothing is known would have to be fenced.
    """
    known = nodes.get(node)
    if known is None and node not in votes and all(state.name != node for state in cib.status.nodes):
        return Unforgettable.UNKNOWN
    if known is not None and known.presence is Presence.ONLINE:
        return Unforgettable.TAKES_PART
    if any(one.name == node for one in cib.configuration.nodes):
        return Unforgettable.CONFIGURED
    if not may_decide:
        return Unforgettable.NO_QUORUM
    if known is not None and known.presence not in (Presence.DOWN, Presence.WAITED):
        return Unforgettable.NOT_DOWN
    return None


def status_without(cib: Cib, node: str) -> Cib:
    """The CIB in whose status there is nothing of a node, in a later version."""
    left = tuple(state for state in cib.status.nodes if state.name != node)
    if len(left) == len(cib.status.nodes):
        return cib
    version = replace(cib.version, num_updates=cib.version.num_updates + 1)
    return replace(cib, status=replace(cib.status, nodes=left), version=version)


def fencing_without(fencing: Fencing, node: str) -> Fencing:
    """The record of fencing without a node, but for the count of its orders: no two may ever have the same number."""
    if node not in fencing.records:
        return fencing
    return replace(fencing, records={target: record for target, record in fencing.records.items() if target != node})
