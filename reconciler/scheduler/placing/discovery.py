"""Exclusive discovery: where constraints name the only nodes on which a resource may be looked for, no other may run it.

Source: the scheduler's specification, part 2, section 10.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.working.table import EXCLUSIVE

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def apply_exclusive_discovery(cluster: Cluster) -> None:
    """Ban the resources that are marked exclusive, and what is below them, from the nodes that aren't."""
    for resource in cluster.resources:
        _apply(resource)


def _apply(resource: Resource) -> None:
    if not (resource.placed.exclusive_discovery or resource.root.placed.exclusive_discovery):
        return
    for child in resource.children:
        _apply(child)
    table = resource.placed.table
    for index in table.scores:
        if table.mode(index) != EXCLUSIVE:
            table.set(index, -INFINITY)
            cause = Cause(Why.DISCOVERY, resource.id)
            resource.placed.contributions.append(Contribution(index, -INFINITY, cause, replaced=True))
