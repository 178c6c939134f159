"""What is left of the nodes' capacities while resources are assigned.

Source: the scheduler's specification, part 2, section 17.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.text import integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def read_capacities(cluster: Cluster) -> None:
    """Set what is left on each node to what is configured."""
    for node in cluster.nodes:
        node.capacity = amounts(node.utilization)


def amounts(texts: Mapping[str, str]) -> dict[str, int]:
    """Utilization as numbers; an unreadable text is 0."""
    return {name: integer(text, 0) for name, text in texts.items()}


def consume(node: ClusterNode, resource: Resource) -> None:
    """Take what the resource needs from the node. What the node doesn't have at all stays at 0, and isn't owed."""
    if resource.configured.utilization:
        capacity = node.capacity
        for name, amount in amounts(resource.configured.utilization).items():
            capacity[name] = capacity[name] - amount if name in capacity else 0


def release(node: ClusterNode, resource: Resource) -> None:
    """Give back what the resource needed."""
    if resource.configured.utilization:
        for name, amount in amounts(resource.configured.utilization).items():
            node.capacity[name] = node.capacity.get(name, 0) + amount
