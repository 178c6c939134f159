"""Recurring actions: which monitors have to run where, and which have to be cancelled.

Source: the scheduler's specification, part 3, section 6.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.model.duration import interval_ms
from reconciler.model.text import boolean
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions, find_actions_exactly
from reconciler.scheduler.noting.orderings import add_edge, order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.roles import ROLE_WORDS, Role
from reconciler.scheduler.working.effects import ORD, RN, RT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.resource import Operation
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

NOT_RUNNING, PROMOTED = 7, 8
"""Results that a monitor may be expected to have."""

_NEVER_RECUR = frozenset({"start", "stop", "promote", "demote", "reload-agent", "migrate_to", "migrate_from"})


class RecurringOperation:
    """A configured operation that recurs: `role` is that which the resource must have, `Role.UNKNOWN` when none is named."""

    __slots__ = ("id", "interval_ms", "key", "name", "role")

    def __init__(self, resource: Resource, operation: Operation, interval: int) -> None:
        self.id = operation.id or ""
        self.name = operation.name
        self.interval_ms = interval
        self.key = action_key(resource.id, operation.name, interval)
        self.role = ROLE_WORDS.get(operation.attributes.get("role", "").lower(), Role.UNKNOWN)


def create_recurring(cluster: Cluster, resource: Resource) -> None:
    """Create or cancel the primitive's recurring actions; a blocked one or one in maintenance keeps what it has."""
    if resource.found.blocked or resource.configured.maintenance:
        return
    start = None
    node = resource.placed.node
    if (
        node is not None
        and not node.maintenance
        and (resource.placed.next_role is not Role.STOPPED or not resource.managed)
    ):
        start = request(cluster, resource, action_key(resource.id, "start"), "start", node, optional=True)
    for operation in recurring_operations(resource):
        if operation.role is Role.STOPPED:
            if resource.configured.unique:
                _while_inactive(cluster, resource, operation)
        elif start is not None and node is not None:
            _while_active(cluster, resource, operation, start, node)


def recurring_operations(resource: Resource) -> Iterator[RecurringOperation]:
    """The enabled operations that recur, in order; where two have the same name and interval neither counts."""
    intervals = [interval_ms(operation.interval) for operation in resource.configured.operations]
    seen = Counter(
        (operation.name, interval)
        for operation, interval in zip(resource.configured.operations, intervals, strict=True)
    )
    for operation, interval in zip(resource.configured.operations, intervals, strict=True):
        if (
            interval
            and operation.id != ""  # Without an id in Pacemaker's XML it does not count; ours need none.
            and operation.name not in _NEVER_RECUR
            and seen[operation.name, interval] == 1
            and boolean(operation.attributes.get("enabled")) is not False
        ):
            yield RecurringOperation(resource, operation, interval)


def cancel(
    cluster: Cluster, resource: Resource, task: str, interval: int, node: ClusterNode, cause: Cause | None = None
) -> Action:
    """Require that a recurring action ends on the node; the action known from the history becomes the cancel."""
    action = request(cluster, resource, action_key(resource.id, task, interval), "cancel", node, optional=False)
    action.task = "cancel"
    action.cancelled_task = task
    action.cause = cause or action.cause
    action.meta.update(operation=task, interval=str(interval))
    return action


def cancel_recorded(
    cluster: Cluster, resource: Resource, task: str, interval: int, node: ClusterNode, call_id: int | None, cause: Cause
) -> None:
    """Cancel what the history says is recurring, once the resource is stopped if it is to be stopped."""
    action = cancel(cluster, resource, task, interval, node, cause)
    if call_id is not None:
        action.meta["call-id"] = str(call_id)
    order(cluster, (resource, action_key(resource.id, "stop")), action, ORD, cause)


def _while_active(
    cluster: Cluster, resource: Resource, operation: RecurringOperation, start: Action, node: ClusterNode
) -> None:
    """A monitor for an active role: asked for on the next node, or cancelled there if its role is not the next one."""
    known = find_actions_exactly(resource, operation.key, node)
    optional = start.optional and bool(known) and not any(action.reschedule for action in known)
    cause = Cause(Why.RECURRING, operation.id)
    if _other_role(resource, operation):
        if optional:
            _cancel_before_change(cluster, resource, operation, node, cause)
        return
    monitor = request(cluster, resource, operation.key, operation.name, node, optional=optional, cause=cause)
    if not start.runnable or not node.online or node.unclean:
        monitor.runnable = False
    if resource.placed.next_role is Role.PROMOTED:
        monitor.expected_rc = PROMOTED
    if resource.managed:
        order(cluster, (resource, action_key(resource.id, "start")), monitor, RT | RN, cause)
        for reload in find_actions(resource, action_key(resource.id, "reload-agent")):
            order(cluster, reload, monitor, RT | RN, cause)
        if resource.placed.next_role is Role.PROMOTED:
            order(cluster, (resource, action_key(resource.id, "promote")), monitor, ORD | RN, cause)
        elif resource.found.role is Role.PROMOTED:
            order(cluster, (resource, action_key(resource.id, "demote")), monitor, ORD | RN, cause)


def _other_role(resource: Resource, operation: RecurringOperation) -> bool:
    """Whether the resource will have another role than the operation is for; without one that is any but promoted."""
    if operation.role is Role.UNKNOWN:
        return resource.placed.next_role is Role.PROMOTED
    return operation.role is not resource.placed.next_role


def _cancel_before_change(
    cluster: Cluster, resource: Resource, operation: RecurringOperation, node: ClusterNode, cause: Cause
) -> None:
    action = cancel(cluster, resource, operation.name, operation.interval_ms, node, cause)
    following = None
    if resource.found.role is Role.PROMOTED:
        following = "demote"
    elif resource.found.role in (Role.STARTED, Role.UNPROMOTED):
        following = {Role.PROMOTED: "promote", Role.STOPPED: "stop"}.get(resource.placed.next_role)
    if following is not None:
        order(cluster, action, (resource, action_key(resource.id, following)), RN, cause)


def _while_inactive(cluster: Cluster, resource: Resource, operation: RecurringOperation) -> None:
    """A monitor for the stopped role: on every node but the one where the resource will run, where it is cancelled."""
    cause = Cause(Why.RECURRING, operation.id)
    if resource.placed.node is not None and find_actions_exactly(resource, operation.key, resource.placed.node):
        action = cancel(cluster, resource, operation.name, operation.interval_ms, resource.placed.node, cause)
        if resource.placed.next_role in (Role.STARTED, Role.UNPROMOTED):
            order(cluster, action, (resource, action_key(resource.id, "start")), RN, cause)
    for node in cluster.nodes:
        if node is not resource.placed.node:
            _watch_stopped(cluster, resource, operation, node, cause)


def _watch_stopped(
    cluster: Cluster, resource: Resource, operation: RecurringOperation, node: ClusterNode, cause: Cause
) -> None:
    known = bool(find_actions_exactly(resource, operation.key, node))
    monitor = request(cluster, resource, operation.key, operation.name, node, optional=known, cause=cause)
    monitor.expected_rc = NOT_RUNNING
    if resource.managed:
        for probe in find_actions(resource, action_key(resource.id, "monitor"), node):
            add_edge(probe, monitor, RN, cause)
    stop_key = action_key(resource.id, "stop")
    for stop in find_actions_exactly(resource, stop_key, node):
        if stop.required and monitor.required and not resource.managed:
            monitor.optional = True
        if not stop.runnable:
            monitor.runnable = False
        if resource.managed:
            order(cluster, stop, monitor, RT | RN, cause)
    if not node.online or node.unclean:
        monitor.runnable = False
