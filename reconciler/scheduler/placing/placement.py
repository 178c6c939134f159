"""Placement: which node every resource gets, and which instances are promoted.

Source: the scheduler's specification, part 2, sections 2 and 16.3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.scheduler.constraining.implicit_colocation import add_implicit_colocations
from reconciler.scheduler.constraining.location import apply_locations
from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.candidates import note_nodes
from reconciler.scheduler.placing.capacity import read_capacities
from reconciler.scheduler.placing.discovery import apply_exclusive_discovery
from reconciler.scheduler.placing.kinds import ASSIGNERS
from reconciler.scheduler.placing.resource_order import sort_resources
from reconciler.scheduler.placing.shutdown_locks import apply_shutdown_locks
from reconciler.scheduler.placing.stickiness import apply_stickiness
from reconciler.scheduler.placing.thresholds import apply_thresholds

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster

_CALLS_ANYWAY = 4000
"""How many calls deep a run may go without any such chain: bundles that lead back to themselves take most."""

_CALLS_PER_RESOURCE = 8
"""How many calls deep one more resource in a chain of colocations leads."""


def prepare_placement(cluster: Cluster) -> None:
    """Finish the node tables: everything that counts for or against nodes before resources are assigned."""
    apply_shutdown_locks(cluster)
    apply_locations(cluster)
    apply_stickiness(cluster)
    apply_thresholds(cluster)
    apply_exclusive_discovery(cluster)
    add_implicit_colocations(cluster)


def place(cluster: Cluster) -> None:
    """Assign every resource to a node or to none, connections of remote nodes first, as they decide which nodes there are."""
    cluster.assigners = ASSIGNERS
    note_nodes(cluster)
    read_capacities(cluster)
    with _deep_enough(cluster):
        if cluster.options.placement_strategy != "default":
            sort_resources(cluster)
        if cluster.has_remote_nodes:
            for resource in cluster.resources:
                if resource.configured.is_connection:
                    assign(cluster, resource, resource.found.partial_target)
        for resource in cluster.resources:
            if not resource.configured.is_connection:
                assign(cluster, resource)


@contextmanager
def _deep_enough(cluster: Cluster) -> Iterator[None]:
    """Let calls nest as deep as the longest chain of colocations that there can be.

    Without this a chain of some hundred resources, each colocated with the next, could not be placed.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _CALLS_ANYWAY + _CALLS_PER_RESOURCE * cluster.resource_count))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
