"""Node health, which becomes a location constraint of every resource.

Source: the scheduler's specification, part 2, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.text import is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.constraining.location import add_location
from reconciler.scheduler.working.constraints import LocationScores

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode


def apply_node_health(cluster: Cluster) -> None:
    """Prefer or avoid each node by its health; bad health doesn't concern resources that allow unhealthy nodes."""
    if cluster.options.health_strategy == "none":
        return
    for node in cluster.nodes:
        health = node_health(cluster, node)
        if health == 0:
            continue
        for resource in cluster.resources:
            if health > 0 or not is_true(resource.configured.meta.get("allow-unhealthy-nodes")):
                cause = Cause(Why.NODE_HEALTH, node.name)
                strategy = cluster.options.health_strategy
                add_location(cluster, LocationScores(strategy, resource, {node.index: health}, cause))


def node_health(cluster: Cluster, node: ClusterNode) -> int:
    """The sum of the base score and of all health attributes of the node."""
    total = cluster.options.health_base
    for name, text in node.attributes.items():
        if name.startswith("#health"):
            total = score.add(score.read(text, cluster.options.health_colours), total)
    return total
