"""Finding the instance of a clone or bundle that an instance of another one is to be placed with.

Source: the scheduler's specification, part 2, section 15.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.placing.candidates import sort_candidates
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.whereabouts import blocked, next_role, single_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def instances(collective: Resource) -> Sequence[Resource]:
    """What a clone or bundle has several of: its instances in current order, or its containers."""
    if collective.bundle is not None:
        return [replica.container for replica in collective.bundle.replicas if replica.container is not None]
    return collective.children


def find_partner(
    cluster: Cluster, dependent: Resource, collective: Resource, role: Role = Role.UNKNOWN
) -> Resource | None:
    """The instance of the collective that is where the dependent is, or would best be; with this role, if one is given.

    Blocked instances are no partners.
    """
    place = single_node(dependent)
    places = [place] if place is not None else sort_candidates(cluster, dependent.placed.table, None)
    candidates = instances(collective)
    for node in places:
        for candidate in candidates:
            if _matches(candidate, node, role):
                return candidate
    return None


def _matches(candidate: Resource, node: ClusterNode, role: Role) -> bool:
    if single_node(candidate) is not node or blocked(candidate):
        return False
    return role is Role.UNKNOWN or next_role(candidate) is role
