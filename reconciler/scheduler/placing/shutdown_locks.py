"""Shutdown locks: resources that wait for a node that was shut down cleanly to come back.

Source: the scheduler's specification, part 2, section 9; part 1, section 16; part 3, section 15.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.text import integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.condition import lock, unlock
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.scores import ban
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def apply_shutdown_locks(cluster: Cluster) -> None:
    """Lock what runs on nodes that are shutting down to them, drop locks of what is active elsewhere, and ban other nodes.

    Only primitives and members of groups can be locked.
    """
    if not cluster.options.shutdown_lock:
        return
    for resource in cluster.resources:
        for primitive in _lockable(resource):
            _lock(cluster, primitive)


def _lockable(resource: Resource) -> list[Resource]:
    if resource.kind > Kind.GROUP:
        return []
    return [
        leaf
        for leaf in resource.leaves()
        if leaf.configured.agent is not None
        and not leaf.configured.is_stonith
        and not (leaf.configured.is_connection and leaf.container is None)
    ]


def _lock(cluster: Cluster, resource: Resource) -> None:
    cause = Cause(Why.SHUTDOWN_LOCK, resource.id)
    if resource.found.lock_node is not None:
        if resource.found.active_on:
            key = action_key(resource.id, "lrm_delete")
            request(cluster, resource, key, "lrm_delete", resource.found.lock_node, optional=False, cause=cause)
            unlock(resource)
    elif len(resource.found.active_on) == 1:
        node = resource.found.active_on[0]
        if node.shutdown and not node.unclean:
            lock(resource, node, _shutdown_time_s(cluster, node))
    if resource.found.lock_node is None:
        return
    limit_s = cluster.options.shutdown_lock_limit_s
    if limit_s > 0:
        cluster.recheck_at(resource.found.lock_time_s + limit_s + 1)
    cause = Cause(Why.SHUTDOWN_LOCK, resource.found.lock_node.name)
    for node in cluster.nodes:
        if node.name != resource.found.lock_node.name:
            ban(resource, node, cause)


def _shutdown_time_s(cluster: Cluster, node: ClusterNode) -> int:
    """When the node's shutdown was requested, as an epoch time; now if that isn't known."""
    return integer(node.attributes.get("shutdown"), 0) or cluster.now.epoch_s
