"""Recording where a resource is active, and what follows from that at once.

Source: the scheduler's specification, part 1, section 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.condition import block, leave_alone
from reconciler.scheduler.noting.scores import add_score, replace_by_bans
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.activity import multiply_active

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def record_active(cluster: Cluster, resource: Resource, node: ClusterNode, *, count_priority: bool) -> None:
    """Record that the resource, and with it what it is part of, is active on the node; once for each.

    With `count_priority` what it is worth counts for the node's priority.
    """
    if node in resource.found.active_on:
        return
    resource.found.active_on.append(node)
    if resource.kind is Kind.PRIMITIVE:
        node.running.append(resource)
        if count_priority:
            _raise_priority(resource, node)
        if node.maintenance:
            leave_alone(resource)
    if not resource.managed:
        _record_unmanaged(resource, node)
        return
    if resource.kind is Kind.PRIMITIVE and multiply_active(resource):
        _limit_activity(cluster, resource)
    if resource.parent is not None:
        record_active(cluster, resource.parent, node, count_priority=count_priority)


def _record_unmanaged(resource: Resource, node: ClusterNode) -> None:
    """Let an unmanaged resource stay where it is; its ancestors count as active there without further ado."""
    add_score(resource, node, INFINITY, Cause(Why.UNMANAGED, resource.id))
    parent = resource.parent
    while parent is not None and node.online:
        parent.found.active_on.append(node)
        parent = parent.parent


def _limit_activity(cluster: Cluster, resource: Resource) -> None:
    """Do what `multiple-active` says about a resource that turned out to be active more than once."""
    if resource.configured.multiple_active == "stop_only":
        replace_by_bans(cluster, resource, Cause(Why.MULTIPLE_ACTIVE, resource.id))
    elif resource.configured.multiple_active == "block":
        block(resource)
        parent = resource.parent
        if (
            parent is not None
            and parent.kind in (Kind.GROUP, Kind.BUNDLE)
            and parent.configured.multiple_active == "block"
        ):
            for child in parent.children:
                block(child)


def _raise_priority(resource: Resource, node: ClusterNode) -> None:
    """Count the resource's priority for the node, and for the hosts of its container if it is a guest."""
    if resource.priority == 0:
        return
    amount = resource.priority + (resource.found.role is Role.PROMOTED)
    node.priority += amount
    if node.is_guest and node.connection is not None and node.connection.container is not None:
        for host in node.connection.container.found.active_on:
            host.priority += amount
