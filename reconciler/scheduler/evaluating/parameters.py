"""Parameters (instance attributes) of a resource, which may differ from node to node.

Source: the scheduler's specification, part 1, section 8.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.rules import RuleContext

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def parameters(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> dict[str, str]:
    """The parameters in force on the node; without one, tests of node attributes fail.

    Own blocks win over the ancestors', those over the defaults. The result is shared: change a copy.
    """
    cache = resource.configured.param_cache
    index = -1 if node is None else node.index
    if (known := cache.get(index)) is not None:
        return known
    if index >= 0 and not _depends_on_node(cluster, resource):
        result = parameters(cluster, resource, None)
    else:
        context = RuleContext(cluster, attributes=None if node is None else node.attributes)
        result = {}
        for blocks in (*resource.configured.param_blocks, cluster.cib.configuration.defaults.resource_params):
            evaluate(blocks, context, into=result)
    cache[index] = result
    return result


def _depends_on_node(cluster: Cluster, resource: Resource) -> bool:
    defaults = cluster.cib.configuration.defaults.resource_params
    return any(block.rules for blocks in (*resource.configured.param_blocks, defaults) for block in blocks)
