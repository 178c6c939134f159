"""Choosing which instances of a promotable clone are promoted.

Source: the scheduler's specification, part 2, section 21.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY, add
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.noting.condition import count_as_unpromoted
from reconciler.scheduler.noting.scores import ban_everywhere
from reconciler.scheduler.placing.candidates import usable
from reconciler.scheduler.placing.colocation import apply_colocation, replace_table
from reconciler.scheduler.placing.influence import has_influence
from reconciler.scheduler.placing.instances import compare_instances
from reconciler.scheduler.placing.mixing import mix_dependent, mix_primary
from reconciler.scheduler.placing.promotion_scores import promotion_score
from reconciler.scheduler.placing.score_lines import list_promotion
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.table_order import merge_sort
from reconciler.scheduler.working.whereabouts import assigned_nodes, current_role, next_role, single_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import LocationScores
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def add_promotion_scores(cluster: Cluster, clone: Resource) -> None:
    """Let promotion scores attract the instances, and make the highest one the instance's priority."""
    for instance in clone.children:
        for index in tuple(instance.placed.table.scores):
            if not cluster.available[index]:
                continue
            score = promotion_score(cluster, instance, cluster.nodes_by_index[index]) or 0
            if score > 0:
                instance.placed.table.add(index, score)
                instance.placed.contributions.append(
                    Contribution(index, score, Cause(Why.PROMOTION_SCORE, instance.id))
                )
            instance.placed.promotion_priority = max(instance.priority, score)


def choose_roles(cluster: Cluster, clone: Resource) -> None:
    """Rank the instances, which have their nodes by now, and give each its next role; they stay in the order of their rank."""
    clone.placed.instance_counts = {}
    ranks: dict[str, int] = {}
    for instance in clone.children:
        if max((leaf.found.role for leaf in instance.leaves()), default=Role.UNKNOWN) is Role.STARTED:
            count_as_unpromoted(instance)
        ranks[instance.id] = _set_priority(cluster, clone, instance)
    clone.placed.left_out = (
        True  # While its instances are ranked and sorted, no chain of colocations leads through the clone.
    )
    _rank(cluster, clone, ranks)
    clone.children = merge_sort(clone.children, _compare_ranked(cluster, ranks))
    clone.placed.left_out = False
    promoted = 0
    for instance in clone.children:
        if _choose_role(cluster, clone, instance, ranks[instance.id], promoted):
            promoted += 1


def _set_priority(cluster: Cluster, clone: Resource, instance: Resource) -> int:
    """Set the priority of the instance's promotion, and answer with its rank, which for one without a node is 0."""
    node = single_node(instance)
    if node is None:
        return 0
    role = next_role(instance)
    if role in (Role.UNKNOWN, Role.STARTED):
        score = promotion_score(cluster, instance, node)
        instance.placed.promotion_priority = -1 if score is None else score
    elif role in (Role.STOPPED, Role.UNPROMOTED):
        instance.placed.promotion_priority = -INFINITY
    for location in (*reversed(instance.placed.locations), *reversed(clone.placed.locations)):
        _prefer(instance, location, node)
    for colocation in tuple(instance.placed.colocations):
        apply_colocation(cluster, instance, colocation.primary, colocation)
    return INFINITY if role is Role.PROMOTED else instance.priority


def _prefer(instance: Resource, location: LocationScores, node: ClusterNode) -> None:
    """Add what a location constraint for the promoted role says of the node."""
    if location.role is Role.PROMOTED and node.index in location.scores:
        instance.placed.promotion_priority = add(instance.priority, location.scores[node.index])


def _rank(cluster: Cluster, clone: Resource, ranks: dict[str, int]) -> None:
    """Turn priorities into ranks: with the scores of the clone on the node, and of what is colocated with the promoted role."""
    scores = clone.placed.table.scores
    placed = [(instance, single_node(instance)) for instance in clone.children]
    for instance, node in placed:
        rank = ranks[instance.id]
        if rank >= 0 and node is not None and node.index in scores:
            scores[node.index] = add(rank, scores[node.index])
            if rank:
                cause = Cause(Why.PROMOTION_SCORE, instance.id)
                clone.placed.contributions.append(Contribution(node.index, rank, cause))
    _mix_role_colocations(cluster, clone)
    for rule in clone.placed.tickets:
        if rule.role is Role.PROMOTED and (not rule.ticket.granted or rule.ticket.standby):
            ban_everywhere(cluster, clone, rule.cause)
    scores = clone.placed.table.scores
    for instance, node in placed:
        if not instance.managed and instance.placed.next_role is Role.PROMOTED:  # Of a group, the first member's.
            ranks[instance.id] = INFINITY
        elif node is not None and ranks[instance.id] >= 0 and node.index in scores:
            ranks[instance.id] = scores[node.index]


def _mix_role_colocations(cluster: Cluster, clone: Resource) -> None:
    for colocation in tuple(clone.placed.colocations):
        if colocation.dependent_role is Role.PROMOTED:
            table = mix_primary(cluster, colocation, clone.placed.table, droppable=colocation.score < INFINITY)
            replace_table(clone, table, colocation.cause)
    for colocation in tuple(clone.placed.followers):
        if colocation.primary_role is Role.PROMOTED and has_influence(colocation, colocation.primary):
            table = mix_dependent(cluster, colocation, clone.placed.table, positive_only=True)
            replace_table(clone, table, colocation.cause)


def _compare_ranked(cluster: Cluster, ranks: dict[str, int]) -> Callable[[Resource, Resource], int]:
    compare = compare_instances(cluster)

    def compare_ranked(first: Resource, second: Resource) -> int:
        if (difference := ranks[second.id] - ranks[first.id]) != 0:
            return difference
        if (difference := current_role(second) - current_role(first)) != 0:
            return difference
        return compare(first, second)

    return compare_ranked


def _choose_role(cluster: Cluster, clone: Resource, instance: Resource, rank: int, promoted: int) -> bool:
    """Promote the instance or not, in the order of the ranks; whether it is promoted is the answer."""
    list_promotion(cluster, instance, single_node(instance), rank)
    fields = clone.clone
    limit = 0 if fields is None else fields.promoted_max
    node = None
    if rank >= 0 and (promoted < limit or not clone.managed):
        node = _node_to_promote_on(cluster, clone, instance)
    if node is not None and _frozen(cluster, instance):
        node = None
    if node is None:
        _set_unpromoted(instance)
        return False
    clone.placed.instance_counts[node.index] = clone.placed.instance_counts.get(node.index, 0) + 1
    _set_promoted(instance)
    return True


def _frozen(cluster: Cluster, instance: Resource) -> bool:
    if cluster.have_quorum or cluster.options.no_quorum_policy != "freeze":
        return False
    return instance.found.role < Role.PROMOTED


def _node_to_promote_on(cluster: Cluster, clone: Resource, instance: Resource) -> ClusterNode | None:
    """The node on which the instance, and of a group each member, can be promoted."""
    for member in instance.children:
        if _node_to_promote_on(cluster, clone, member) is None:
            return None
    node = single_node(instance)
    if node is None or node.index not in clone.placed.table.scores:
        return None
    if not instance.managed:
        return node if current_role(instance) is Role.PROMOTED else None
    if instance.priority < 0 or not _ready(cluster, node):
        return None
    limit = 0 if clone.clone is None else clone.clone.promoted_node_max
    return node if clone.placed.instance_counts.get(node.index, 0) < limit else None


def _ready(cluster: Cluster, node: ClusterNode) -> bool:
    """Whether the node can run resources; a guest node only when its container gets a node."""
    if not usable(cluster, node.index, 0):
        return False
    if not node.is_guest or node.connection is None or node.connection.container is None:
        return True
    return node.connection.container.placed.node is not None


def _set_unpromoted(instance: Resource) -> None:
    instance.placed.next_role = Role.UNPROMOTED if assigned_nodes(instance) else Role.STOPPED
    for child in instance.children:
        _set_unpromoted(child)


def _set_promoted(instance: Resource) -> None:
    if instance.placed.next_role is Role.UNKNOWN:
        instance.placed.next_role = Role.PROMOTED
    for child in instance.children:
        _set_promoted(child)
