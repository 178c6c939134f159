"""Actions on remote and guest nodes go through a connection: when it has to be up, and for whom it has to stay.

Source: the scheduler's specification, part 3, section 13.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from reconciler.model.text import boolean, integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.fencing import mark_for_fencing
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.activity import current_node
from reconciler.scheduler.working.effects import KEEP, NONE, ORD, RF, RN, RT

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_STOPPING = ("stop", "migrate_to", "migrate_from")


class ConnectionState(enum.Enum):
    """How the connection to a remote node stands, placement included."""

    UNKNOWN = "unknown"
    ALIVE = "alive"
    RESTING = "resting"
    FAILED = "failed"
    STOPPED = "stopped"


def connection_state(node: ClusterNode) -> ConnectionState:
    """The state of a remote node's connection (section 13.1); unknown for a node without one."""
    connection = node.connection
    if connection is None:
        return ConnectionState.UNKNOWN
    host = current_node(connection)
    if connection.placed.next_role is Role.STOPPED or connection.placed.node is None:
        return _state_of_leaving(node, connection, host)
    if host is None:
        return ConnectionState.UNKNOWN
    if host.unclean or not host.online:
        return ConnectionState.RESTING
    migrating = connection.found.partial_source is not None and connection.found.partial_target is not None
    if len(connection.found.active_on) > 1 and migrating:
        return ConnectionState.RESTING
    return ConnectionState.ALIVE


def order_remote(cluster: Cluster) -> None:
    """Order the actions on remote and guest nodes relative to the connections that they need (section 13.2)."""
    if not cluster.has_remote_nodes:
        return
    for action in reversed(cluster.actions.copy()):
        resource, node = action.resource, action.node
        if resource is None:
            continue
        if resource.configured.is_connection and action.task == "clear_failcount":
            cause = Cause(Why.REMOTE, resource.id)
            order(cluster, action, (resource, action_key(resource.id, "start")), ORD, cause)
        elif node is not None and node.is_remote and not action.pseudo and node.connection is not None:
            _order(cluster, action, resource, node, node.connection)


def _state_of_leaving(node: ClusterNode, connection: Resource, host: ClusterNode | None) -> ConnectionState:
    """The state of a connection that will not run anywhere."""
    if host is not None and host.unclean:
        return ConnectionState.FAILED
    if not connection.found.failed:
        return ConnectionState.STOPPED
    if (
        connection.placed.next_role is Role.STOPPED
        and connection.configured.reconnect_interval_ms
        and node.was_fenced
        and not _shutdown_requested(node)
    ):
        return ConnectionState.UNKNOWN
    return ConnectionState.FAILED


def _shutdown_requested(node: ClusterNode) -> bool:
    text = node.attributes.get("shutdown")
    return text is not None and (boolean(text) is True or integer(text) > 0)


def _order(cluster: Cluster, action: Action, resource: Resource, node: ClusterNode, connection: Resource) -> None:
    if action.task == "start":
        _keep_until_connected(cluster, resource, node, connection)
    if connection.container is not None:
        _order_on_guest(cluster, action, connection, connection.container)
    else:
        _order_on_remote(cluster, action, node, connection)


def _keep_until_connected(cluster: Cluster, resource: Resource, node: ClusterNode, connection: Resource) -> None:
    """Should the connection fail to start, a resource that moves to it stays where it is."""
    started = (connection, action_key(connection.id, "start"))
    for stop in reversed(resource.planned.actions):
        if stop.task == "stop" and stop.node is not None and stop.node is not node:
            order(cluster, started, stop, ORD, Cause(Why.REMOTE, connection.id))


def _order_on_remote(cluster: Cluster, action: Action, node: ClusterNode, connection: Resource) -> None:
    state = connection_state(node)
    task = action.task
    if task in ("start", "promote"):
        _after_start(cluster, connection, action, RT if state is ConnectionState.FAILED else NONE)
    elif task in _STOPPING:
        if state is ConnectionState.FAILED:
            mark_for_fencing(cluster, node, "resources are active but connection is unrecoverable")
        elif state is ConnectionState.ALIVE or connection.placed.next_role is Role.STOPPED:
            _before_stop(cluster, action, connection, RF)
        else:
            _after_start(cluster, connection, action, NONE)
    elif task == "demote":
        if state in (ConnectionState.RESTING, ConnectionState.UNKNOWN):
            _after_start(cluster, connection, action, NONE)
    elif action.interval_ms:
        _after_start(cluster, connection, action, RT)
    else:
        if task == "monitor" and state is ConnectionState.FAILED:
            mark_for_fencing(cluster, node, "resources are in unknown state and connection is unrecoverable")
        if state is ConnectionState.STOPPED and current_node(connection) is not None:
            _before_stop(cluster, action, connection, RN)
        else:
            _after_start(cluster, connection, action, NONE)


def _order_on_guest(cluster: Cluster, action: Action, connection: Resource, guest: Resource) -> None:
    if guest.found.failed and action.node is not None:
        mark_for_fencing(cluster, action.node, "container failed")
    task = action.task
    if task in ("start", "promote"):
        _after_start(cluster, guest, action, RT)
        _after_start(cluster, connection, action, NONE)
    elif task in _STOPPING or task == "demote":
        if not guest.found.failed:
            _before_stop(cluster, action, connection, NONE)
    elif action.interval_ms:
        if task != "cancel":
            _after_start(cluster, connection, action, RT)
    else:
        _after_start(cluster, connection, action, NONE)


def _after_start(cluster: Cluster, needed: Resource, action: Action, effects: int) -> None:
    started = (needed, action_key(needed.id, "start"))
    order(cluster, started, action, KEEP | RN | effects, Cause(Why.REMOTE, needed.id))


def _before_stop(cluster: Cluster, action: Action, connection: Resource, effects: int) -> None:
    stopped = (connection, action_key(connection.id, "stop"))
    order(cluster, action, stopped, KEEP | effects, Cause(Why.REMOTE, connection.id))
