"""The actions of a run: finding and making them, and changing what they are, with the reason.

Source: the scheduler's specification, part 3, sections 1 and 3.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause
from reconciler.scheduler.evaluating.operations import action_values, operation_for, requirement
from reconciler.scheduler.working.action import Action, Values

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def action_key(resource_id: str, task: str, interval_ms: int = 0) -> str:
    """The key of an action; `interval_ms` is 0 for one that does not recur."""
    return f"{resource_id}_{task}_{interval_ms}"


def find_actions(resource: Resource, key: str, node: ClusterNode | None = None) -> list[Action]:
    """The resource's actions with this key, oldest first.

    With a node only those there; an action without a node matches too and is given the node.
    """
    return _on(resource.planned.actions_by_key.get(key.lower()), node)


def find_actions_exactly(resource: Resource, key: str, node: ClusterNode) -> list[Action]:
    """The resource's actions with this key on this very node, oldest first; those without a node don't match."""
    found = resource.planned.actions_by_key.get(key.lower())
    return [action for action in found if action.node is node] if found else []


def newest(
    resource: Resource, *, key: str | None = None, task: str | None = None, node: ClusterNode | None = None
) -> Action | None:
    """The newest action with this key or task (each only if given); with a node only one on this very node."""
    if key is not None:
        for action in reversed(resource.planned.actions_by_key.get(key.lower(), ())):
            if node is None or action.node is node:
                return action
        return None
    for action in reversed(resource.planned.actions):
        if (task is None or action.task == task) and (node is None or action.node is node):
            return action
    return None


def make_required(
    action: Action, reason: str | None = None, cause: Cause | None = None, *, overwrite: bool = False
) -> None:
    """The action has to be done, whatever was asked before."""
    action.optional = False
    set_reason(action, reason, cause, overwrite=overwrite)


def make_unrunnable(
    action: Action, reason: str | None = None, cause: Cause | None = None, *, overwrite: bool = False
) -> None:
    """The action can't be done; where it is required it stays required."""
    action.runnable = False
    set_reason(action, reason, cause, overwrite=overwrite)


def make_pseudo(action: Action) -> None:
    """Nobody carries the action out any more: it marks a point in the graph, and can be reached."""
    action.pseudo = True
    action.runnable = True


def set_reason(action: Action, reason: str | None, cause: Cause | None = None, *, overwrite: bool = False) -> None:
    """Note why the action is as it is: the first reason stays, unless the caller overwrites (section 3.4)."""
    if reason is not None and (overwrite or action.reason is None):
        action.reason = reason
        if cause is not None:
            action.cause = cause
    elif cause is not None and action.cause is None:
        action.cause = cause


def assigned_nowhere(cluster: Cluster, resource: Resource) -> None:
    """No node was found for the resource: what was planned for it so far is changed accordingly (section 4.5, end).

    Stops are required; starts, and recurring actions that don't expect it to be stopped, are unrunnable.
    """
    for action in resource.planned.actions:
        if action.task == "stop":
            make_required(action)
        elif action.task == "start" or (action.interval_ms and action.expected_rc != 7):
            action.runnable = False


def known_action(cluster: Cluster, resource: Resource | None, key: str, node: ClusterNode | None) -> Action | None:
    """The oldest action of the resource (or, without one, of the cluster) with this key; see `find_actions` for nodes."""
    index = cluster.actions_by_key if resource is None else resource.planned.actions_by_key
    found = index.get(key.lower())
    if not found:
        return None
    if node is None:
        return found[0]
    first = None
    for action in found:
        where = action.node
        if where is None:
            action.node = where = node
        if where is node and first is None:
            first = action
    return first


def _on(found: list[Action] | None, node: ClusterNode | None) -> list[Action]:
    if not found:
        return []
    if node is None:
        return found.copy()
    matches = []
    for action in found:
        if action.node is None:
            action.node = node
        if action.node is node:
            matches.append(action)
    return matches


def new_action(
    cluster: Cluster, resource: Resource | None, key: str, task: str, node: ClusterNode | None, optional: bool
) -> Action:
    """Make the action, with the next id and the values of the operation that is configured for it."""
    action = Action(cluster.next_action_id, key, task, resource, node)
    action.optional = optional
    cluster.next_action_id += 1
    cluster.actions.append(action)
    if resource is None:
        cluster.actions_by_key.setdefault(key.lower(), []).append(action)
        return action
    resource.planned.actions.append(action)
    same = resource.planned.actions_by_key.setdefault(key.lower(), [])
    if same:
        action.interval_ms, action.values = same[0].interval_ms, same[0].values
    else:
        interval = key[key.rfind("_") + 1 :]
        action.interval_ms = int(interval) if interval.isdecimal() else 0
        action.values = _values(cluster, resource, action)
    same.append(action)
    if task in ("start", "promote"):
        action.needs = requirement(resource, task)
    return action


def _values(cluster: Cluster, resource: Resource, action: Action) -> Values:
    name = action.key[len(resource.id) + 1 : action.key.rfind("_")]
    operation = operation_for(resource, name, action.interval_ms, include_disabled=True)
    evaluate = partial(action_values, cluster, resource, action.task, action.interval_ms, operation)
    blocks = cluster.cib.configuration.defaults.operations
    rules_on_node = operation is not None and any(block.rules for block in operation.params)
    values = Values(operation, evaluate, per_node=resource.configured.is_stonith or rules_on_node)
    if operation is not None:
        blocks += operation.meta
    if rules_on_node or any(block.rules for block in blocks):
        values.on(action.node)  # Rules on dates tell when to decide again, so they can't wait until somebody asks.
    return values
