"""Unfencing: nodes that must be told to fence devices before anything of the devices' users runs there.

Source: the scheduler's specification, part 3, sections 12.2 and 12.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.fencing import fence_operation
from reconciler.scheduler.noting.orderings import add_edge

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

UNFENCED = "#node-unfenced"


def unfence(cluster: Cluster, node: ClusterNode) -> Action:
    """The operation that unfences the node, optional unless it is required already."""
    return fence_operation(cluster, node, "on", optional=True, reason=None)


def order_after_unfencing(
    cluster: Cluster, resource: Resource, node: ClusterNode, action: Action, effects: int
) -> None:
    """A probe or start of a fence device, or of what needs unfencing, waits for the node's unfencing.

    That is required only where it was never done.
    """
    if not ((cluster.unfencing and resource.configured.is_stonith) or resource.configured.needs_unfencing):
        return
    add_edge(unfence(cluster, node), action, effects, Cause(Why.FENCING, node.name, "unfencing"))
    if node.attributes.get(UNFENCED, "0") == "0":
        require_unfencing(cluster, None, node, f"required by {resource.id} {action.task}")


def require_unfencing(cluster: Cluster, device: Resource | None, node: ClusterNode | None, reason: str) -> None:
    """Unfence the node; with a device but no usable node, every node that the device may run on.

    Nothing is done where unfencing is not in use, for a resource that is no device, and on nodes that can't be used.
    """
    if not cluster.unfencing or (device is not None and not device.configured.is_stonith):
        return
    if node is not None and _usable(node):
        fence_operation(cluster, node, "on", optional=False, reason=reason)
    elif device is not None:
        for index in device.placed.table:
            if _usable(cluster.nodes_by_index[index]):
                require_unfencing(cluster, device, cluster.nodes_by_index[index], reason)


def _usable(node: ClusterNode) -> bool:
    return node.online and not node.unclean and not node.shutdown
