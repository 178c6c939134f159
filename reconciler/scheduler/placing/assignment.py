"""Assigning resources of every kind to nodes.

A kind assigns its parts, and each first assigns what it is colocated with, so the kinds call one another: by way of `assign`, and of
the table that `placing.kinds` holds.
Source: the scheduler's specification, part 2, sections 16.3 and 18 to 22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def assign(cluster: Cluster, resource: Resource, preferred: ClusterNode | None = None) -> ClusterNode | None:
    """Assign the resource, if that wasn't done yet; the answer is the node of a primitive or of a group's first member.

    What is in the middle of its assignment has no node yet, and so has no effect on what asks for it.
    """
    return cluster.assigners[resource.kind](cluster, resource, preferred)
