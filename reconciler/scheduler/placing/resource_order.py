"""The order in which resources are assigned where capacities count.

Source: the scheduler's specification, part 2, section 16.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.placing.candidates import sort_nodes
from reconciler.scheduler.placing.mixing import own_and_primaries
from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def sort_resources(cluster: Cluster) -> None:
    """Sort the top-level resources: by priority, by how well they are where they are, then by how well they could be elsewhere."""
    nodes = sort_nodes(cluster)
    cluster.resources.sort(key=lambda resource: _precedence(cluster, resource, nodes))
    for rank, resource in enumerate(cluster.resources):
        resource.rank = rank


def _precedence(cluster: Cluster, resource: Resource, nodes: list[ClusterNode]) -> tuple[int, int, list[int]]:
    table = own_and_primaries(cluster, resource)
    scores = {} if table is None else table.scores
    here = current_node(resource)
    stays = -INFINITY if here is None else scores.get(here.index, -INFINITY)
    return (-resource.priority, -stays, [-scores.get(node.index, -INFINITY) for node in nodes])
