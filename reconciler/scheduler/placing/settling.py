"""Putting a primitive onto a node, or finding that it gets none; and taking that back.

Source: the scheduler's specification, part 2, sections 17.1 and 18.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause
from reconciler.scheduler.noting.actions import assigned_nowhere
from reconciler.scheduler.placing.candidates import usable
from reconciler.scheduler.placing.capacity import consume, release
from reconciler.scheduler.roles import Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def settle(
    cluster: Cluster, resource: Resource, node: ClusterNode | None, cause: Cause, *, forced: bool = False
) -> bool:
    """Settle the primitive on the node, if it is acceptable, else nowhere; whether it got one is the answer.

    A node is refused when it is forbidden or not available, though a guest node needn't be available yet; unless `forced`.
    """
    if node is not None and not forced and not _acceptable(cluster, resource, node):
        node = None
    unassign(resource)
    resource.placed.settled = True
    resource.placed.assigned = cause
    if node is None:
        resource.placed.next_role = Role.STOPPED
        resource.placed.next_role_cause = resource.placed.next_role_cause or cause
        assigned_nowhere(cluster, resource)
        return False
    resource.placed.node = node
    resource.placed.assigned_score = node.base_score if forced else resource.placed.table.scores[node.index]
    node.assigned_count += 1
    consume(node, resource)
    if cluster.show_scores:
        cluster.assignment_log.append((len(cluster.score_lines), resource, node))
    return True


def unassign(resource: Resource) -> None:
    """Take the primitive from its node: it is as if it had not been assigned yet."""
    node = resource.placed.node
    if node is None:
        return
    resource.placed.settled = False
    resource.placed.node = None
    node.assigned_count -= 1
    release(node, resource)


def settle_nowhere(cluster: Cluster, resource: Resource, cause: Cause) -> bool:
    """Settle all primitives of the resource without a node; whether any had one is the answer."""
    changed = False
    for leaf in resource.leaves():
        changed |= leaf.placed.node is not None
        settle(cluster, leaf, None, cause, forced=True)
    return changed


def _acceptable(cluster: Cluster, resource: Resource, node: ClusterNode) -> bool:
    score = resource.placed.table.scores[node.index]
    return usable(cluster, node.index, score) or (score >= 0 and node.is_guest)
