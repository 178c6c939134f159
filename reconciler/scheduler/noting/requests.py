"""Asking for an action: it is found, or made, and judged anew.

An action asked for again is found, not made again; that is why the order in which actions are asked for gives them their ids.
Source: the scheduler's specification, part 3, section 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import known_action, make_unrunnable, new_action
from reconciler.scheduler.noting.fencing import can_fence, mark_for_fencing
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.activity import is_active

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def request(
    cluster: Cluster,
    resource: Resource | None,
    key: str,
    task: str,
    node: ClusterNode | None,
    *,
    optional: bool,
    cause: Cause | None = None,
) -> Action:
    """The resource's (or, without one, the cluster's) action with this key: found, else created (section 3.1).

    A request for a required action makes it required, one for an optional action never changes it back. Whether it is runnable is
    judged anew at every request, which may erase its reason.
    """
    action = known_action(cluster, resource, key, node)
    if action is None:
        action = new_action(cluster, resource, key, task, node, optional)
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


def judge_runnable(cluster: Cluster, resource: Resource, action: Action) -> None:
    """Whether the action of a resource can run where it is: its node, then the quorum decide (section 3.1, rule 4)."""
    node = action.node
    if node is None:
        action.runnable = False
    elif not node.online and action.task != "lrm_delete" and not (node.is_guest and not node.requires_reset):
        action.runnable = False
        if action.task == "stop" and resource.managed and not node.unclean:
            mark_for_fencing(cluster, node, "stop is unrunnable")
    elif node.pending and action.task != "lrm_delete":
        action.runnable = False
    elif action.needs == "nothing":
        action.reason = None
        action.runnable = not node.is_guest or can_fence(cluster, node)
    else:
        _judge_quorum(cluster, resource, action)


def _judge_quorum(cluster: Cluster, resource: Resource, action: Action) -> None:
    policy = "ignore" if cluster.have_quorum else cluster.options.no_quorum_policy
    if policy == "demote":
        if resource.found.role > Role.STARTED:
            if resource.placed.next_role > Role.UNPROMOTED:
                want_role(resource, Role.UNPROMOTED, Cause(Why.QUORUM, "no-quorum-policy", "demote"))
            policy = "ignore"
        else:
            policy = "stop"
    if policy == "stop":
        make_unrunnable(action, "no quorum", Cause(Why.QUORUM, "no-quorum-policy", policy), overwrite=True)
    elif policy == "freeze":
        if resource.placed.next_role > resource.found.role or not is_active(resource):
            make_unrunnable(action, "quorum freeze", Cause(Why.QUORUM, "no-quorum-policy", policy), overwrite=True)
    else:
        action.runnable = True


def _ask(resource: Resource, action: Action, optional: bool) -> None:
    if not (resource.managed or action.pseudo or action.node is None or action.interval_ms):
        action.optional = True
    elif not optional:
        action.optional = False
