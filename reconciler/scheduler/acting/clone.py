"""Clones: the orderings between a clone and its instances, and the pseudo actions that stand for the whole.

Source: the scheduler's specification, part 3, section 9.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.acting.notifications import create_phase, order_phases
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key, find_actions
from reconciler.scheduler.noting.orderings import add_edge, order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.working.effects import ORD, RN, SHF, SHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

_PHASES = (
    ("stopped", "start", ORD),
    ("start", "running", RN),
    ("stop", "stopped", RN),
)
_PROMOTABLE_PHASES = (("demoted", "stop", ORD), ("running", "promote", RN))
ROLE_PHASES = (
    ("stopped", "start", ORD),
    ("stopped", "promote", ORD),
    ("demoted", "stop", ORD),
    ("demoted", "start", ORD),
    ("demoted", "promote", ORD),
    ("running", "promote", ORD),
    ("demote", "demoted", ORD),
)
"""How the phases of something promotable follow each other."""


def order_clone(cluster: Cluster, clone: Resource, order_instance: Callable[[Cluster, Resource], None]) -> None:
    """Order the clone against its instances; of an ordered clone also the instances, from here on in number order."""
    fields = clone.clone
    assert fields is not None
    cause = Cause(Why.IMPLICIT, clone.id, "clone")
    order_own_phases(cluster, clone, _PHASES + (_PROMOTABLE_PHASES if fields.promotable else ()), cause)
    if fields.ordered:
        sort_by_number(clone)
    previous: Resource | None = None
    for child in clone.children:
        order_instance(cluster, child)
        _then(cluster, clone, "start", child, "start", RN | SHF, cause)
        _then(cluster, child, "start", clone, "running", SHT, cause)
        if fields.ordered and previous is not None:
            _then(cluster, previous, "start", child, "start", ORD, cause)
        _then(cluster, clone, "stop", child, "stop", SHF, cause)
        _then(cluster, child, "stop", clone, "stopped", SHT, cause)
        if fields.ordered and previous is not None:
            _then(cluster, child, "stop", previous, "stop", ORD, cause)
        previous = child
    if fields.promotable:
        _order_promotions(cluster, clone, fields.ordered, cause)


def order_own_phases(
    cluster: Cluster, resource: Resource, phases: tuple[tuple[str, str, int], ...], cause: Cause
) -> None:
    """Order pseudo actions of one collective resource against each other."""
    for first, task, effects in phases:
        _then(cluster, resource, first, resource, task, effects, cause)


def sort_by_number(clone: Resource) -> None:
    """Put the instances into the order of their numbers."""
    clone.children.sort(key=lambda child: child.instance or 0)


def create_clone_actions(
    cluster: Cluster, clone: Resource, create_instance: Callable[[Cluster, Resource], None]
) -> None:
    """Create the instances' actions, then the clone's own, which tell when all instances are done."""
    fields = clone.clone
    assert fields is not None
    create_start_and_stop(cluster, clone, clone.children, create_instance)
    _order_required(clone)
    order_phases(clone)
    if fields.promotable:
        _create_role_actions(cluster, clone, create_instance)


def create_start_and_stop(
    cluster: Cluster,
    resource: Resource,
    children: list[Resource],
    create_child: Callable[[Cluster, Resource], None],
) -> None:
    """Create the children's actions and the pseudo actions for start and stop of the whole (a clone or a bundle)."""
    any_starting = any_stopping = any_active = in_place = False
    for child in children:
        create_child(cluster, child)
        starting, stopping = _required(child)
        in_place = in_place or (starting and stopping)
        any_starting, any_stopping = any_starting or starting, any_stopping or stopping
        any_active = any_active or any(leaf.found.active_on for leaf in child.leaves())
    start = request_pseudo(cluster, resource, "start", optional=not any_starting)
    running = request_pseudo(cluster, resource, "running", optional=not any_starting)
    running.priority = INFINITY
    running.runnable = any_active or any_starting
    create_phase(cluster, resource, start, running)
    stop = request_pseudo(cluster, resource, "stop", optional=not any_stopping)
    stopped = request_pseudo(cluster, resource, "stopped", optional=not any_stopping)
    stopped.priority = INFINITY
    if not in_place:
        stop.migratable = True
    create_phase(cluster, resource, stop, stopped)


def request_pseudo(cluster: Cluster, resource: Resource, task: str, *, optional: bool) -> Action:
    """A runnable pseudo action of a collective resource."""
    action = request(cluster, resource, action_key(resource.id, task), task, None, optional=optional)
    action.pseudo = True
    action.runnable = True
    return action


def _create_role_actions(
    cluster: Cluster, clone: Resource, create_instance: Callable[[Cluster, Resource], None]
) -> None:
    """Create what a promotable clone has in addition; the instances' actions are gone through once more before."""
    promoting = demoting = False
    for child in clone.children:
        create_instance(cluster, child)
        tasks = {action.task for leaf in child.leaves() for action in leaf.planned.actions if not action.optional}
        promoting, demoting = promoting or "promote" in tasks, demoting or "demote" in tasks
    for task, done, wanted in (("promote", "promoted", promoting), ("demote", "demoted", demoting)):
        begin = request_pseudo(cluster, clone, task, optional=not wanted)
        end = request_pseudo(cluster, clone, done, optional=not wanted)
        end.priority = INFINITY
        create_phase(cluster, clone, begin, end)
    order_phases(clone)


def _required(child: Resource) -> tuple[bool, bool]:
    """Whether anything in the instance has to be started, and whether anything has to be stopped."""
    starting = stopping = False
    for leaf in child.leaves():
        for action in leaf.planned.actions:
            if action.optional or not (action.runnable or action.pseudo):
                continue
            if action.task == "stop":
                stopping = True
            elif action.task == "start" and action.runnable:
                starting = True
    return starting, stopping


def _order_required(clone: Resource) -> None:
    """Instances of an ordered clone start one after the other, and stop in reverse."""
    assert clone.clone is not None
    if not clone.clone.ordered:
        return
    sort_by_number(clone)
    cause = Cause(Why.IMPLICIT, clone.id, "ordered")
    last_start = last_stop = None
    for child in clone.children:
        stop, start = _single_required(child, "stop"), _single_required(child, "start")
        if stop is not None:
            if last_stop is not None:
                add_edge(stop, last_stop, ORD, cause)
            last_stop = stop
        if start is not None:
            if last_start is not None:
                add_edge(last_start, start, ORD, cause)
            last_start = start


def _single_required(child: Resource, task: str) -> Action | None:
    required = [action for action in find_actions(child, action_key(child.id, task)) if not action.optional]
    return required[0] if len(required) == 1 else None


def _order_promotions(cluster: Cluster, clone: Resource, ordered: bool, cause: Cause) -> None:
    order_own_phases(cluster, clone, ROLE_PHASES, cause)
    previous: Resource | None = None
    for child in clone.children:
        _then(cluster, child, "demote", child, "promote", ORD, cause)
        _then(cluster, clone, "promote", child, "promote", ORD, cause)
        _then(cluster, child, "promote", clone, "promoted", ORD, cause)
        if ordered and previous is not None:
            _then(cluster, previous, "promote", child, "promote", ORD, cause)
        _then(cluster, clone, "demote", child, "demote", SHF, cause)
        _then(cluster, child, "demote", clone, "demoted", SHT, cause)
        if ordered and previous is not None:
            _then(cluster, child, "demote", previous, "demote", ORD, cause)
        previous = child


def _then(
    cluster: Cluster, first: Resource, first_task: str, second: Resource, task: str, effects: int, cause: Cause
) -> None:
    first_side = (first, action_key(first.id, first_task))
    order(cluster, first_side, (second, action_key(second.id, task)), effects, cause)
