"""How the preferences of dependents reach their primary, and, for sorting resources, those of primaries their dependents.

A plain walk comes by a colocation once for each way that leads to it. Where that are too many, `Tangle` finds the same scores.
Source: the scheduler's specification, part 2, sections 3.3 and 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.placing.tangle import Tangle
from reconciler.scheduler.placing.walk import BY_NAME, TooLongError, Walk, factor

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.resource import Resource
    from reconciler.scheduler.working.table import NodeTable


def mix_dependent(
    cluster: Cluster,
    colocation: ColocationPair,
    table: NodeTable,
    *,
    positive_only: bool = False,
    droppable: bool = True,
) -> NodeTable:
    """The table with the preferences of the constraint's dependent, and of what depends on that, mixed in."""
    return _mix(cluster, colocation, colocation.dependent, table, positive_only=positive_only, droppable=droppable)


def mix_primary(
    cluster: Cluster, colocation: ColocationPair, table: NodeTable, *, droppable: bool = False
) -> NodeTable:
    """The table with the preferences of the constraint's primary, and of what depends on that, mixed in."""
    return _mix(cluster, colocation, colocation.primary, table, positive_only=False, droppable=droppable)


def _mix(
    cluster: Cluster,
    colocation: ColocationPair,
    resource: Resource,
    table: NodeTable,
    *,
    positive_only: bool,
    droppable: bool,
) -> NodeTable:
    attribute, share = colocation.node_attribute or BY_NAME, factor(colocation)
    try:
        return Walk(cluster, positive_only=positive_only).mix(resource, table, attribute, share, droppable)
    except TooLongError:
        return Tangle(cluster, positive_only=positive_only).mix(resource, table, attribute, share, droppable)


def own_and_primaries(cluster: Cluster, resource: Resource) -> NodeTable | None:
    """The resource's table with the preferences of its primaries, and of theirs, mixed in; None for an empty group."""
    try:
        return Walk(cluster, forward=True).collect(resource)
    except TooLongError:
        return Tangle(cluster, forward=True).collect(resource)
