"""Fencing and shutdown of nodes: what is decided of them, in which order, and what that does to other actions.

Source: the scheduler's specification, part 3, sections 12.3 and 12.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions, make_pseudo, newest
from reconciler.scheduler.noting.fencing import can_fence, fence_operation
from reconciler.scheduler.noting.orderings import add_edge, order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.effects import KEEP, ORD, RN, RT

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def schedule_fencing(cluster: Cluster) -> None:
    """Fence the nodes that need it and shut down those that asked for it, the DC last (section 12.4).

    Nothing is fenced as long as no managed resource exists.
    """
    something_managed = any(resource.managed for resource in cluster.resources)
    fencings: list[Action] = []
    shutdowns: list[Action] = []
    last: Action | None = None
    for node in cluster.nodes:
        if node.is_guest:
            if node.requires_reset and something_managed and can_fence(cluster, node):
                _fence_guest(cluster, node)
        elif node.unclean and something_managed and can_fence(cluster, node):
            fencing = fence_operation(cluster, node, optional=False, reason="node is unclean")
            order_around_fencing(cluster, fencing, node)
            if node.is_dc:
                last = fencing
            else:
                _chain(cluster, fencings, fencing)
        elif node.online and node.shutdown and not node.is_remote:
            shutdown = _shut_down(cluster, node)
            if node.is_dc:
                last = shutdown
            else:
                shutdowns.append(shutdown)
    if last is not None:
        _order_last(cluster, last, fencings, shutdowns)


def order_around_fencing(cluster: Cluster, fencing: Action, node: ClusterNode) -> None:
    """What the fencing of a node does to other actions: some wait for it, and it implies what was to stop there."""
    for resource in cluster.resources:
        for leaf in resource.leaves():
            if leaf.managed:
                _order_starts(leaf, fencing, node)
                _imply_stops(cluster, leaf, fencing, node)


# Nodes


def _chain(cluster: Cluster, fencings: list[Action], fencing: Action) -> None:
    """Add a fencing to those of the other members, one after the other unless they may be concurrent."""
    if fencings and not cluster.options.concurrent_fencing:
        add_edge(fencings[-1], fencing, ORD, Cause(Why.FENCING, "concurrent-fencing", "one at a time"))
    fencings.append(fencing)


def _order_last(cluster: Cluster, last: Action, fencings: list[Action], shutdowns: list[Action]) -> None:
    """The DC goes last: its shutdown after all others, its fencing or shutdown after all fencing."""
    cause = Cause(Why.NODE_STATE, last.node.name if last.node is not None else "", "the DC goes last")
    if last.task == "do_shutdown":
        for shutdown in reversed(shutdowns):
            add_edge(shutdown, last, ORD, cause)
    for fencing in reversed(fencings) if cluster.options.concurrent_fencing else fencings[-1:]:
        add_edge(fencing, last, ORD, cause)


def _shut_down(cluster: Cluster, node: ClusterNode) -> Action:
    """Shut the node down once everything on it has stopped."""
    cause = Cause(Why.NODE_STATE, node.name, "shutdown")
    shutdown = request(cluster, None, f"do_shutdown-{node.name}", "do_shutdown", node, optional=False, cause=cause)
    for action in reversed(cluster.actions):
        resource = action.resource
        if resource is None or action.node is not node or action.task != "stop":
            continue
        if resource.configured.maintenance or node.maintenance or not (resource.managed or resource.found.blocked):
            continue
        action.optional = False
        order(cluster, action, shutdown, ORD | RN, cause)
    shutdown.meta["op_no_wait"] = "true"
    return shutdown


def _fence_guest(cluster: Cluster, node: ClusterNode) -> None:
    """Mark by a pseudo action that a guest is recovered with its container, and order around it as around a fencing."""
    connection = node.connection
    if connection is None:
        return
    container = connection.container
    stop = newest(container, task="stop") if container is not None else None
    restarts = container is not None and newest(container, task="start") is not None
    fencing = fence_operation(cluster, node, "reboot" if restarts else "off", optional=False, reason="guest is unclean")
    make_pseudo(fencing)
    cause = Cause(Why.CONTAINER, container.id if container is not None else connection.id)
    if stop is not None and stop.pseudo and stop.node is not None:
        of_host = fence_operation(cluster, stop.node, optional=False, reason=None)
        add_edge(of_host, fencing, RN | RT, cause)
    elif stop is not None:
        add_edge(stop, fencing, RN | RT, cause)
    else:
        stop = newest(connection, task="stop")
        if stop is not None:
            add_edge(stop, fencing, ORD, cause)
    order_around_fencing(cluster, fencing, node)


# Resources


def _order_starts(resource: Resource, fencing: Action, node: ClusterNode) -> None:
    """What requires fencing waits for it, and so does a start of what may be active on the node without our knowing."""
    cause = Cause(Why.FENCING, node.name)
    for action in reversed(resource.planned.actions):
        if action.needs == "fencing":
            add_edge(fencing, action, ORD, cause)
        elif (
            action.needs == "quorum"
            and action.task == "start"
            and node.index in resource.placed.table
            and not _known_on(resource, node)
        ):
            add_edge(fencing, action, ORD | RN, cause)


def _known_on(resource: Resource, node: ClusterNode) -> bool:
    """Whether its state on the node is known; of an anonymous clone's instances any will do."""
    if node.index in resource.found.known_on:
        return True
    parent = resource.parent
    if (
        resource.kind is not Kind.PRIMITIVE
        or parent is None
        or parent.kind is not Kind.CLONE
        or parent.configured.unique
    ):
        return False
    return any(node.index in sibling.found.known_on for sibling in parent.children)


def _imply_stops(cluster: Cluster, resource: Resource, fencing: Action, node: ClusterNode) -> None:
    """Fencing does what stops and demotes on the node were to do (section 12.3, rules 2 and 3)."""
    cause = Cause(Why.FENCING, node.name)
    implied = resource.configured.needs_fencing or node.is_guest
    stops = find_actions(resource, action_key(resource.id, "stop"), node)
    of_root = newest(resource.root, task="stop") if stops and implied else None
    for stop in stops:
        make_pseudo(stop)
        if implied:
            if not resource.bundled:
                add_edge(fencing, stop, KEEP, cause)
            if of_root is not None:
                add_edge(fencing, of_root, KEEP, cause)
        if resource.configured.notify:
            from reconciler.scheduler.acting.notifications import notify_after_fencing  # Few clones want notifications.

            notify_after_fencing(cluster, resource, stop, fencing)
    for demote in find_actions(resource, action_key(resource.id, "demote"), node):
        if node.online and not node.unclean and not resource.found.failed:
            continue
        make_pseudo(demote)
        if implied and not resource.bundled:
            add_edge(fencing, demote, KEEP | ORD, cause)
