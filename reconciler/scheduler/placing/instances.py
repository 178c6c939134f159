"""Distributing the instances of a clone, or the containers of a bundle, over the nodes.

Source: the scheduler's specification, part 2, sections 20.3 and 20.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.constraining.colocation import insert_follower, insert_own
from reconciler.scheduler.noting.scores import ban_everywhere
from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.candidates import usable
from reconciler.scheduler.placing.influence import has_influence
from reconciler.scheduler.placing.mixing import mix_dependent, mix_primary
from reconciler.scheduler.placing.settling import unassign
from reconciler.scheduler.working.activity import current_node
from reconciler.scheduler.working.table import NodeTable
from reconciler.scheduler.working.whereabouts import failed

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def compare_instances(cluster: Cluster) -> Callable[[Resource, Resource], int]:
    """A comparison of two instances of one clone or bundle: negative when the first is to be placed first.

    What is expensive to know of an instance is found out once for the comparison returned.
    """
    known: dict[str, _Standing] = {}

    def compare(first: Resource, second: Resource) -> int:
        one, other = _standing(known, first), _standing(known, second)
        if one.active_count and other.active_count and one.active_count != other.active_count:
            return one.active_count - other.active_count
        if one.forbidden is not other.forbidden:
            return 1 if one.forbidden else -1
        if first.priority != second.priority:
            return second.priority - first.priority
        if one.node is None or other.node is None:
            return (one.node is None) - (other.node is None)
        if one.node.available is not other.node.available:
            return -1 if one.node.available else 1
        if one.allowed is not other.allowed:
            return -1 if one.allowed else 1
        if not one.allowed:
            return 0
        counts = first.parent.placed.instance_counts if first.parent is not None else {}
        if (difference := counts.get(one.node.index, 0) - counts.get(other.node.index, 0)) != 0:
            return difference
        if failed(first) is not failed(second):
            return 1 if failed(first) else -1
        if (difference := other.colocation_value(cluster) - one.colocation_value(cluster)) != 0:
            return difference
        return one.number - other.number

    return compare


class _Standing:
    """What decides the place of one instance among the others.

    `node` is its current node, None when it isn't active or is `forbidden` there by its own scores. `allowed` tells whether the
    parent's table has that node.
    """

    __slots__ = ("active_count", "allowed", "forbidden", "instance", "node", "number", "value")

    def __init__(self, instance: Resource) -> None:
        node = current_node(instance)
        self.instance = instance
        self.active_count = len(instance.found.active_on)
        self.forbidden = node is not None and instance.placed.table.scores.get(node.index, -1) < 0
        self.node: ClusterNode | None = None if self.forbidden else node
        table = instance.placed.table if instance.parent is None else instance.parent.placed.table
        self.allowed = self.node is not None and self.node.index in table.scores
        self.number = instance_number(instance)
        self.value: int | None = None

    def colocation_value(self, cluster: Cluster) -> int:
        """The score of the current node as far as the constraints of the parent decide it."""
        if self.value is None:
            self.value = _colocation_value(cluster, self.instance, self.node)
        return self.value


def instance_number(instance: Resource) -> int:
    """The number of an instance of a clone, or of a bundle's container."""
    if instance.instance is not None:
        return instance.instance
    separator = ":" if ":" in instance.id else "-"
    number = instance.id.rpartition(separator)[2]
    return int(number) if number.isdecimal() else 0


def distribute(
    cluster: Cluster, parent: Resource, instances: Sequence[Resource], limit: int, limit_per_node: int
) -> None:
    """Assign up to `limit` of the instances, not more than `limit_per_node` to any node; the others run nowhere.

    Each stays where it is active, as long as that spreads the instances evenly, and only then the rest is placed.
    """
    available_count = sum(1 for index in parent.placed.table.scores if cluster.available[index])
    placing = _Placing(cluster, parent, limit_per_node, everything=limit < available_count)
    optimum = max(1, limit // available_count) if available_count else 1
    parent.placed.instance_counts = {}
    placed = 0
    for instance in instances:
        if placed >= limit:
            break
        node = _node_to_keep(cluster, parent, instance, optimum)
        if node is not None and placing.attempt(instance, node):
            placed += 1
    for instance in instances:
        if instance.placed.settled:
            continue
        if placed >= limit:
            ban_everywhere(cluster, instance, Cause(Why.CLONE_LIMIT, parent.id, "clone-max"))
        elif placing.attempt(instance, None):
            placed += 1


def _node_to_keep(cluster: Cluster, parent: Resource, instance: Resource, optimum: int) -> ClusterNode | None:
    """Where the instance is active and may stay, if it is healthy and not assigned yet."""
    if not instance.found.active_on or instance.placed.settled or instance.found.failed:
        return None
    node = current_node(instance)
    if node is None or not usable(cluster, node.index, node.base_score):
        return None
    return None if parent.placed.instance_counts.get(node.index, 0) >= optimum else node


class _Placing:
    """Attempts to place instances of one parent; `everything` hands down all its constraints, not only those that must hold."""

    __slots__ = ("cluster", "everything", "limit_per_node", "parent")

    def __init__(self, cluster: Cluster, parent: Resource, limit_per_node: int, *, everything: bool) -> None:
        self.cluster = cluster
        self.parent = parent
        self.limit_per_node = limit_per_node
        self.everything = everything

    def attempt(self, instance: Resource, preferred: ClusterNode | None) -> bool:
        """Assign the instance, with a preferred node only to that one; whether it was placed is the answer.

        A group that went elsewhere stays there, though it doesn't count as placed. What is in the middle of its assignment (which may
        ask for that of the whole bundle) is left alone.
        """
        if instance.placed.assigning:
            return False
        self._hand_down(instance)
        if preferred is not None and instance.placed.table.scores.get(preferred.index, -1) < 0:
            return False
        self._forbid_full_nodes(instance)
        saved = instance.placed.table.copy() if preferred is not None else None
        node = assign(self.cluster, instance, preferred)
        if node is None:
            return False
        # It can't stay. Where it could go is decided anew with the rest, and what this attempt did to its scores must not count then.
        if saved is not None and node is not preferred:
            instance.placed.table = saved
            unassign(instance)
            return False
        counts = self.parent.placed.instance_counts
        if node.index in self.parent.placed.table.scores:
            counts[node.index] = counts.get(node.index, 0) + 1
        return True

    def _hand_down(self, instance: Resource) -> None:
        """Give the instance the constraints of its parent. Each attempt does it again, so some count twice."""
        for colocation in self.parent.placed.colocations:
            if self.everything or colocation.score < 0 or colocation.score == INFINITY:
                insert_own(instance, colocation)
        for colocation in self.parent.placed.followers:
            if (self.everything or colocation.score < 0) and has_influence(colocation, instance):
                insert_follower(instance, colocation)

    def _forbid_full_nodes(self, instance: Resource) -> None:
        """Forbid the instance the nodes that are not available, not allowed to the parent, or full."""
        cause = Cause(Why.CLONE_LIMIT, self.parent.id, "clone-node-max")
        allowed, counts, available = (
            self.parent.placed.table.scores,
            self.parent.placed.instance_counts,
            self.cluster.available,
        )
        for index in instance.placed.table.scores:
            if (
                instance.configured.orphan
                or not available[index]
                or allowed.get(index, -1) < 0
                or counts.get(index, 0) >= self.limit_per_node
            ):
                for resource in (instance, *instance.children):
                    _forbid(resource, index, cause)


def _forbid(resource: Resource, index: int, cause: Cause) -> None:
    score = resource.placed.table.scores.get(index)
    if score is not None and score > -INFINITY:
        resource.placed.table.set(index, -INFINITY)
        resource.placed.contributions.append(Contribution(index, -INFINITY, cause, replaced=True))


def _colocation_value(cluster: Cluster, instance: Resource, node: ClusterNode | None) -> int:
    parent = instance.parent
    if parent is None or node is None:
        return 0
    table = NodeTable()
    table.set(node.index, node.base_score)
    for colocation in tuple(parent.placed.colocations):
        table = mix_primary(cluster, colocation, table)
    for colocation in tuple(parent.placed.followers):
        if has_influence(colocation, instance):
            table = mix_dependent(cluster, colocation, table, positive_only=True, droppable=False)
    return table.scores[node.index]


def _standing(known: dict[str, _Standing], instance: Resource) -> _Standing:
    standing = known.get(instance.id)
    if standing is None:
        standing = known[instance.id] = _Standing(instance)
    return standing
