"""The actions of a run: asking for one, finding them again, and changing what they are, with the reason.

An action asked for again is found, not made again; that is why the order in which actions are asked for gives them their ids.
Source: the scheduler's specification, part 3, sections 1, 3 and 12.2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.operations import action_values, operation_for, requirement
from reconciler.scheduler.working.action import Action, Values
from reconciler.scheduler.working.roles import Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import Node
    from reconciler.scheduler.working.resource import Resource


def action_key(resource_id: str, task: str, interval_ms: int = 0) -> str:
    """The key of an action; `interval_ms` is 0 for one that does not recur."""
    return f"{resource_id}_{task}_{interval_ms}"


def request(
    cluster: Cluster,
    resource: Resource | None,
    key: str,
    task: str,
    node: Node | None,
    *,
    optional: bool,
    cause: Cause | None = None,
) -> Action:
    """The resource's (or, without one, the cluster's) action with this key: found, else created (section 3.1).

    A request for a required action makes it required, one for an optional action never changes it back. Whether it is runnable is
    judged anew at every request, which may erase its reason.
    """
    action = _find(cluster, resource, key, node)
    if action is None:
        action = _create(cluster, resource, key, task, node, optional)
    if resource is None:
        if not optional:
            action.optional = False
    else:
        _ask(resource, action, optional)
        if not action.pseudo:
            judge_runnable(cluster, resource, action)
    if cause is not None and action.cause is None:
        action.cause = cause
    return action


def find_actions(resource: Resource, key: str, node: Node | None = None) -> list[Action]:
    """The resource's actions with this key, oldest first.

    With a node only those there; an action without a node matches too and is given the node.
    """
    return _on(resource.actions_by_key.get(key.lower()), node)


def find_actions_exactly(resource: Resource, key: str, node: Node) -> list[Action]:
    """The resource's actions with this key on this very node, oldest first; those without a node don't match."""
    found = resource.actions_by_key.get(key.lower())
    return [action for action in found if action.node is node] if found else []


def newest(
    resource: Resource, *, key: str | None = None, task: str | None = None, node: Node | None = None
) -> Action | None:
    """The newest action with this key or task (each only if given); with a node only one on this very node."""
    if key is not None:
        for action in reversed(resource.actions_by_key.get(key.lower(), ())):
            if node is None or action.node is node:
                return action
        return None
    for action in reversed(resource.actions):
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
    for action in resource.actions:
        if action.task == "stop":
            make_required(action)
        elif action.task == "start" or (action.interval_ms and action.expected_rc != 7):
            action.runnable = False


def fence_operation(
    cluster: Cluster,
    node: Node,
    op: str | None = None,
    *,
    optional: bool,
    reason: str | None,
    priority_delay: bool = False,
) -> Action:
    """The operation that fences (or, with `op` "on", unfences) the node, created when missing (section 12.2).

    It is required only when asked so and the node can be fenced. `op` defaults to the configured one. `priority_delay` says that
    priority-fencing-delay is to be considered; once considered it is calculated again at every request.
    """
    from reconciler.scheduler.noting.fenceable import (
        can_fence,  # It marks nodes for fencing, which asks for this operation.
    )

    op = cluster.options.stonith_action if op is None else op
    key = f"stonith-{node.name}-{op}"
    action = _find(cluster, None, key, None)
    if action is None:
        action = _create(cluster, None, key, "stonith", node, True)
        action.meta.update(on_node=node.name, on_node_uuid=node.id, stonith_action=op)
        if cluster.unfencing:
            from reconciler.scheduler.noting.unfencing import record_devices  # It asks for this operation, too.

            changed = record_devices(cluster, node, action)
            optional = optional and not changed
    if cluster.options.priority_fencing_delay_s > 0 and (priority_delay or "priority-fencing-delay" in action.meta):
        action.meta["priority-fencing-delay"] = str(_priority_delay_s(cluster, node))
    cause = Cause(Why.FENCING, node.name, reason or "")
    if not optional and can_fence(cluster, node):
        make_required(action, reason, cause)
    else:
        set_reason(action, reason, cause)
    return action


def judge_runnable(cluster: Cluster, resource: Resource, action: Action) -> None:
    """Whether the action of a resource can run where it is: its node, then the quorum decide (section 3.1, rule 4)."""
    node = action.node
    if node is None:
        action.runnable = False
    elif not node.online and action.task != "lrm_delete" and not (node.is_guest and not node.requires_reset):
        action.runnable = False
        if action.task == "stop" and resource.managed and not node.unclean:
            from reconciler.scheduler.noting.fenceable import mark_for_fencing  # It asks for the fence operation here.

            mark_for_fencing(cluster, node, "stop is unrunnable")
    elif node.pending and action.task != "lrm_delete":
        action.runnable = False
    elif action.needs == "nothing":
        action.reason = None
        action.runnable = not node.is_guest or _guest_can_be_fenced(cluster, node)
    else:
        _judge_quorum(cluster, resource, action)


def _guest_can_be_fenced(cluster: Cluster, node: Node) -> bool:
    from reconciler.scheduler.noting.fenceable import (
        can_fence,  # It marks nodes for fencing, which asks for operations here.
    )

    return can_fence(cluster, node)


def _judge_quorum(cluster: Cluster, resource: Resource, action: Action) -> None:
    policy = "ignore" if cluster.have_quorum else cluster.options.no_quorum_policy
    if policy == "demote":
        if resource.role > Role.STARTED:
            if resource.next_role > Role.UNPROMOTED:
                resource.next_role = Role.UNPROMOTED
                resource.next_role_cause = Cause(Why.QUORUM, "no-quorum-policy", "demote")
            policy = "ignore"
        else:
            policy = "stop"
    if policy == "stop":
        make_unrunnable(action, "no quorum", Cause(Why.QUORUM, "no-quorum-policy", policy), overwrite=True)
    elif policy == "freeze":
        from reconciler.scheduler.working.activity import is_active  # Only a cluster without quorum needs it.

        if resource.next_role > resource.role or not is_active(resource):
            make_unrunnable(action, "quorum freeze", Cause(Why.QUORUM, "no-quorum-policy", policy), overwrite=True)
    else:
        action.runnable = True


def _find(cluster: Cluster, resource: Resource | None, key: str, node: Node | None) -> Action | None:
    index = cluster.actions_by_key if resource is None else resource.actions_by_key
    found = _on(index.get(key.lower()), node)
    return found[0] if found else None


def _on(found: list[Action] | None, node: Node | None) -> list[Action]:
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


def _ask(resource: Resource, action: Action, optional: bool) -> None:
    if not resource.managed and not action.pseudo and action.node is not None and not action.interval_ms:
        action.optional = True
    elif not optional:
        action.optional = False


def _create(
    cluster: Cluster, resource: Resource | None, key: str, task: str, node: Node | None, optional: bool
) -> Action:
    action = Action(cluster.next_action_id, key, task, resource, node)
    action.optional = optional
    cluster.next_action_id += 1
    cluster.actions.append(action)
    if resource is None:
        cluster.actions_by_key.setdefault(key.lower(), []).append(action)
        return action
    resource.actions.append(action)
    interval = key[key.rfind("_") + 1 :]
    action.interval_ms = int(interval) if interval.isdecimal() else 0
    same = resource.actions_by_key.setdefault(key.lower(), [])
    action.values = same[0].values if same else _values(cluster, resource, action)
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
    values = Values(operation, evaluate, per_node=resource.is_stonith or rules_on_node)
    if operation is not None:
        blocks += operation.meta
    if rules_on_node or any(block.rules for block in blocks):
        values.on(action.node)  # Rules on dates tell when to decide again, so they can't wait until somebody asks.
    return values


def _priority_delay_s(cluster: Cluster, node: Node) -> int:
    """The delay that lets the partition with the higher priorities win a fence race (section 12.2)."""
    from reconciler.scheduler.working.node import NodeKind

    members = [member for member in cluster.nodes if member.kind is NodeKind.CLUSTER]
    if node.kind is not NodeKind.CLUSTER or node.online:
        return 0
    if sum(member.online for member in members) > len(members) // 2:
        return 0
    priorities = [member.priority for member in members]
    lowest, highest = min(priorities), max(priorities)
    if lowest == highest or node.priority < highest:
        return 0
    return cluster.options.priority_fencing_delay_s
