"""Forgetting: deleting a resource's history on a node, and clearing its fail count there.

Source: the scheduler's specification, part 3, sections 4.6 and 5.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.recalling.fail_counts import clear_fail_count, fail_count
from reconciler.scheduler.working.effects import ORD, RT

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def schedule_cleanup(
    cluster: Cluster, resource: Resource, node: ClusterNode, *, optional: bool, cause: Cause | None = None
) -> None:
    """Delete the resource's history on the node once it is stopped, before it starts anywhere.

    Nothing is done for a failed resource, nor on a node that is offline or unclean.
    """
    if resource.found.failed or node.unclean or not node.online:
        return
    key = action_key(resource.id, "delete")
    request(cluster, resource, key, "delete", node, optional=optional, cause=cause)
    effects = RT if optional else ORD
    why = cause or Cause(Why.IMPLICIT, resource.id, "clean-up")
    order(cluster, (resource, action_key(resource.id, "stop")), (resource, key), effects, why)
    order(cluster, (resource, key), (resource, action_key(resource.id, "start")), effects, why)


def clear_orphan_fail_counts(cluster: Cluster) -> None:
    """Clear the fail counts of orphans on the nodes that are online, before the orphans stop (section 5.4)."""
    if not cluster.options.stop_orphan_resources:
        return
    for resource in cluster.resources:
        if not resource.configured.orphan:
            continue
        for node in cluster.nodes:
            if node.online and fail_count(cluster, resource, node, effective=True, include_fillers=False):
                cause = Cause(Why.ORPHAN, resource.id)
                cleared = clear_fail_count(cluster, resource, node, "it is orphaned")
                order(cluster, cleared, (resource, action_key(resource.id, "stop")), ORD, cause)
