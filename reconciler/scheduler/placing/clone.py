"""Assigning a clone: what it is colocated with, then its instances, then their roles.

Source: the scheduler's specification, part 2, section 20.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.colocation import replace_table
from reconciler.scheduler.placing.influence import has_influence
from reconciler.scheduler.placing.instances import compare_instances, distribute
from reconciler.scheduler.placing.mixing import mix_dependent
from reconciler.scheduler.placing.promotion import add_promotion_scores, choose_roles
from reconciler.scheduler.placing.score_lines import CLONE, list_scores
from reconciler.scheduler.working.table_order import merge_sort

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def assign_clone(cluster: Cluster, clone: Resource, preferred: ClusterNode | None) -> None:
    """Assign the clone's instances and choose their roles, unless that is done or being done.

    The instances stay in the order in which they were placed (of a promotable clone: ranked for promotion).
    """
    fields = clone.clone
    if clone.placed.settled or clone.placed.assigning or fields is None:
        return
    if fields.promotable:
        add_promotion_scores(cluster, clone)
    clone.placed.assigning = True
    for colocation in tuple(clone.placed.colocations):
        assign(cluster, colocation.primary, preferred)
    for colocation in tuple(clone.placed.followers):
        if has_influence(colocation, colocation.primary):
            table = mix_dependent(cluster, colocation, clone.placed.table, positive_only=True)
            replace_table(clone, table, colocation.cause._replace(detail=colocation.dependent.id))
    list_scores(cluster, clone, CLONE)
    clone.children = merge_sort(clone.children, compare_instances(cluster))
    distribute(cluster, clone, tuple(clone.children), fields.clone_max, fields.clone_node_max)
    if fields.promotable:
        choose_roles(cluster, clone)
    clone.placed.settled = True
    clone.placed.assigning = False
