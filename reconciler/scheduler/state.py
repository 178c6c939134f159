"""The first half of a run: from a CIB to nodes, resources and what is known of them.

Source: the scheduler's specification, part 1, sections 1, 11, 13.1, 16 and 18.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.errors import ReconcilerError
from reconciler.model.date import Instant
from reconciler.model.recorded import is_found_stopped
from reconciler.model.text import integer, is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.options import read_options
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.reading.connections import contain
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.reading.nodes import find_node, read_nodes
from reconciler.scheduler.reading.resources import read_resources
from reconciler.scheduler.reading.settings import is_disabled, role_limit
from reconciler.scheduler.recalling.aftermath import conclude, keep_recurring, note_known, stop_containers
from reconciler.scheduler.recalling.history import sort_entries
from reconciler.scheduler.recalling.node_state import finish_remote_nodes, read_node_states, read_remote_state
from reconciler.scheduler.recalling.outcome import Reading, read_entry
from reconciler.scheduler.recalling.owner import adopt_orphan, find_owner
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.constraints import TicketHold

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.status import NodeState, ResourceHistory
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


class NoTimeError(ReconcilerError):
    """Nobody said what time it is: the CIB holds no execution date, and the scheduler reads no clock."""

    code = "no-time"


def read_state(cib: Cib, now: Instant | None) -> Cluster:
    """Everything that configuration and status say, before constraints.

    `now` is the time at which rules and failures are judged; without one the CIB's execution date is.
    **Raises** `NoTimeError` when there is neither.
    """
    if now is None:
        if not cib.execution_date:
            raise NoTimeError("the CIB has no execution date, so the time to decide for must be given")
        now = Instant(cib.execution_date)
    cluster = Cluster(cib, now)
    read_options(cluster)
    read_nodes(cluster)
    read_resources(cluster)
    for tag in cib.configuration.tags:
        cluster.tags[tag.id] = tuple(dict.fromkeys(tag.references))
    _read_tickets(cluster)
    read_node_states(cluster)
    _read_histories(cluster)
    stop_containers(cluster)
    finish_remote_nodes(cluster)
    _count_instances(cluster)
    return cluster


def _read_tickets(cluster: Cluster) -> None:
    for state in cluster.cib.status.tickets:
        ticket = cluster.tickets[state.id] = TicketHold(state.id)
        ticket.state = dict(state.attributes)
        ticket.granted = is_true(state.attributes.get("granted"))
        ticket.standby = is_true(state.attributes.get("standby"))


def _read_histories(cluster: Cluster) -> None:
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
        return connection.role is Role.STARTED and connection.container.role is Role.STARTED
    return options.shutdown_lock or connection.role is Role.STARTED


def _read_node_history(cluster: Cluster, node: ClusterNode, state: NodeState) -> None:
    node.history_unpacked = True
    if node.is_remote:
        read_remote_state(cluster, node, state)
    orphaned_fillers: list[tuple[Resource, str]] = []
    for history in state.history:
        resource = _read_history(cluster, node, history)
        if resource is not None and resource.filler_orphan and resource.container is None:
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
        if resource.history_name is not None and ":" in resource.history_name:
            resource.history_name = None
        _limit_next_role(resource, Role.UNKNOWN)
        return
    saved = resource.role
    resource.role = Role.UNKNOWN
    reading = Reading(cluster, resource, node)
    entries = sort_entries(history.entries)
    for entry in entries:
        read_entry(reading, entry)
    keep_recurring(reading, entries)
    conclude(reading)
    _limit_next_role(resource, resource.next_role)
    resource.role = max(resource.role, saved)


def _found_stopped_only(resource: Resource, history: ResourceHistory) -> bool:
    """Whether all there is to know is that a probe found the resource stopped, and nothing hangs on it.

    That is so for most resources on most nodes, and saves the full judgement, whose result it is.
    """
    if len(history.entries) != 1 or resource.failure_timeout_s or resource.is_connection:
        return False
    if resource.partial_source is not None:
        return False
    if resource.actions and action_key(resource.id, "stop").lower() in resource.actions_by_key:
        return False
    only = history.entries[0]
    return is_found_stopped(only.attributes) and not only.is_last_failure


def _limit_next_role(resource: Resource, next_role: Role) -> None:
    """Give the resource its next role, at most the one that its target role allows."""
    limit = role_limit(resource)
    if limit is not None and (next_role is Role.UNKNOWN or limit < next_role):
        resource.next_role = limit
        resource.next_role_cause = Cause(Why.TARGET_ROLE, resource.id)
    else:
        resource.next_role = next_role


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
    resource.lock_node = node
    resource.lock_time_s = locked_s


def _count_instances(cluster: Cluster) -> None:
    """Count instances, disabled and blocked ones; orphans only while they are active (section 18.2)."""
    for top in cluster.resources:
        for leaf in top.leaves():
            if leaf.orphan and leaf.role <= Role.STOPPED:
                continue
            cluster.instance_count += 1
            cluster.disabled_count += is_disabled(leaf)
            cluster.blocked_count += leaf.blocked
