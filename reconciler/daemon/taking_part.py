"""Whether this node takes part in the cluster at the moment. While it does not, what it says of the cluster is no more than a memory."""

from __future__ import annotations

import enum

from reconciler.controller.node import Node


class TakingPart(enum.Enum):
    """How a node stands to the cluster."""

    YES = "yes"
    """A view with it is installed: what it says of the cluster is what all members say."""
    JOINING = "joining"
    """It is on its way into a view, or a view changes: whether there is a quorum is not known yet."""
    AWAY = "away"
    """The others excluded it, and it stays out for a while."""
    CUT_OFF = "cut-off"
    """It was in no view for too long, or is not heard any more: it stops by itself what it runs."""


def taking_part(node: Node) -> TakingPart:
    """How this node stands to the cluster now."""
    if node.cut_off.ends is not None:
        return TakingPart.CUT_OFF
    if node.replica.partition.installed:
        return TakingPart.YES
    return TakingPart.JOINING if node.stays_away is None else TakingPart.AWAY


def at_rest(node: Node) -> bool:
    """Whether nothing is left to do, as far as a member can know."""
    return node.converged and taking_part(node) is TakingPart.YES
