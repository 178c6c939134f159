"""What has to wait for probes: a probe may find a resource active, and then others are restarted or stopped with it.

Source: the scheduler's specification, part 3, section 11.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import add_edge, first_key, then_key
from reconciler.scheduler.ordering.interleaving import interleaves, partner_of
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.effects import ANTI, LOAD, NOMIG, NONE, ORD, RT, SAME

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action, Edge
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import Ordering
    from reconciler.scheduler.working.resource import Resource

_UNDO = {"start": "stop", "promote": "demote"}


def order_probes(cluster: Cluster) -> None:
    """Order probes before what a restart caused by their result would stop, and before what follows a stop."""
    for resource in cluster.resources:
        for leaf in resource.leaves():
            _order_before_restarts(cluster, leaf)
    for ordering in cluster.orderings:
        if _is_after_stop(ordering):
            _order_like_stop(ordering)


def probes(resource: Resource) -> list[Action]:
    """The resource's probes, oldest first."""
    return resource.planned.actions_by_key.get(action_key(resource.id, "monitor").lower(), [])


# Restarts


def _order_before_restarts(cluster: Cluster, resource: Resource) -> None:
    """Order each of the resource's probes before the stops (demotes) of others that restart with it.

    What is reached from an action depends on the resource only, not on which of its probes one comes from.
    """
    walks: dict[int, list[Action]] = {}
    cause = Cause(Why.PROBE, resource.id)
    for probe in probes(resource):
        for edge in reversed(probe.outputs.copy()):
            found = walks.get(edge.then.id)
            if found is None:
                found = walks[edge.then.id] = _stopped_by_restart(cluster, resource, edge.then)
            for action in found:
                add_edge(probe, action, ORD, cause)


def _stopped_by_restart(cluster: Cluster, resource: Resource, start: Action) -> list[Action]:
    """The real stops and demotes of other primitives that a restart reaching from this action would bring."""
    found: list[Action] = []
    seen: set[int] = set()
    stack = [start]
    while stack:
        action = stack.pop()
        if action.id in seen:
            continue
        seen.add(action.id)
        other = action.resource
        undo = _UNDO.get(action.task)
        if other is not None and other.kind is Kind.PRIMITIVE and other is not resource and undo is not None:
            undone = other.planned.actions_by_key.get(action_key(other.id, undo).lower(), ())
            found += [each for each in undone if not each.pseudo]
        # The newest edge is taken first, so it is pushed last.
        stack += [edge.then for edge in _carriers(cluster, resource, action)]
    return found


def _carriers(cluster: Cluster, resource: Resource, action: Action) -> list[Edge]:
    """The edges by which a restart goes on from an action: to what it implies, and from a collective to its members."""
    collective = action.resource
    if collective is None or collective.kind is Kind.PRIMITIVE or resource.parent is collective:
        return [edge for edge in action.outputs if edge.effects & RT]
    only: Resource | None = None
    one = collective.kind is not Kind.GROUP and interleaves(collective)
    if one:
        only = partner_of(cluster, resource, collective, current=False)
    carriers = []
    for edge in action.outputs:
        child = edge.then.resource
        to_child = child is not None and child.parent is collective and child.kind in (Kind.PRIMITIVE, Kind.GROUP)
        if edge.effects & RT or (to_child and (not one or child is only)):
            carriers.append(edge)
    return carriers


# Stops


def _is_after_stop(ordering: Ordering) -> bool:
    """Whether the ordering says what another resource does after a stop, and so after the probe that may replace it."""
    resource = ordering.first_resource
    if ordering.effects == NONE or resource is None or resource is ordering.then_resource:
        return False
    if not first_key(ordering).endswith("_stop_0"):
        return False
    # A probe inside a container may come after the container's restart: then it can't precede its stop.
    container = resource.container
    return container is None or container is not ordering.then_resource or not then_key(ordering).endswith("_stop_0")


def _order_like_stop(ordering: Ordering) -> None:
    resource = ordering.first_resource
    found = probes(resource) if resource is not None else []
    if not found:
        return
    effects = ordering.effects
    if effects not in (LOAD, ANTI):
        effects = ORD | effects & (NOMIG | SAME)
    thens = _thens(ordering)
    for probe in found:
        for then in thens:
            if not _needless(probe, then):
                add_edge(probe, then, effects, ordering.cause)


def _thens(ordering: Ordering) -> list[Action]:
    if ordering.then_action is not None:
        return [ordering.then_action]
    resource = ordering.then_resource
    return [] if resource is None else resource.planned.actions_by_key.get(then_key(ordering).lower(), [])


def _needless(probe: Action, then: Action) -> bool:
    """The unfencing of the probe's own node comes before it; the shutdown of another node doesn't concern it."""
    if then.task == "stonith":
        return then.node is probe.node and then.meta.get("stonith_action") == "on"
    return then.task == "do_shutdown" and then.node is not probe.node
