"""What a transition changes, resource by resource, as people are told.

Source: the scheduler's specification, part 3, section 18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from reconciler.scheduler.noting.actions import action_key, find_actions
from reconciler.scheduler.plan import Change, FailedAction, Placement, Terms, Verb
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.activity import current_node
from reconciler.scheduler.working.whereabouts import told_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.options import ClusterOptions
    from reconciler.scheduler.working.resource import Resource


class _Actions(NamedTuple):
    """The actions of a resource that decide about its line."""

    start: Action | None
    stop: Action | None
    promote: Action | None
    demote: Action | None


class _SummaryLine(NamedTuple):
    """One line: what happens, whether the resource is gone afterwards, and the actions that tell why.

    `subject` says whether it can be done; `reason` why, when it isn't the subject itself.
    """

    verb: Verb
    subject: Action | None
    reason: Action | None = None
    gone: bool = False


def summarise(cluster: Cluster) -> tuple[Change, ...]:
    """What changes: nodes that are fenced, then resources.

    Looking for a resource's actions gives those that had no node its next node; so it is done before the graph is built.
    """
    fencing = [action for action in reversed(cluster.actions) if action.task == "stonith"]
    changes = [change for action in fencing if (change := _fenced(action)) is not None]
    for resource in cluster.resources:
        for leaf in _in_order(resource):
            changes += _changes(leaf)
    return tuple(changes)


def placements(cluster: Cluster) -> tuple[Placement, ...]:
    """Where each primitive instance is and will be."""
    return tuple(
        [
            Placement(
                leaf.id,
                tuple([node.name for node in leaf.found.active_on]),
                str(told_role(leaf)),
                None if leaf.placed.node is None else leaf.placed.node.name,
                str(leaf.placed.next_role),
                leaf.placed.assigned,
                leaf.found.history_name,
            )
            for resource in cluster.resources
            for leaf in _in_order(resource)
        ]
    )


def failures(cluster: Cluster) -> tuple[FailedAction, ...]:
    """The recorded results that count as failures, in the order found."""
    return tuple(
        [
            FailedAction(
                failed.resource.id,
                failed.node.name,
                failed.entry,
                failed.masked,
                bool(failed.resource.found.active_on)
                and not (failed.resource.found.failed or failed.resource.found.blocked),
            )
            for failed in cluster.failed
        ]
    )


def terms(options: ClusterOptions) -> Terms:
    """The options under which the plan is carried out."""
    return Terms(
        options.batch_limit,
        options.migration_limit,
        options.start_failure_is_fatal,
        options.stonith_enabled,
        options.cluster_delay,
        options.stonith_timeout,
        options.raw.get("cluster-recheck-interval"),
    )


def _in_order(resource: Resource) -> list[Resource]:
    if resource.bundle is None:
        if resource.kind is Kind.PRIMITIVE:
            return [resource]
        return [leaf for child in resource.children for leaf in _in_order(child)]
    parts: list[Resource | None] = []
    for replica in resource.bundle.replicas:
        parts += [replica.ip, replica.container, replica.connection, replica.primitive]
    return [part for part in parts if part is not None]


def _fenced(action: Action) -> Change | None:
    """A required fence operation; one without a reason is not worth a line."""
    node = action.node
    if action.optional or action.resource is not None or action.reason is None or node is None:
        return None
    guest = node.connection.container if node.is_guest and node.connection is not None else None
    return Change(
        Verb.FENCE,
        node.name,
        reason=action.reason,
        cause=action.cause,
        detail=action.meta.get("stonith_action", ""),
        guest=None if guest is None else guest.id,
    )


def _changes(resource: Resource) -> Iterator[Change]:
    current = current_node(resource) if resource.found.active_on else None
    target = resource.placed.node
    role = told_role(resource)
    if not resource.managed or (current is None and (resource.configured.orphan or target is None)):
        return
    actions = _lookup(resource, current, target)
    if role == resource.placed.next_role:
        line = _same_role(resource, actions, current, target)
    elif _only_stops(resource, actions):
        yield from _stops(resource, role, actions)
        return
    else:
        line = _other_role(resource, role, actions, current, target)
    if line is not None:
        yield _change(resource, role, line, current, None if line.gone else target)


def _lookup(resource: Resource, current: ClusterNode | None, target: ClusterNode | None) -> _Actions:
    start = _oldest(resource, "start", target)
    stop = _oldest(resource, "stop", current if start is not None and start.runnable else None)
    if stop is None and resource.configured.multiple_active == "stop_unexpected":
        stop = _oldest(resource, "stop", None)
    return _Actions(start, stop, _oldest(resource, "promote", target), _oldest(resource, "demote", target))


def _oldest(resource: Resource, task: str, node: ClusterNode | None) -> Action | None:
    found = find_actions(resource, action_key(resource.id, task), node)
    return found[0] if found else None


def _same_role(
    resource: Resource, actions: _Actions, current: ClusterNode | None, target: ClusterNode | None
) -> _SummaryLine | None:
    """Table A of section 18.2."""
    start, stop = actions.start, actions.stop
    if target is None:
        return None
    moving = current is not None and current is not target
    migrate = _oldest(resource, "migrate_from", target)
    if migrate is not None and migrate.runnable and current is not None:
        return _SummaryLine(Verb.MIGRATE, start)
    if resource.planned.reloading:
        return _SummaryLine(Verb.RELOAD, start)
    if start is None or start.optional:
        demote, promote = actions.demote, actions.promote
        again = demote is not None and promote is not None and not demote.optional and not promote.optional
        return _SummaryLine(Verb.RE_PROMOTE, promote, demote) if again else None
    if not start.runnable:
        return _SummaryLine(Verb.STOP, stop, _explaining(stop, start), gone=True)
    if moving:
        return _SummaryLine(Verb.RECOVER if resource.found.failed else Verb.MOVE, stop)
    if resource.found.failed:
        return _SummaryLine(Verb.RECOVER, stop, gone=True)
    return _SummaryLine(Verb.RESTART, start)


def _only_stops(resource: Resource, actions: _Actions) -> bool:
    start = actions.start
    return actions.stop is not None and (
        resource.placed.next_role is Role.STOPPED or (start is not None and not start.runnable)
    )


def _stops(resource: Resource, role: Role, actions: _Actions) -> Iterator[Change]:
    """One line for each node on which it stops."""
    for node in resource.found.active_on:
        stop = _oldest(resource, "stop", node)
        line = _SummaryLine(Verb.STOP, stop, _explaining(stop, actions.start), gone=True)
        yield _change(resource, role, line, node, None)


def _other_role(
    resource: Resource, role: Role, actions: _Actions, current: ClusterNode | None, target: ClusterNode | None
) -> _SummaryLine | None:
    """Table B of section 18.2, but for its first row."""
    start, stop = actions.start, actions.stop
    if stop is not None and resource.found.failed and resource.found.must_stop:
        return _SummaryLine(Verb.RECOVER, stop, start)
    if current is not None and target is not None and current is not target:
        return _SummaryLine(Verb.MOVE, stop)
    if resource.planned.reloading:
        return _SummaryLine(Verb.RELOAD, start)
    if stop is not None and not stop.optional:
        return _SummaryLine(Verb.RESTART, start)
    if role is Role.PROMOTED:
        return _SummaryLine(Verb.DEMOTE, actions.demote)
    if resource.placed.next_role is Role.PROMOTED:
        return _SummaryLine(Verb.PROMOTE, actions.promote)
    if role is Role.STOPPED and resource.placed.next_role > Role.STOPPED:
        return _SummaryLine(Verb.START, start)
    return None


def _explaining(stop: Action | None, start: Action | None) -> Action | None:
    """The stop if it has a reason, else the start that it makes way for."""
    return stop if stop is not None and stop.reason is not None else start


def _change(
    resource: Resource, role: Role, line: _SummaryLine, origin: ClusterNode | None, target: ClusterNode | None
) -> Change:
    subject = line.subject
    told_by = line.reason if line.reason is not None else subject
    return Change(
        line.verb,
        resource.id,
        from_node=None if origin is None else origin.name,
        to_node=None if target is None else target.name,
        from_role=str(role),
        to_role=str(resource.placed.next_role),
        reason=None if told_by is None else told_by.reason,
        blocked=subject is not None and not subject.runnable,
        cause=None if told_by is None else told_by.cause,
    )
