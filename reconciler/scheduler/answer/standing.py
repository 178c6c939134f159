"""From the working state, as far as it is read from configuration and status, to values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.standing import Standing, StandingFailure, StandingNode, StandingResource

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def standing(cluster: Cluster) -> Standing:
    """What was read of nodes, resources and failures."""
    return Standing(
        tuple([_node(node) for node in cluster.nodes]),
        tuple([_resource(resource) for resource in cluster.resources]),
        tuple([StandingFailure(one.resource.id, one.node.name, one.entry) for one in cluster.failed]),
    )


def _node(node: ClusterNode) -> StandingNode:
    return StandingNode(
        name=node.name,
        id=node.id,
        online=node.online,
        is_dc=node.is_dc,
        unclean=node.unclean,
        pending=node.pending,
        shutdown=node.shutdown,
        maintenance=node.maintenance,
        standby=node.standby,
        attributes=node.attributes,
    )


def _resource(resource: Resource) -> StandingResource:
    return StandingResource(
        id=resource.id,
        config_id=resource.config_id,
        history_name=resource.found.history_name,
        kind=resource.kind,
        agent=resource.configured.agent,
        unique=resource.configured.unique,
        orphan=resource.configured.orphan,
        managed=resource.managed,
        maintenance=resource.configured.maintenance,
        failed=resource.found.failed,
        blocked=resource.found.blocked,
        target_role=resource.configured.meta.get("target-role"),
        role=resource.found.role,
        active_on=tuple([node.name for node in resource.found.active_on]),
        pending_task=resource.found.pending_task,
        children=tuple([_resource(child) for child in resource.children]),
    )
