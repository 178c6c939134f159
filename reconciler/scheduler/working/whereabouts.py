"""Where resources of any kind were put in this run, and in which role they will be.

Source: the scheduler's specification, part 2, sections 15.2, 15.5 and 21.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Kind, Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def assigned_nodes(resource: Resource) -> list[ClusterNode]:
    """The different nodes that the resource or what is below it was assigned to, in the order of the members."""
    if resource.kind is Kind.PRIMITIVE:
        return [] if resource.placed.node is None else [resource.placed.node]
    nodes: list[ClusterNode] = []
    for leaf in resource.leaves():
        if leaf.placed.node is not None and leaf.placed.node not in nodes:
            nodes.append(leaf.placed.node)
    return nodes


def single_node(resource: Resource) -> ClusterNode | None:
    """The node that all of the resource was assigned to; None when it got none, or its members different ones."""
    if resource.kind is Kind.PRIMITIVE:
        return resource.placed.node
    nodes = assigned_nodes(resource)
    return nodes[0] if len(nodes) == 1 else None


def score_when_assigned(resource: Resource) -> int:
    """The score that its node had in the table when the resource (of a group, the first member with a node) was assigned."""
    if resource.kind is Kind.PRIMITIVE:
        return resource.placed.assigned_score
    return next((leaf.placed.assigned_score for leaf in resource.leaves() if leaf.placed.node is not None), 0)


def current_role(resource: Resource) -> Role:
    """The current role; of a group or clone the highest among its members."""
    if not resource.children:
        return resource.found.role
    return max(current_role(child) for child in resource.children)


def told_role(primitive: Resource) -> Role:
    """The current role as it is told: what is active somewhere is at least started, whatever its history says."""
    role = primitive.found.role
    return Role.STARTED if role is Role.STOPPED and primitive.found.active_on else role


def next_role(resource: Resource) -> Role:
    """The role wanted after the transition; of a group or clone the highest among its members."""
    if not resource.children:
        return resource.placed.next_role
    return max(next_role(child) for child in resource.children)


def blocked(resource: Resource) -> bool:
    """Whether the resource, or anything below it, is blocked."""
    return resource.found.blocked or any(blocked(child) for child in resource.children)


def failed(resource: Resource) -> bool:
    """Whether the resource, or anything below it, failed."""
    return resource.found.failed or any(failed(child) for child in resource.children)
