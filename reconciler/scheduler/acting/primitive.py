"""Orderings that come with a primitive itself: stop before start, demote before stop, container before contents.

Source: the scheduler's specification, part 3, section 9.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.text import natural_key
from reconciler.scheduler.acting.load import order_load
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.unfencing import unfence
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.effects import CXL, ORD, RF, RFP, RN, RST, RT, RTN, SAME

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def order_primitive(cluster: Cluster, resource: Resource) -> None:
    """Order the primitive's own actions; an unmanaged one gets no orderings."""
    if not resource.managed:
        return
    cause = Cause(Why.IMPLICIT, resource.id, "primitive")
    start = (resource, action_key(resource.id, "start"))
    stop = (resource, action_key(resource.id, "stop"))
    order(cluster, stop, start, ORD | RT | RST, cause)
    if resource.found.role > Role.UNPROMOTED or resource.promotable_root:
        order(cluster, (resource, action_key(resource.id, "demote")), stop, RFP, cause)
        order(cluster, start, (resource, action_key(resource.id, "promote")), RN, cause)
    deletions = (resource, action_key(resource.id, "lrm_delete"))
    order(cluster, deletions, (resource, action_key(resource.id, "monitor")), SAME | CXL, cause)
    if cluster.unfencing and resource.configured.needs_unfencing and not resource.configured.is_stonith:
        _order_unfencing(cluster, resource)
    if resource.configured.utilization and cluster.options.placement_strategy != "default":
        order_load(cluster, resource, allowed_nodes(cluster, resource))
    if resource.container is not None:
        _order_container(cluster, resource, resource.container)


def allowed_nodes(cluster: Cluster, resource: Resource) -> list[ClusterNode]:
    """The nodes in the resource's table, in natural order of their names."""
    return sorted(
        (cluster.nodes_by_index[index] for index in resource.placed.table), key=lambda node: natural_key(node.name)
    )


def _order_unfencing(cluster: Cluster, resource: Resource) -> None:
    """It starts on a node only after the node's unfencing, and is stopped there before."""
    for node in allowed_nodes(cluster, resource):
        cause = Cause(Why.FENCING, node.name, "unfencing")
        operation = unfence(cluster, node)
        order(cluster, (resource, action_key(resource.id, "stop")), operation, ORD | SAME, cause)
        order(cluster, operation, (resource, action_key(resource.id, "start")), RTN | SAME, cause)


def _order_container(cluster: Cluster, resource: Resource, container: Resource) -> None:
    """What is inside a container starts after it and stops before it, unless it is placed on the container's guest node."""
    cause = Cause(Why.CONTAINER, container.id)
    stop = (resource, action_key(resource.id, "stop"))
    if resource.configured.is_connection:
        order(cluster, (container, action_key(container.id, "monitor")), stop, ORD, cause)
    elif container.configured.is_connection or (
        cluster.has_remote_nodes and any(f.configured.is_connection for f in container.fillers)
    ):
        return
    start = (resource, action_key(resource.id, "start"))
    order(cluster, (container, action_key(container.id, "start")), start, RT | RN, cause)
    order(cluster, stop, (container, action_key(container.id, "stop")), RF, cause)
