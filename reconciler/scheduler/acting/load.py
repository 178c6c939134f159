"""Capacity is free for one resource once others have left the node: orderings through `load_stopped_<node>`.

Source: the scheduler's specification, part 3, section 14.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.working.effects import LOAD

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def order_load(cluster: Cluster, resource: Resource, allowed: Iterable[ClusterNode]) -> None:
    """Order a primitive with utilization: its stops free capacity where it is active, its starts need some.

    `allowed` are the nodes of its table in order of their names.
    """
    cause = Cause(Why.UTILIZATION, resource.id)
    for node in resource.found.active_on:
        order(cluster, (resource, action_key(resource.id, "stop")), _load_stopped(cluster, node), LOAD, cause)
    for node in allowed:
        freed = _load_stopped(cluster, node)
        order(cluster, freed, (resource, action_key(resource.id, "start")), LOAD, cause)
        order(cluster, freed, (resource, action_key(resource.id, "migrate_to")), LOAD, cause)


def _load_stopped(cluster: Cluster, node: ClusterNode) -> Action:
    """The pseudo action that marks that all that leaves the node has left it."""
    name = f"load_stopped_{node.name}"
    action = request(cluster, None, name, name, node, optional=False, cause=Cause(Why.UTILIZATION, node.name))
    action.pseudo = True
    action.runnable = True
    return action
