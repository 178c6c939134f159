"""Probes: asking nodes what is running there, before anything is started.

Source: the scheduler's specification, part 3, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.text import is_true
from reconciler.scheduler.acting.clone import sort_by_number
from reconciler.scheduler.acting.connection import ConnectionState, connection_state
from reconciler.scheduler.acting.recurring import NOT_RUNNING, PROMOTED
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions, newest
from reconciler.scheduler.noting.fencing import mark_for_fencing
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.scores import strike
from reconciler.scheduler.noting.unfencing import order_after_unfencing
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.effects import ORD, PRB, RN, SAME
from reconciler.scheduler.working.table import EXCLUSIVE, NEVER

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import BundleReplica, Resource


def schedule_probes(cluster: Cluster) -> None:
    """Ask every usable node about every resource whose state there is not known, unless the options say not to."""
    if not cluster.options.enable_startup_probes:
        return
    for node in cluster.nodes:
        if not node.online:
            if node.is_remote and not node.is_guest and connection_state(node) is ConnectionState.FAILED:
                mark_for_fencing(cluster, node, "the connection is unrecoverable")
        elif node.unclean or not node.discovery_enabled:
            continue
        elif not is_true(node.attributes.get("probe_complete", "true")):
            _ask_again(cluster, node)
        else:
            for resource in cluster.resources:
                probe(cluster, resource, node)


def probe(cluster: Cluster, resource: Resource, node: ClusterNode) -> bool:
    """Ask the node about the resource, member by member; True if anything has to be asked."""
    match resource.kind:
        case Kind.PRIMITIVE:
            return _probe_primitive(cluster, resource, node)
        case Kind.GROUP:
            return _probe_all(cluster, resource.children, node)
        case Kind.CLONE:
            return _probe_clone(cluster, resource, node)
        case Kind.BUNDLE:
            return _probe_bundle(cluster, resource, node)


def _ask_again(cluster: Cluster, node: ClusterNode) -> None:
    """An old way of asking for probes: the node is told to forget what it knows."""
    cause = Cause(Why.PROBE, node.name, "probe_complete")
    action = request(cluster, None, f"probe_again-{node.name}", "probe_again", node, optional=False, cause=cause)
    action.meta["op_no_wait"] = "true"


def _probe_all(cluster: Cluster, resources: list[Resource], node: ClusterNode) -> bool:
    asked = False
    for resource in resources:
        asked = probe(cluster, resource, node) or asked
    return asked


def _probe_clone(cluster: Cluster, clone: Resource, node: ClusterNode) -> bool:
    """Ask about every instance of a unique clone, and about one instance of an anonymous one.

    From here on the instances are in the order of their numbers.
    """
    sort_by_number(clone)
    if (
        clone.placed.exclusive_discovery
        and node.index in clone.placed.table
        and clone.placed.table.mode(node.index) != EXCLUSIVE
    ):
        strike(clone, node)  # Notifications name only nodes where the clone might ever run.
        return False
    if not clone.children:
        return False
    if clone.configured.unique:
        return _probe_all(cluster, clone.children, node)
    return probe(cluster, _representative(clone, node), node)


def _representative(clone: Resource, node: ClusterNode) -> Resource:
    """The instance that stands for an anonymous clone on this node: known there, else going there, else the first."""
    for child in clone.children:
        if any(node.index in leaf.found.known_on for leaf in child.leaves()):
            return child
    for child in clone.children:
        if {leaf.placed.node for leaf in child.leaves()} - {None} == {node}:
            return child
    return clone.children[0]


def _probe_bundle(cluster: Cluster, bundle: Resource, node: ClusterNode) -> bool:
    assert bundle.bundle is not None
    asked = False
    for replica in bundle.bundle.replicas:
        asked = _probe_replica(cluster, bundle, replica, node) or asked
    return asked


def _probe_replica(cluster: Cluster, bundle: Resource, replica: BundleReplica, node: ClusterNode) -> bool:
    asked = False
    if replica.ip is not None:
        asked = probe(cluster, replica.ip, node)
    if replica.primitive is not None and node is replica.node:
        asked = probe(cluster, replica.primitive, node) or asked
    if replica.container is not None and probe(cluster, replica.container, node):
        asked = True
        _order_peer_containers(cluster, bundle, replica)
    if replica.container is None or replica.connection is None or not probe(cluster, replica.connection, node):
        return asked
    action = newest(replica.connection, key=action_key(replica.connection.id, "monitor"), node=node)
    if action is not None:
        cause = Cause(Why.CONTAINER, replica.container.id, "its connection is probed once it runs")
        started = (replica.container, action_key(replica.container.id, "start"))
        order(cluster, started, action, PRB, cause)
    return True


def _order_peer_containers(cluster: Cluster, bundle: Resource, replica: BundleReplica) -> None:
    """With one replica per host, no other container starts on a node until this one's state there is known."""
    assert bundle.bundle is not None
    assert replica.container is not None
    if bundle.bundle.replicas_per_host != 1:
        return
    cause = Cause(Why.PROBE, replica.container.id, "one replica per host")
    probes = (replica.container, action_key(replica.container.id, "monitor"))
    for other in bundle.bundle.replicas:
        if other is not replica and other.container is not None:
            start = (other.container, action_key(other.container.id, "start"))
            order(cluster, probes, start, ORD | SAME, cause)


def _probe_primitive(cluster: Cluster, resource: Resource, node: ClusterNode) -> bool:
    if node.index in resource.found.known_on or not _may_be_there(resource, node):
        return False
    root = resource.root
    if not _discovered_on(resource, root, node):
        return False
    if node.is_guest and not _guest_answers(cluster, root, node):
        return False
    _create_probe(cluster, resource, root, node)
    return True


def _may_be_there(resource: Resource, node: ClusterNode) -> bool:
    """Whether the resource is of a kind that the node could run at all, and asked for on its own."""
    if node.is_remote:
        if resource.configured.is_stonith or resource.configured.is_connection:
            return False
        if node.is_guest and any(filler.configured.is_connection for filler in resource.fillers):
            return False
    return (resource.container is None or resource.configured.is_connection) and not resource.configured.orphan


def _discovered_on(resource: Resource, root: Resource, node: ClusterNode) -> bool:
    """Whether location constraints let the node be asked (`resource-discovery`)."""
    table = resource.placed.table
    mode = table.mode(node.index) if node.index in table.scores else node.discovery_mode
    if mode != EXCLUSIVE and (resource.placed.exclusive_discovery or root.placed.exclusive_discovery):
        return False
    return mode != NEVER


def _guest_answers(cluster: Cluster, root: Resource, node: ClusterNode) -> bool:
    """Whether a guest node is up and stays so; if not, the resource's start is ordered after what the guest does."""
    assert node.connection is not None
    guest = node.connection.container
    assert guest is not None
    start = (root, action_key(root.id, "start"))
    if guest.found.role is Role.STOPPED:
        if guest.placed.node is not None and guest.placed.node.index not in guest.found.known_on:
            cause = Cause(Why.PROBE, guest.id, "its guest node can't be asked")
            order(cluster, (guest, action_key(guest.id, "monitor")), start, ORD, cause)
        return False
    if _guest_will_stop(guest, node):
        cause = Cause(Why.CONTAINER, guest.id, "its guest node can't be asked")
        order(cluster, (guest, action_key(guest.id, "stop")), start, ORD, cause)
        return False
    return True


def _guest_will_stop(guest: Resource, node: ClusterNode) -> bool:
    """Whether the guest will likely be stopped; its actions don't exist yet."""
    return (
        node.requires_reset
        or node.unclean
        or guest.found.failed
        or guest.placed.next_role is Role.STOPPED
        or (
            guest.found.role > Role.STOPPED
            and guest.placed.node is not None
            and guest.placed.node not in guest.found.active_on
        )
    )


def _create_probe(cluster: Cluster, resource: Resource, root: Resource, node: ClusterNode) -> None:
    cause = Cause(Why.PROBE, resource.id)
    key = action_key(resource.id, "monitor")
    action = request(cluster, resource, key, "monitor", node, optional=False, cause=cause)
    action.optional = False
    order_after_unfencing(cluster, resource, node, action, ORD)
    if node not in resource.found.active_on:
        action.expected_rc = NOT_RUNNING
    elif resource.found.role is Role.PROMOTED:
        action.expected_rc = PROMOTED
    _order_before_start(cluster, resource, root, action, cause)


def _order_before_start(cluster: Cluster, resource: Resource, root: Resource, action: Action, cause: Cause) -> None:
    """The resource, or the clone it is in, starts and reloads once the answer is in.

    A node that can't be asked keeps it from starting, but not from going on where it is active.
    """
    starting = root if root.kind >= Kind.CLONE else resource
    if cluster.unfencing and resource.configured.is_stonith:
        starting = resource
    effects = ORD if action.runnable or resource.found.active_on else ORD | RN
    order(cluster, action, (starting, action_key(starting.id, "start")), effects, cause)
    for reload in find_actions(starting, action_key(starting.id, "reload-agent")):
        order(cluster, action, reload, ORD, cause)
