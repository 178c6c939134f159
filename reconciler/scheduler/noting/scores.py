"""Changes of node tables while the status is read and constraints are applied, each noted with its cause.

Source: the scheduler's specification, part 1, section 8.6; part 2, sections 4 and 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY, add
from reconciler.scheduler.cause import Cause, Contribution
from reconciler.scheduler.working.table import EXCLUSIVE, NEVER, NodeTable

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def start_table(cluster: Cluster, resource: Resource) -> None:
    """Enter every node known by now with its base score, for the resource and everything below it.

    Entries that exist stay. Bundles' nodes are left out, and so are resources that are probed only where a constraint says so.
    """
    prototype = cluster.start_table
    if prototype is None:
        prototype = cluster.start_table = _prototype(cluster)
    _enter(resource, prototype)


def start_connection_table(cluster: Cluster, connection: Resource) -> None:
    """Enter every node, also a bundle's, for the connection of a guest node where other resources start with none (part 2, section 4)."""
    for node in cluster.nodes:
        connection.placed.table.set(node.index, add(0, node.base_score))
        if node.discovery_mode:
            connection.placed.table.modes[node.index] = node.discovery_mode


def _prototype(cluster: Cluster) -> NodeTable:
    table = NodeTable()
    for node in cluster.nodes:
        if node.discovery_mode != NEVER:
            table.set(node.index, add(0, node.base_score))
    return table


def _enter(resource: Resource, prototype: NodeTable) -> None:
    for child in resource.children:
        _enter(child, prototype)
    if resource.placed.exclusive_discovery:
        return
    scores = resource.placed.table.scores
    if not scores:
        resource.placed.table.scores = prototype.scores.copy()
    elif len(scores) != len(prototype.scores):
        for index, score in prototype.scores.items():
            scores.setdefault(index, score)


def discover_exclusively(resource: Resource) -> None:
    """Only nodes that a constraint names for it are candidates, and looked at for it."""
    resource.placed.exclusive_discovery = True


def confine(instance: Resource, node: ClusterNode, score: int) -> None:
    """Let the instance of a bundle's clone run on this node only: that of its replica."""
    instance.placed.table = NodeTable()
    instance.placed.table.set(node.index, score)
    instance.placed.table.modes[node.index] = EXCLUSIVE
    clone = instance.parent
    assert clone is not None, "an instance has a clone"
    clone.placed.table.set(node.index, -INFINITY)
    clone.placed.table.modes[node.index] = EXCLUSIVE


def withdraw(resource: Resource, node: ClusterNode) -> None:
    """Forbid the node, which turned out to be a bundle's, to the resource and everything below it, as far as they have it."""
    if node.index in resource.placed.table:
        resource.placed.table.set(node.index, -INFINITY)
        resource.placed.table.modes[node.index] = NEVER
    for child in resource.children:
        withdraw(child, node)


def strike(resource: Resource, node: ClusterNode) -> None:
    """Strike the node, which is in the table, from the candidates."""
    del resource.placed.table.scores[node.index]
    resource.placed.table.modes.pop(node.index, None)


def bar_remote_nodes(cluster: Cluster, connection: Resource) -> None:
    """Forbid the connection every node that is reached by a connection itself."""
    for index in connection.placed.table:
        if cluster.nodes_by_index[index].is_remote:
            connection.placed.table.set(index, -INFINITY)


def add_score(resource: Resource, node: ClusterNode, score: int, cause: Cause) -> None:
    """Add a score for a node to the tables of the resource and everything below it.

    A missing entry starts with the node's base score.
    """
    for child in resource.children:
        add_score(child, node, score, cause)
    table = resource.placed.table
    if node.index not in table.scores and node.discovery_mode:
        table.modes[node.index] = node.discovery_mode
    table.add(node.index, score, node.base_score)
    resource.placed.contributions.append(Contribution(node.index, score, cause))


def ban(resource: Resource, node: ClusterNode, cause: Cause) -> None:
    """Forbid a node to the resource and everything below it."""
    add_score(resource, node, -INFINITY, cause)


def ban_everywhere(cluster: Cluster, resource: Resource, cause: Cause) -> None:
    """Forbid every node to the resource and everything below it."""
    for node in cluster.nodes:
        ban(resource, node, cause)


def replace_by_bans(cluster: Cluster, resource: Resource, cause: Cause) -> None:
    """Give the resource, but nothing below it, a fresh table in which every node is forbidden."""
    resource.placed.table = NodeTable()
    for node in cluster.nodes:
        resource.placed.table.set(node.index, -INFINITY)
        if node.discovery_mode:
            resource.placed.table.modes[node.index] = node.discovery_mode
    resource.placed.contributions.append(Contribution(-1, -INFINITY, cause, replaced=True))
