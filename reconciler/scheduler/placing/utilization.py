"""Whether nodes have room: for a resource alone, and with everything that has to come along.

Source: the scheduler's specification, part 2, section 17.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.scores import ban
from reconciler.scheduler.placing.candidates import compare_capacity, usable
from reconciler.scheduler.placing.capacity import amounts
from reconciler.scheduler.placing.colocation import Affects, affects
from reconciler.scheduler.placing.partners import instances
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.table_order import in_table_order

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

Companions = dict[str, "Resource"]
"""Resources that have to be on one node, by internal id."""


def ban_full_nodes(cluster: Cluster, resource: Resource) -> ClusterNode | None:
    """Forbid nodes that lack room for the primitive with all its companions.

    If no node has that much room, only those are forbidden that can't hold the primitive alone, and the one with the most free capacity
    is the answer; otherwise none is.
    """
    companions: Companions = {}
    _collect(companions, resource, resource)
    companions.setdefault(resource.id, resource)
    need: dict[str, int] = {}
    for companion in tuple(companions.values()):
        _add_need(need, companion, companions)
    usable_nodes = [
        cluster.nodes_by_index[index]
        for index, score in resource.placed.table.scores.items()
        if usable(cluster, index, score)
    ]
    able = [node for node in usable_nodes if _has_room(node, need)]
    if able:
        _ban_without_room(resource, usable_nodes, need)
        return None
    most = _most_capable(cluster, resource)
    _ban_without_room(resource, usable_nodes, amounts(resource.configured.utilization))
    return most


def _most_capable(cluster: Cluster, resource: Resource) -> ClusterNode | None:
    """The usable node with the most free capacity, among equals the first in table order."""
    most: ClusterNode | None = None
    for index in in_table_order(cluster, resource.placed.table):
        if usable(cluster, index, resource.placed.table.scores[index]):
            node = cluster.nodes_by_index[index]
            if most is None or compare_capacity(node, most) < 0:
                most = node
    return most


def _ban_without_room(resource: Resource, nodes: list[ClusterNode], need: Mapping[str, int]) -> None:
    for node in nodes:
        if not _has_room(node, need):
            lacking = next(name for name, amount in need.items() if amount > node.capacity.get(name, 0))
            ban(resource, node, Cause(Why.UTILIZATION, resource.id, lacking))


def _has_room(node: ClusterNode, need: Mapping[str, int]) -> bool:
    capacity = node.capacity
    return all(amount <= capacity.get(name, 0) for name, amount in need.items())


def _collect(companions: Companions, resource: Resource, origin: Resource) -> None:
    """Add the resource and all that mandatory colocations bind to it, without coming back to the origin."""
    if resource.kind is Kind.GROUP:
        members = resource.children if _moves_as_one(resource) else resource.children[:1]
        for member in members:
            _collect(companions, member, origin)
    if resource.id in companions:
        return
    companions[resource.id] = resource
    for colocation in tuple(resource.placed.colocations):
        if colocation.primary is not origin and _binds(resource, colocation.primary, colocation):
            _collect(companions, colocation.primary, origin)
    for colocation in tuple(resource.placed.followers):
        dependent = colocation.dependent
        if dependent is origin or (resource.kind is Kind.CLONE and dependent.kind is not Kind.CLONE):
            continue
        if _binds(dependent, resource, colocation):
            _collect(companions, dependent, origin)


def _moves_as_one(group: Resource) -> bool:
    return group.configured.group_collocated or (group.parent is not None and group.parent.kind is Kind.CLONE)


def _binds(dependent: Resource, primary: Resource, colocation: ColocationPair) -> bool:
    if colocation.score != INFINITY:
        return False
    return affects(dependent, primary, colocation, preview=True) is Affects.SCORES


def _add_need(need: dict[str, int], resource: Resource, companions: Companions) -> None:
    """Add what the resource needs, as far as it isn't settled."""
    if resource.placed.settled:
        return
    match resource.kind:
        case Kind.PRIMITIVE:
            for name, amount in amounts(resource.configured.utilization).items():
                need[name] = need.get(name, 0) + amount
        case Kind.GROUP:
            for member in resource.children if _moves_as_one(resource) else resource.children[:1]:
                if not member.placed.settled and member.id not in companions:
                    _add_need(need, member, companions)
        case Kind.CLONE:
            _add_clone_need(need, resource, companions)
        case Kind.BUNDLE:
            for container in instances(resource)[:1]:
                _add_need(need, container, companions)


def _add_clone_need(need: dict[str, int], clone: Resource, companions: Companions) -> None:
    """What one instance needs, unless instances are companions themselves and so are counted anyway."""
    counted = False
    for child in clone.children:
        if child.id in companions:
            counted = True
        elif any(member.id in companions for member in child.children):
            _add_need(need, child, companions)
            counted = True
    if not counted and clone.children:
        _add_need(need, clone.children[0], companions)
