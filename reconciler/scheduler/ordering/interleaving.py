"""Interleaved clones: which instance of one clone an instance of another is ordered with.

Source: the scheduler's specification, part 3, sections 11.5 and 11.7; part 2, section 15.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.text import is_true
from reconciler.scheduler.noting.actions import newest
from reconciler.scheduler.ordering.flags import containers, plain_task, task_of_instances
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.whereabouts import blocked, single_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


class Pair(NamedTuple):
    """An action of an instance before that of another, or an instance that has nobody to follow (`inhibited`)."""

    first: Action | None
    then: Action | None
    inhibited: Resource | None = None


def interleaves(resource: Resource) -> bool:
    """Whether the collective says that its instances only wait for instances on their own node."""
    return is_true(resource.configured.meta.get("interleave"))


def interleaved(first: Action, then: Action) -> bool:
    """Whether the order of these actions is one of instances that share a node."""
    one, other = first.resource, then.resource
    if one is None or other is None or one is other or one.kind < Kind.CLONE or other.kind < Kind.CLONE:
        return False
    return interleaves(one if then.key.endswith(("_stop_0", "_demote_0")) else other)


def pairs(cluster: Cluster, first: Action, then: Action, node: ClusterNode | None) -> Iterator[Pair]:
    """The pairs of actions for which the order of two interleaved clones' actions stands.

    `node` restricts to actions there. An instance without a partner is only inhibited when it is to come up.
    """
    one, other = first.resource, then.resource
    if one is None or other is None:
        return
    current = first.key.endswith(("_stopped_0", "_demoted_0"))
    for instance in containers(other):
        partner = partner_of(cluster, instance, one, current=current)
        if partner is None:
            if not current:
                yield Pair(None, None, instance)
            continue
        of_partner = _first_action(first, partner, node)
        of_instance = _then_action(then, instance, node)
        if of_partner is not None and of_instance is not None:
            yield Pair(of_partner, of_instance)


def partner_of(cluster: Cluster, resource: Resource, collective: Resource, *, current: bool) -> Resource | None:
    """The first instance of the collective that shares the resource's place, now (`current`) or after the transition.

    A resource without a single place tries its allowed nodes, best first.
    """
    place = _location(resource, current=current)
    if place is not None:
        return _instance_on(collective, place, current=current)
    from reconciler.scheduler.placing.candidates import (
        sort_candidates,  # Needed for the odd instance without a place only.
    )

    for candidate in sort_candidates(cluster, resource.placed.table, None):
        partner = _instance_on(collective, candidate, current=current)
        if partner is not None:
            return partner
    return None


def _instance_on(collective: Resource, node: ClusterNode, *, current: bool) -> Resource | None:
    for instance in containers(collective):
        if _location(instance, current=current) is node and not blocked(instance):
            return instance
    return None


def _location(resource: Resource, *, current: bool) -> ClusterNode | None:
    """The one node where all leaves of a resource are or will be, None when it is not one."""
    if not current:
        return single_node(resource)
    found: ClusterNode | None = None
    for leaf in resource.leaves():
        for node in leaf.found.active_on:
            if found is not None and node is not found:
                return None
            found = node
    return found


def _first_action(first: Action, partner: Resource, node: ClusterNode | None) -> Action | None:
    task = plain_task(task_of_instances(first), partner)
    inner = _inside(first, partner)
    if inner is not None and "stop" in first.task:
        partner = inner
    return newest(partner, task=task, node=node)


def _then_action(then: Action, instance: Resource, node: ClusterNode | None) -> Action | None:
    inner = _inside(then, instance)
    if inner is not None and then.task in ("promote", "promoted", "demote", "demoted"):
        instance = inner
    return newest(instance, task=then.task, node=node)


def _inside(action: Action, container: Resource) -> Resource | None:
    """What runs inside the container, for a bundle's action."""
    resource = action.resource
    if resource is None or resource.bundle is None:
        return None
    return next((replica.primitive for replica in resource.bundle.replicas if replica.container is container), None)
