"""Fencing of nodes: whether it is possible, and marking a node for it.

Source: the scheduler's specification, part 1, sections 6 and 7.3; part 3, section 12.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.noting import actions
from reconciler.scheduler.working.node import NodeKind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import Node


def can_fence(cluster: Cluster, node: Node) -> bool:
    """Whether the node can be fenced: for a guest, whether every node its container is active on is up or can be."""
    if node.is_guest and node.connection is not None and node.connection.container is not None:
        return all(host.online or can_fence(cluster, host) for host in node.connection.container.active_on)
    if not (cluster.options.stonith_enabled and cluster.has_fence_device):
        return False
    return cluster.have_quorum or cluster.options.no_quorum_policy == "ignore" or node.online


def mark_for_fencing(cluster: Cluster, node: Node, reason: str, *, priority_delay: bool = False) -> None:
    """Mark the node for fencing because of `reason`; whether it comes to that is decided when actions are made.

    A guest is recovered by restarting its container instead. `priority_delay` says that priority-fencing-delay is to be considered.
    """
    if node.is_guest:
        _reset_guest(node)
        return
    connection = node.connection
    if is_dangling_guest(node) and connection is not None:
        connection.failed = connection.must_stop = True
        return
    if node.kind is NodeKind.REMOTE:
        if connection is None or connection.managed:
            node.requires_reset = True
    elif node.unclean:
        return
    node.unclean = True
    if node.fence_reason is None:
        node.fence_reason = reason
    actions.fence_operation(cluster, node, optional=True, reason=reason, priority_delay=priority_delay)


def is_dangling_guest(node: Node) -> bool:
    """Whether it is a guest whose container no longer exists: an orphaned connection that had one recorded."""
    connection = node.connection
    if node.kind is not NodeKind.REMOTE or connection is None:
        return False
    return connection.filler_orphan and connection.container is None


def _reset_guest(node: Node) -> None:
    container = None if node.connection is None else node.connection.container
    if container is not None and not container.failed and container.managed:
        node.requires_reset = True
        container.failed = container.must_stop = True
