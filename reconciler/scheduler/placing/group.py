"""Assigning a group: its members in order, each to the node of the one before.

Source: the scheduler's specification, part 2, sections 13.2 and 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.constraining.colocation import insert_follower, insert_own
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.score_lines import GROUP, list_scores

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def assign_group(cluster: Cluster, group: Resource, preferred: ClusterNode | None) -> ClusterNode | None:
    """Assign the members; the answer is the first node that any of them got, or none for a group that isn't collocated.

    A group that was assigned before, as an instance that was not taken back, answers with none.
    """
    if group.placed.settled or group.placed.assigning:
        return None
    if not group.children:
        group.placed.settled = True
        return None
    group.placed.assigning = True
    _hand_colocations_down(group)
    list_scores(cluster, group, GROUP)
    first: ClusterNode | None = None
    for member in group.children:
        node = assign(cluster, member, preferred)
        first = node if first is None else first
    first_member = group.children[0].placed
    want_role(group, first_member.next_role, first_member.next_role_cause)
    group.placed.settled = True
    group.placed.assigning = False
    return first if group.configured.group_collocated else None


def _hand_colocations_down(group: Resource) -> None:
    """Give the group's constraints to its members: as dependent to the first, as primary to the last.

    Behind an unmanaged member the members no longer hold together by themselves, so there each gets the mandatory ones.
    """
    own, followers = group.placed.colocations, group.placed.followers
    group.placed.colocations, group.placed.followers = [], []
    for colocation in own:
        insert_own(group.children[0], colocation)
    unmanaged = not group.children[0].managed
    for member in group.children[1:]:
        if unmanaged:
            for colocation in own:
                if colocation.score == INFINITY:
                    insert_own(member, colocation)
        unmanaged = unmanaged or not member.managed
    for colocation in followers:
        insert_follower(group.children[-1], colocation)
