"""From orderings to edges between actions.

Source: the scheduler's specification, part 3, section 11.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.ordering.edge_effects import current_role
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.effects import RT

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import Ordering
    from reconciler.scheduler.working.resource import Resource


def apply_orderings(cluster: Cluster) -> None:
    """Join the actions that the orderings name by edges, in order of the orderings' creation.

    Where nothing matches the first side an action that can't run is made, so that what depends on it can't run either.
    """
    for ordering in cluster.orderings:
        firsts = _firsts(cluster, ordering)
        if not firsts:
            continue
        for first in firsts:
            effects = ordering.effects
            if first.dangling and first.resource is ordering.then_resource:
                effects &= ~RT
            for then in _thens(ordering):
                add_edge(first, then, effects, ordering.cause)


def named_actions(resource: Resource, key: str) -> list[Action]:
    """The resource's actions with this key or, if there are none, with its task and interval under their own id."""
    found = resource.planned.actions_by_key.get(key.lower())
    if found is None:
        task, interval = _task_of(key)
        found = resource.planned.actions_by_key.get(f"{resource.id}_{task}_{interval}".lower())
    return found if found is not None else []


def _firsts(cluster: Cluster, ordering: Ordering) -> list[Action]:
    resource, key = ordering.first_resource, ordering.first_key
    if ordering.first_action is not None:
        return [ordering.first_action]
    if resource is None or key is None:
        return []
    found = named_actions(resource, key)
    if found:
        return found
    if resource is ordering.then_resource:
        return []
    task, interval = _task_of(key)
    role = current_role(resource) if task in ("stop", "demote") else Role.UNKNOWN
    if (task == "stop" and role is Role.STOPPED) or (task == "demote" and role is Role.UNPROMOTED):
        return []
    key = action_key(resource.id, task, int(interval))
    return [request(cluster, resource, key, task, None, optional=True, cause=ordering.cause)]


def _thens(ordering: Ordering) -> list[Action]:
    if ordering.then_action is not None:
        return [ordering.then_action]
    if ordering.then_resource is None or ordering.then_key is None:
        return []
    return named_actions(ordering.then_resource, ordering.then_key)


def _task_of(key: str) -> tuple[str, str]:
    """The task and interval of a key (section 1: a few tasks consist of several words)."""
    rest, _, interval = key.rpartition("_")
    for words in ("migrate_to", "migrate_from"):
        if rest.endswith(f"_{words}"):
            return words, interval
    for kind in ("_pre_notify_", "_post_notify_", "_confirmed-pre_notify_", "_confirmed-post_notify_"):
        position = rest.find(kind)
        if position >= 0:
            return rest[position + 1 :], interval
    return rest.rpartition("_")[2], interval
