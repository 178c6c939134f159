"""What follows once all results of a resource on a node are read: where it is active, and what its failures call for.

Source: the scheduler's specification, part 1, sections 13.6 and 13.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.operation import OperationStatus
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions
from reconciler.scheduler.noting.condition import block, fail
from reconciler.scheduler.noting.fencing import mark_for_fencing
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.noting.scores import ban
from reconciler.scheduler.recalling.active import record_active
from reconciler.scheduler.recalling.history import current_range
from reconciler.scheduler.recalling.outcome import Reading, require_stop
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def keep_recurring(reading: Reading, entries: Sequence[HistoryEntry]) -> None:
    """Make an optional action for every recurring operation that the sorted entries show to be current."""
    if not reading.node.online or not any(entry.result.interval_ms for entry in entries):
        return
    start, stop = current_range(entries)
    first = start if start >= stop else max(start, stop + 1)
    resource = reading.resource
    for entry in entries[max(first, 0) :]:
        result = entry.result
        if not result.interval_ms or result.status == OperationStatus.PENDING:
            continue
        task = result.task or ""
        key = action_key(resource.id, task, result.interval_ms)
        request(reading.cluster, resource, key, task, reading.node, optional=True)


def conclude(reading: Reading) -> None:
    """Settle what the resource's history on the node means (section 13.7)."""
    resource, node = reading.resource, reading.node
    if resource.found.role is not Role.UNKNOWN:
        note_known(resource, node)
    if resource.found.role > Role.STOPPED and not node.online and not node.maintenance and resource.managed:
        _fence_lost(reading)
    worst = "ignore" if node.unclean else reading.worst  # The node is fenced: that recovers whatever failed there.
    _apply(reading, worst)
    if resource.found.failed and resource.configured.is_connection:
        remote = reading.cluster.node_index.get(resource.id)
        if remote is not None and remote.unclean:
            remote.unseen = False
    if resource.found.role > Role.STOPPED:
        record_active(reading.cluster, resource, node, count_priority=reading.worst == "ignore")
        if worst != "ignore":
            resource.found.failed = True
            resource.found.must_stop = resource.found.must_stop or worst not in ("demote", "block")
    elif resource.found.history_name is not None and ":" in resource.found.history_name:
        resource.found.history_name = None
    else:
        for stop in find_actions(resource, action_key(resource.id, "stop"), node):
            stop.optional = True
    if (
        resource.found.role is Role.STOPPED
        and resource.found.partial_source is node
        and resource.found.partial_target is not None
        and resource.found.active_on
    ):
        resource.found.role = Role.STARTED


def note_known(resource: Resource, node: ClusterNode) -> None:
    """Note that the state on the node is known, for the resource and its ancestors up to the first unique one."""
    one: Resource | None = resource
    while one is not None:
        one.found.known_on[node.index] = node
        if one.configured.unique:
            return
        one = one.parent


def _fence_lost(reading: Reading) -> None:
    """The resource is thought to be active on a node that is gone."""
    cluster, resource, node = reading.cluster, reading.resource, reading.node
    if node.is_guest:
        fail(resource)
        mark_for_fencing(cluster, node, f"{resource.id} is thought to be active there")
    elif cluster.options.stonith_enabled:
        reason = f"{resource.id} is thought to be active there"
        if node.is_remote and node.connection is not None and not node.connection.found.failed:
            node.unseen = True
            reason = (
                f"{resource.id} is active there (fencing will be revoked if remote connection can be "
                "re-established elsewhere)"
            )
        mark_for_fencing(cluster, node, reason)


def _apply(reading: Reading, worst: str) -> None:
    """Do what the most severe failure calls for."""
    cluster, resource, node = reading.cluster, reading.resource, reading.node
    cause = _cause(reading)
    match worst:
        case "demote":
            resource.found.failed = True
            key = action_key(resource.id, "demote")
            request(cluster, resource, key, "demote", node, optional=False, cause=cause)
        case "fence":
            mark_for_fencing(cluster, node, f"{resource.id} failed there")
        case "standby":
            node.standby = node.standby_on_fail = True
        case "block":
            block(resource)
        case "migrate":
            ban(resource, node, cause)
        case "stop":
            want_role(resource, Role.STOPPED, cause)
        case "recover":
            if resource.found.role > Role.STOPPED:
                fail(resource)
                require_stop(cluster, resource, node, cause)
        case "restart-container":
            _restart_container(reading, cause)
        case "reset-remote":
            _reset_connection(reading, cause)


def _cause(reading: Reading) -> Cause:
    failure = reading.last_failure
    return Cause(Why.FAILURE, reading.resource.id if failure is None else failure.id, reading.node.name)


def _restart_container(reading: Reading, cause: Cause) -> None:
    cluster, resource, node = reading.cluster, reading.resource, reading.node
    fail(resource)
    container = resource.container
    if container is not None and resource.bundled:
        cluster.container_stops.append(container)
    elif container is not None:
        require_stop(cluster, container, node, cause)
    elif resource.found.role > Role.STOPPED:
        require_stop(cluster, resource, node, cause)


def _reset_connection(reading: Reading, cause: Cause) -> None:
    cluster, resource = reading.cluster, reading.resource
    fail(resource)
    remote = cluster.node_index.get(resource.id) if resource.configured.is_connection else None
    if (
        cluster.options.stonith_enabled
        and remote is not None
        and remote.is_remote
        and not remote.is_guest
        and not remote.was_fenced
    ):
        mark_for_fencing(cluster, remote, "remote connection is unrecoverable")
    if resource.found.role > Role.STOPPED:
        require_stop(cluster, resource, reading.node, cause)
    if resource.configured.reconnect_interval_ms:
        want_role(resource, Role.STOPPED, cause)


def stop_containers(cluster: Cluster) -> None:
    """Require the postponed stops of containers where they are active, the last found first."""
    for container in reversed(cluster.container_stops):
        node = current_node(container)
        if node is not None:
            require_stop(cluster, container, node, Cause(Why.CONTAINER, container.id))
    cluster.container_stops.clear()
