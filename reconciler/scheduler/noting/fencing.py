"""Fencing of nodes: whether it is possible, marking a node for it, and asking for the operation.

Source: the scheduler's specification, part 1, sections 6 and 7.3; part 3, sections 12.1 and 12.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.digests import calculate
from reconciler.scheduler.noting.actions import known_action, make_required, new_action, set_reason
from reconciler.scheduler.noting.condition import fail
from reconciler.scheduler.working.node import NodeKind

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

DIGESTS_ALL = "#digests-all"
DIGESTS_SECURE = "#digests-secure"
"""Node attributes: with which definitions of the devices the node was unfenced."""


def can_fence(cluster: Cluster, node: ClusterNode) -> bool:
    """Whether the node can be fenced: for a guest, whether every node its container is active on is up or can be."""
    if node.is_guest and node.connection is not None and node.connection.container is not None:
        return all(host.online or can_fence(cluster, host) for host in node.connection.container.found.active_on)
    if not (cluster.options.stonith_enabled and cluster.has_fence_device):
        return False
    return cluster.have_quorum or cluster.options.no_quorum_policy == "ignore" or node.online


def mark_for_fencing(cluster: Cluster, node: ClusterNode, reason: str, *, priority_delay: bool = False) -> None:
    """Mark the node for fencing because of `reason`; whether it comes to that is decided when actions are made.

    A guest is recovered by restarting its container instead. `priority_delay` says that priority-fencing-delay is to be considered.
    """
    if node.is_guest:
        _reset_guest(node)
        return
    connection = node.connection
    if is_dangling_guest(node) and connection is not None:
        fail(connection)
        return
    if node.kind is NodeKind.REMOTE:
        if connection is None or connection.managed:
            node.requires_reset = True
    elif node.unclean:
        return
    node.unclean = True
    if node.fence_reason is None:
        node.fence_reason = reason
    fence_operation(cluster, node, optional=True, reason=reason, priority_delay=priority_delay)


def is_dangling_guest(node: ClusterNode) -> bool:
    """Whether it is a guest whose container no longer exists: an orphaned connection that had one recorded."""
    connection = node.connection
    if node.kind is not NodeKind.REMOTE or connection is None:
        return False
    return connection.found.filler_orphan and connection.container is None


def _reset_guest(node: ClusterNode) -> None:
    container = None if node.connection is None else node.connection.container
    if container is not None and not container.found.failed and container.managed:
        node.requires_reset = True
        fail(container)


def fence_operation(
    cluster: Cluster,
    node: ClusterNode,
    op: str | None = None,
    *,
    optional: bool,
    reason: str | None,
    priority_delay: bool = False,
) -> Action:
    """The operation that fences (or, with `op` "on", unfences) the node, created when missing (section 12.2).

    It is required only when asked so and the node can be fenced. `op` defaults to the configured one. `priority_delay` says that
    priority-fencing-delay is to be considered; once considered it is calculated again at every request.
    """
    op = cluster.options.stonith_action if op is None else op
    key = f"stonith-{node.name}-{op}"
    action = known_action(cluster, None, key, None)
    if action is None:
        action = new_action(cluster, None, key, "stonith", node, True)
        action.meta.update(on_node=node.name, on_node_uuid=node.id, stonith_action=op)
        if cluster.unfencing:
            changed = _record_devices(cluster, node, action)
            optional = optional and not changed
    if cluster.options.priority_fencing_delay_s > 0 and (priority_delay or "priority-fencing-delay" in action.meta):
        action.meta["priority-fencing-delay"] = str(_priority_delay_s(cluster, node))
    cause = Cause(Why.FENCING, node.name, reason or "")
    if not optional and can_fence(cluster, node):
        make_required(action, reason, cause)
    else:
        set_reason(action, reason, cause)
    return action


def _record_devices(cluster: Cluster, node: ClusterNode, operation: Action) -> bool:
    """Note in the fence operation with which definitions of the unfencing devices it is done.

    Answers whether a definition is not the one that the node was unfenced with last.
    """
    everything: list[str] = []
    shareable: list[str] = []
    changed = False
    for device in reversed(_unfencing_devices(cluster.resources)):
        agent = device.configured.agent.type if device.configured.agent is not None else ""
        digests = calculate(cluster, device, "stonith-on", 0, node, secure_without_entry=True)
        full = f"{device.id}:{agent}:{digests.all}"
        secure = f"{device.id}:{agent}:{digests.secure}"
        everything.append(f"{full},")
        shareable.append(f"{secure},")
        known = node.attributes.get(DIGESTS_ALL)
        if known is not None:
            changed = changed or not (full in known or secure in node.attributes.get(DIGESTS_SECURE, ""))
    operation.meta["digests-all"] = "".join(everything)
    operation.meta["digests-secure"] = "".join(shareable)
    return changed


def _unfencing_devices(resources: list[Resource]) -> list[Resource]:
    """The fence devices that unfence, in resource order."""
    found: list[Resource] = []
    for resource in resources:
        if resource.children:
            found += _unfencing_devices(resource.children)
        elif resource.configured.is_stonith and (
            resource.configured.needs_unfencing or resource.configured.meta.get("provides", "").lower() == "unfencing"
        ):
            found.append(resource)
    return found


def _priority_delay_s(cluster: Cluster, node: ClusterNode) -> int:
    """The delay that lets the partition with the higher priorities win a fence race (section 12.2)."""
    members = [member for member in cluster.nodes if member.kind is NodeKind.CLUSTER]
    if node.kind is not NodeKind.CLUSTER or node.online:
        return 0
    if sum(member.online for member in members) > len(members) // 2:
        return 0
    priorities = [member.priority for member in members]
    lowest, highest = min(priorities), max(priorities)
    if lowest == highest or node.priority < highest:
        return 0
    return cluster.options.priority_fencing_delay_s
