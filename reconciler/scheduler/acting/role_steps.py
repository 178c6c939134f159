"""From the role a primitive has to the role it will have: its starts, stops, promotions, demotions.

An active primitive that stays always owns an optional stop and start, so that orderings can turn them into a restart.
Source: the scheduler's specification, part 3, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.acting.cleanup import schedule_cleanup
from reconciler.scheduler.acting.migration import can_migrate, create_migration
from reconciler.scheduler.acting.recurring import create_recurring
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions_exactly, set_reason
from reconciler.scheduler.noting.condition import abandon_migration
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.noting.unfencing import order_after_unfencing, unfence
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.activity import current_node, multiply_active
from reconciler.scheduler.working.effects import RF, RT

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

STEPS: dict[Role, dict[Role, tuple[Role, str | None]]] = {
    Role.UNKNOWN: dict.fromkeys(Role, (Role.STOPPED, "stop")),
    Role.STOPPED: {
        Role.STARTED: (Role.STARTED, "start"),
        Role.UNPROMOTED: (Role.UNPROMOTED, "start"),
        Role.PROMOTED: (Role.UNPROMOTED, "start"),
    },
    Role.STARTED: {
        Role.STOPPED: (Role.STOPPED, "stop"),
        Role.UNPROMOTED: (Role.UNPROMOTED, None),
        Role.PROMOTED: (Role.PROMOTED, "promote"),
    },
    Role.UNPROMOTED: {
        Role.STOPPED: (Role.STOPPED, "stop"),
        Role.STARTED: (Role.STOPPED, "stop"),
        Role.PROMOTED: (Role.PROMOTED, "promote"),
    },
    Role.PROMOTED: {
        Role.STOPPED: (Role.UNPROMOTED, "demote"),
        Role.STARTED: (Role.UNPROMOTED, "demote"),
        Role.UNPROMOTED: (Role.UNPROMOTED, "demote"),
    },
}
"""From a role towards a final one: the next role, and the task that leads there. A step without a task ends the way."""


def create_primitive_actions(cluster: Cluster, resource: Resource) -> None:
    """Create what brings the primitive to its next role on its next node, its recurring actions and its migration.

    The next role is settled if it was open: stopped without a node, else started.
    """
    if resource.placed.next_role is Role.UNKNOWN:
        open_role = Role.STOPPED if resource.placed.node is None else Role.STARTED
        want_role(resource, open_role, resource.placed.next_role_cause)
    current = current_node(resource)
    _stop_dangling(cluster, resource)
    moving = (
        current is not None
        and resource.placed.node is not None
        and current is not resource.placed.node
        and resource.placed.next_role >= Role.STARTED
    )
    migrate = moving and can_migrate(resource, current)
    stop_needed = moving
    resource.planned.expected_node = None
    if not (migrate and _continues_migration(resource, current)):
        if resource.found.partial_source is not None or resource.found.partial_target is not None:
            abandon_migration(resource)
            stop_needed, migrate = True, False
        elif multiply_active(resource):
            stop_needed = _leave_unexpected(resource) or stop_needed
    if resource.found.start_pending:
        _request_start(cluster, resource, resource.placed.node).shown = True
    promote_needed = False
    if not moving:
        staying_stop, promote_needed = _needed_in_place(cluster, resource, current)
        stop_needed = stop_needed or staying_stop
    _down_and_up(cluster, resource, stop_needed, promote_needed)
    _to_next_role(cluster, resource)
    create_recurring(cluster, resource)
    if migrate and current is not None:
        create_migration(cluster, resource, current)


def _stop_dangling(cluster: Cluster, resource: Resource) -> None:
    for source in resource.found.dangling:
        cause = Cause(Why.MIGRATION, resource.id, "a stop on the source of an earlier migration was never seen")
        stop = request(cluster, resource, action_key(resource.id, "stop"), "stop", source, optional=False, cause=cause)
        stop.dangling = True
        if cluster.options.remove_after_stop:
            schedule_cleanup(cluster, resource, source, optional=False)


def _continues_migration(resource: Resource, current: ClusterNode | None) -> bool:
    """Whether a half-done migration is to be completed: source and target are where it is and will be, and nothing else is."""
    source, target = resource.found.partial_source, resource.found.partial_target
    return (
        source is not None
        and target is not None
        and len(resource.found.active_on) == 2
        and current is source
        and resource.placed.node is target
    )


def _leave_unexpected(resource: Resource) -> bool:
    """Whether a multiply active resource is stopped, by its policy; the one that names an expected node spares that."""
    if resource.configured.multiple_active == "stop_unexpected":
        resource.planned.expected_node = resource.placed.node
    return resource.configured.multiple_active in ("stop_start", "stop_unexpected")


def _needed_in_place(cluster: Cluster, resource: Resource, current: ClusterNode | None) -> tuple[bool, bool]:
    """Whether a resource that doesn't move needs a stop, and whether it needs to be promoted again."""
    if resource.found.failed:
        return resource.found.must_stop, not resource.found.must_stop and resource.placed.next_role is Role.PROMOTED
    if resource.found.blocked:
        return True, False
    if resource.found.role > Role.STARTED and current is not None and resource.placed.node is not None:
        return not _request_start(cluster, resource, resource.placed.node).optional, False
    return False, False


def _down_and_up(cluster: Cluster, resource: Resource, stop_needed: bool, promote_needed: bool) -> None:
    """Step down to stopped and up again to the current role; everything is optional unless needed."""
    role = resource.found.role
    while role is not Role.STOPPED:
        following, task = STEPS[role].get(Role.STOPPED, (role, None))
        if task is None:
            break
        _DO[task](cluster, resource, not stop_needed, True)
        role = following
    if resource.found.role > resource.placed.next_role or resource.found.blocked:
        return
    while role is not resource.found.role:
        following, task = STEPS[role].get(resource.found.role, (role, None))
        if task is None:
            break
        needed = stop_needed or (promote_needed and following is Role.PROMOTED)
        _DO[task](cluster, resource, not needed, True)
        role = following


def _to_next_role(cluster: Cluster, resource: Resource) -> None:
    role = resource.found.role
    while role is not resource.placed.next_role:
        following, task = STEPS[role].get(resource.placed.next_role, (role, None))
        if task is None:
            break
        _DO[task](cluster, resource, False, False)
        role = following


def _expected(resource: Resource, node: ClusterNode | None, restarting: bool) -> bool:
    """Whether a multiply active resource may stay on this node while it is brought down elsewhere."""
    return (
        restarting
        and node is not None
        and node is resource.planned.expected_node
        and resource.placed.next_role > Role.STOPPED
    )


def _stop(cluster: Cluster, resource: Resource, optional: bool, restarting: bool) -> None:
    """Stop it wherever it is active, but where it is expected and where a continuing migration takes it."""
    key = action_key(resource.id, "stop")
    for node in tuple(resource.found.active_on):
        if _expected(resource, node, restarting):
            continue
        if resource.found.partial_target is not None:
            if node is resource.found.partial_target and node is resource.placed.node:
                continue
            optional = False
        stop = request(cluster, resource, key, "stop", node, optional=optional)
        if resource.placed.node is None:
            set_reason(stop, "node availability", resource.placed.assigned, overwrite=True)
        elif restarting and resource.planned.expected_node is not None:
            cause = Cause(Why.MULTIPLE_ACTIVE, resource.id, resource.configured.multiple_active)
            set_reason(stop, "being multiply active", cause, overwrite=True)
        elif not optional:
            set_reason(stop, None, _why_down(resource))
        if not resource.managed:
            stop.runnable = False
        if cluster.options.remove_after_stop:
            schedule_cleanup(cluster, resource, node, optional=optional)
        if resource.configured.needs_unfencing:
            add_edge(stop, unfence(cluster, node), RF, Cause(Why.FENCING, node.name, "unfencing"))


def _start(cluster: Cluster, resource: Resource, optional: bool, restarting: bool) -> None:
    """Start it on its next node; required only if it can run, so that what quorum forbids stays out of the graph."""
    node = resource.placed.node
    start = _request_start(cluster, resource, node)
    if node is not None:
        order_after_unfencing(cluster, resource, node, start, RT)
    if start.runnable and not optional:
        start.optional = False
        if start.cause is None:
            start.cause = _role_change(resource)
    if _expected(resource, node, restarting):
        start.pseudo = True  # One that may not run stays so: it is dashed in the graph, and nothing follows from it.


def _promote(cluster: Cluster, resource: Resource, optional: bool, restarting: bool) -> None:
    """Promote it on its next node, unless a start of it there can't run."""
    node = resource.placed.node
    key = action_key(resource.id, "promote")
    starts = find_actions_exactly(resource, action_key(resource.id, "start"), node) if node is not None else []
    if all(start.runnable for start in starts):
        cause = None if optional else _role_change(resource)
        promote = request(cluster, resource, key, "promote", node, optional=optional, cause=cause)
        if _expected(resource, node, restarting):
            promote.pseudo = True
    elif node is not None:
        for promote in find_actions_exactly(resource, key, node):
            promote.runnable = False


def _demote(cluster: Cluster, resource: Resource, optional: bool, restarting: bool) -> None:
    """Demote it wherever it is active, but where it is expected."""
    key = action_key(resource.id, "demote")
    cause = None if optional else _role_change(resource)
    for node in tuple(resource.found.active_on):
        if not _expected(resource, node, restarting):
            request(cluster, resource, key, "demote", node, optional=optional, cause=cause)


_DO: dict[str, Callable[[Cluster, Resource, bool, bool], None]] = {
    "stop": _stop,
    "start": _start,
    "promote": _promote,
    "demote": _demote,
}


def _request_start(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> Action:
    return request(cluster, resource, action_key(resource.id, "start"), "start", node, optional=True)


def _role_change(resource: Resource) -> Cause:
    if resource.found.role is not resource.placed.next_role:
        return resource.placed.next_role_cause or Cause(
            Why.ROLE, resource.id, f"{resource.found.role} -> {resource.placed.next_role}"
        )
    return _why_down(resource)


def _why_down(resource: Resource) -> Cause:
    """Why an active resource can't simply go on where it is."""
    if resource.found.role is not resource.placed.next_role and resource.placed.next_role_cause is not None:
        return resource.placed.next_role_cause
    if resource.found.failed:
        return Cause(Why.FAILURE, resource.id)
    if resource.placed.assigned is not None and resource.placed.node not in resource.found.active_on:
        return resource.placed.assigned
    return Cause(Why.ROLE, resource.id, f"{resource.found.role} -> {resource.placed.next_role}")
