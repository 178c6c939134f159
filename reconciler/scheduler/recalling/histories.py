"""The histories of all nodes: which of them count, whose they are, and reading them entry by entry.

Source: the scheduler's specification, part 1, sections 13.1, 13.5 and 16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.recorded import is_found_stopped
from reconciler.model.text import integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.condition import lock
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.reading.connections import contain
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.reading.nodes import find_node
from reconciler.scheduler.recalling.aftermath import conclude, keep_recurring, note_known
from reconciler.scheduler.recalling.history import sort_entries
from reconciler.scheduler.recalling.node_state import read_remote_state
from reconciler.scheduler.recalling.outcome import Reading, read_entry
from reconciler.scheduler.recalling.owner import adopt_orphan, find_owner
from reconciler.scheduler.roles import Role

if TYPE_CHECKING:
    from reconciler.model.status import NodeState, ResourceHistory
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def read_histories(cluster: Cluster) -> None:
    """Read the histories of all nodes: in passes, since whether a remote node's counts follows from others (section 13.1)."""
    while _read_ready_histories(cluster, final=False):
        pass
    _read_ready_histories(cluster, final=True)


def _read_ready_histories(cluster: Cluster, *, final: bool) -> bool:
    """Go once through the nodes whose history wasn't read, and read those that count; True if there were any.

    In the final pass, with fencing enabled, all count. Nodes are looked up anew, since histories bring orphaned ones.
    """
    found = False
    for state in cluster.cib.status.nodes:
        node = find_node(cluster, state.id, state.name)
        if node is None or node.history_unpacked:
            continue
        if _counts(cluster, node) or (final and cluster.options.stonith_enabled):
            _read_node_history(cluster, node, state)
            found = True
    return found


def _counts(cluster: Cluster, node: ClusterNode) -> bool:
    """Whether the node's history says something yet."""
    connection, options = node.connection, cluster.options
    if not node.is_remote:
        return node.online or options.stonith_enabled or options.shutdown_lock
    if connection is None:
        return False
    if connection.container is not None:
        return connection.found.role is Role.STARTED and connection.container.found.role is Role.STARTED
    return options.shutdown_lock or connection.found.role is Role.STARTED


def _read_node_history(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    node.history_unpacked = True
    if node.is_remote:
        read_remote_state(cluster, node, state)
    orphaned_fillers: list[tuple[Resource, str]] = []
    for history in state.history:
        resource = _read_history(cluster, node, history)
        if resource is not None and resource.found.filler_orphan and resource.container is None:
            orphaned_fillers.append((resource, history.attributes.get("container", "")))
    for resource, name in orphaned_fillers:
        container = find(cluster, name)
        if container is not None:
            contain(resource, container)


def _read_history(cluster: Cluster, node: ClusterNode, history: ResourceHistory) -> Resource | None:
    """Read one resource's history on the node; the result is the resource it belongs to."""
    if not history.entries and not cluster.options.shutdown_lock:
        return None
    resource = find_owner(cluster, history, node)
    if resource is None:
        if not history.entries:
            return None
        resource = adopt_orphan(cluster, history)
        if resource is None:
            return None
    if cluster.options.shutdown_lock:
        _read_shutdown_lock(cluster, node, resource, history)
    if history.entries:
        _read_entries(cluster, node, resource, history)
    return resource


def _read_entries(cluster: Cluster, node: ClusterNode, resource: Resource, history: ResourceHistory) -> None:
    if _found_stopped_only(resource, history):
        note_known(resource, node)
        if resource.found.history_name is not None and ":" in resource.found.history_name:
            resource.found.history_name = None
        _limit_next_role(resource, Role.UNKNOWN)
        return
    saved = resource.found.role
    resource.found.role = Role.UNKNOWN
    reading = Reading(cluster, resource, node)
    entries = sort_entries(history.entries)
    for entry in entries:
        read_entry(reading, entry)
    keep_recurring(reading, entries)
    conclude(reading)
    _limit_next_role(resource, resource.placed.next_role)
    resource.found.role = max(resource.found.role, saved)


def _found_stopped_only(resource: Resource, history: ResourceHistory) -> bool:
    """Whether all there is to know is that a probe found the resource stopped, and nothing hangs on it.

    That is so for most resources on most nodes, and saves the full judgement, whose result it is.
    """
    if len(history.entries) != 1 or resource.failure_timeout_s or resource.configured.is_connection:
        return False
    if resource.found.partial_source is not None:
        return False
    if resource.planned.actions and action_key(resource.id, "stop").lower() in resource.planned.actions_by_key:
        return False
    only = history.entries[0]
    return is_found_stopped(only.attributes) and not only.is_last_failure


def _limit_next_role(resource: Resource, next_role: Role) -> None:
    """Give the resource its next role, at most the one that its target role allows."""
    limit = resource.configured.role_limit
    if limit is not None and (next_role is Role.UNKNOWN or limit < next_role):
        want_role(resource, limit, Cause(Why.TARGET_ROLE, resource.id))
    else:
        want_role(resource, next_role, resource.placed.next_role_cause)


def _read_shutdown_lock(cluster: Cluster, node: ClusterNode, resource: Resource, history: ResourceHistory) -> None:
    """Take over a recorded lock, unless it is older than the limit: then the history is to be deleted."""
    locked_s = integer(history.attributes.get("shutdown-lock"))
    if locked_s == 0:
        return
    limit_s = cluster.options.shutdown_lock_limit_s
    if limit_s > 0 and cluster.now.epoch_s > locked_s + limit_s:
        key = action_key(resource.id, "lrm_delete")
        cause = Cause(Why.SHUTDOWN_LOCK, node.name, "expired")
        request(cluster, resource, key, "lrm_delete", node, optional=False, cause=cause)
        return
    if limit_s > 0:
        cluster.recheck_at(locked_s + limit_s + 1)
    lock(resource, node, locked_s)
