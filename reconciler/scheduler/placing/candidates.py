"""Which nodes are candidates for a resource, and which comes first.

Source: the scheduler's specification, part 2, sections 3.2, 17.2 and 18.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.working.table import NodeTable
from reconciler.scheduler.working.table_order import in_table_order, merge_sort

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode


def note_nodes(cluster: Cluster) -> None:
    """Note what placement asks of nodes again and again: whether they are available, and the order of their names."""
    cluster.available = [node.available for node in cluster.nodes_by_index]
    cluster.name_ranks = [0] * len(cluster.nodes_by_index)
    for rank, node in enumerate(sorted(cluster.nodes, key=lambda node: node.name.encode())):
        cluster.name_ranks[node.index] = rank
    cluster.attribute_values = {}


def note_availability(cluster: Cluster, node: ClusterNode) -> None:
    """Note anew whether the node is available, after one of its flags was changed."""
    cluster.available[node.index] = node.available


def any_usable(cluster: Cluster, table: NodeTable) -> bool:
    """Whether some node of the table is available and not forbidden."""
    available = cluster.available
    for index, score in table.scores.items():  # noqa: SIM110 - any() takes twice as long, and nothing is asked more often.
        if score >= 0 and available[index]:
            return True
    return False


def usable(cluster: Cluster, index: int, score: int) -> bool:
    """Whether the node is available and its score doesn't forbid it."""
    return score >= 0 and cluster.available[index]


def best_candidate(cluster: Cluster, table: NodeTable, active: ClusterNode | None) -> ClusterNode | None:
    """The first of the sorted candidates, available or not; None when the table is empty."""
    if cluster.options.placement_strategy == "balanced":
        candidates = sort_candidates(cluster, table, active)
        return candidates[0] if candidates else None
    if not table.scores:
        return None
    nodes, available, ranks = cluster.nodes_by_index, cluster.available, cluster.name_ranks
    here = -1 if active is None else active.index
    scores = table.scores
    best_score = max([score if available[index] else -INFINITY for index, score in scores.items()])
    best = [index for index, score in scores.items() if (score if available[index] else -INFINITY) == best_score]
    if len(best) == 1:
        return nodes[best[0]]
    if cluster.options.placement_strategy == "minimal":
        return nodes[min(best, key=ranks.__getitem__)]
    fewest = min([nodes[index].assigned_count for index in best])
    best = [index for index in best if nodes[index].assigned_count == fewest]
    return nodes[here] if here in best else nodes[min(best, key=ranks.__getitem__)]


def sort_candidates(cluster: Cluster, table: NodeTable, active: ClusterNode | None) -> list[ClusterNode]:
    """The nodes of the table, best candidate first; nodes that are not available come last, whatever their score.

    Among equals the active node is preferred, unless fewer resources or more free capacity elsewhere decide.
    """
    nodes, ranks = cluster.nodes_by_index, cluster.name_ranks
    strategy = cluster.options.placement_strategy
    if strategy == "balanced":
        # More free capacity isn't transitive, so the order before sorting shows: the reverse of the table's.
        return _sort_balanced(cluster, table, in_table_order(cluster, table)[::-1], active)
    scores = _effective_scores(cluster, table)
    if strategy == "minimal":
        indexes = sorted(scores, key=lambda index: (-scores[index], ranks[index]))
    else:
        indexes = sorted(
            scores,
            key=lambda index: (-scores[index], nodes[index].assigned_count, nodes[index] is not active, ranks[index]),
        )
    return [nodes[index] for index in indexes]


def sort_nodes(cluster: Cluster) -> list[ClusterNode]:
    """All nodes of the cluster as candidates by their base scores."""
    table = NodeTable()
    for node in cluster.nodes:
        table.set(node.index, node.base_score)
    if cluster.options.placement_strategy == "balanced":
        return _sort_balanced(cluster, table, list(table.scores), None)
    return sort_candidates(cluster, table, None)


def compare_capacity(first: ClusterNode, second: ClusterNode) -> int:
    """Negative when the first node has more free capacity: of more kinds of it, whatever the amounts."""
    return _points(second.capacity, first.capacity) - _points(first.capacity, second.capacity)


def _sort_balanced(
    cluster: Cluster, table: NodeTable, order: list[int], active: ClusterNode | None
) -> list[ClusterNode]:
    """The nodes with these indexes, which come in this order, sorted as candidates where load is to be balanced."""
    compare = partial(_compare_balanced, cluster, _effective_scores(cluster, table), active)
    return [cluster.nodes_by_index[index] for index in merge_sort(order, compare)]


def _effective_scores(cluster: Cluster, table: NodeTable) -> dict[int, int]:
    nodes = cluster.nodes_by_index
    return {index: score if nodes[index].available else -INFINITY for index, score in table.scores.items()}


def _points(ours: Mapping[str, int], theirs: Mapping[str, int]) -> int:
    """Of how many kinds of capacity we have more than they have; a missing kind is 0."""
    more = sum(1 for name, amount in ours.items() if amount > theirs.get(name, 0))
    return more + sum(1 for name, amount in theirs.items() if name not in ours and amount < 0)


def _compare_balanced(
    cluster: Cluster, scores: Mapping[int, int], active: ClusterNode | None, first: int, second: int
) -> int:
    if scores[first] != scores[second]:
        return -1 if scores[first] > scores[second] else 1
    one, other = cluster.nodes_by_index[first], cluster.nodes_by_index[second]
    if (order := compare_capacity(one, other)) != 0:
        return order
    if one.assigned_count != other.assigned_count:
        return one.assigned_count - other.assigned_count
    if active is one or active is other:
        return -1 if active is one else 1
    return cluster.name_ranks[first] - cluster.name_ranks[second]
