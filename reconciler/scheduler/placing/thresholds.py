"""Migration thresholds: a node on which a resource failed too often is forbidden to it.

Source: the scheduler's specification, part 2, section 10.2; part 1, section 14.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions_exactly
from reconciler.scheduler.noting.scores import ban
from reconciler.scheduler.recalling.fail_counts import fail_count

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def apply_thresholds(cluster: Cluster) -> None:
    """Ban each primitive from the nodes where it reached its threshold; instances without identity with their whole clone."""
    for node in cluster.nodes:
        if not node.failures:
            continue
        for resource in cluster.resources:
            for leaf in resource.leaves():
                _apply(cluster, leaf, node)


def threshold_reached(cluster: Cluster, resource: Resource, node: ClusterNode) -> int:
    """The fail count with which the resource reached its migration threshold on the node, 0 if it didn't."""
    if resource.configured.migration_threshold == 0 or resource.found.failure_ignored:
        return 0
    count = fail_count(cluster, resource, node, effective=True, include_fillers=True)
    return count if count > 0 and count >= resource.configured.migration_threshold else 0


def _apply(cluster: Cluster, primitive: Resource, node: ClusterNode) -> None:
    if find_actions_exactly(primitive, action_key(primitive.id, "clear_failcount"), node):
        return
    count = threshold_reached(cluster, primitive, node)
    if count:
        banned = primitive if primitive.configured.unique else primitive.root
        ban(banned, node, Cause(Why.MIGRATION_THRESHOLD, primitive.id, str(count)))
