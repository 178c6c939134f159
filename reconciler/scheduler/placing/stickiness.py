"""Stickiness: what is active prefers to stay where it is.

Source: the scheduler's specification, part 2, section 10.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.scores import add_score

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def apply_stickiness(cluster: Cluster) -> None:
    """Add its stickiness for the node of each managed primitive that is active on exactly one.

    In an opt-in cluster it holds nothing on a node that is no candidate any more.
    """
    for resource in cluster.resources:
        for leaf in resource.leaves():
            _stick(cluster, leaf)


def _stick(cluster: Cluster, primitive: Resource) -> None:
    if not primitive.managed or primitive.configured.stickiness < 1 or len(primitive.found.active_on) != 1:
        return
    node = primitive.found.active_on[0]
    if cluster.options.symmetric_cluster or node.index in primitive.placed.table.scores:
        add_score(primitive, node, primitive.configured.stickiness, Cause(Why.STICKINESS, primitive.id))
