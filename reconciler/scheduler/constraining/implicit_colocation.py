"""Colocations that follow from how resources are put together: groups, bundles, containers, remote connections.

Source: the scheduler's specification, part 2, section 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.constraining.colocation import add_colocation
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.constraints import ColocationPair

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

NESTED_CONNECTION_SCORE = 10_000
"""How much a bundle's connection prefers its container's node: a lot, but it may live elsewhere."""


def add_implicit_colocations(cluster: Cluster) -> None:
    """Add the implicit colocations and bans of all resources."""
    for resource in cluster.resources:
        _add(cluster, resource)


def _add(cluster: Cluster, resource: Resource) -> None:
    match resource.kind:
        case Kind.PRIMITIVE:
            if resource.managed:
                _add_primitive(cluster, resource)
        case Kind.GROUP:
            _add_group(cluster, resource)
        case Kind.CLONE:
            for child in resource.children:
                _add(cluster, child)
        case Kind.BUNDLE:
            _add_bundle(cluster, resource)


def _add_group(cluster: Cluster, group: Resource) -> None:
    previous: Resource | None = None
    cause = Cause(Why.GROUP, group.id)
    for member in group.children:
        _add(cluster, member)
        if previous is not None and group.configured.group_collocated:
            colocation = ColocationPair("group:internal_colocation", member, previous, INFINITY, cause)
            colocation.influence = member.configured.critical
            add_colocation(cluster, colocation)
        previous = member


def _add_bundle(cluster: Cluster, bundle: Resource) -> None:
    fields = bundle.bundle
    if fields is None:
        return
    for replica in fields.replicas:
        if replica.container is not None:
            _add(cluster, replica.container)
            if replica.ip is not None:
                _add(cluster, replica.ip)
                cause = Cause(Why.CONTAINER, replica.container.id)
                address = ColocationPair("ip-with-docker", replica.ip, replica.container, INFINITY, cause)
                add_colocation(cluster, address)
        if replica.connection is not None:
            _add(cluster, replica.connection)
    if fields.clone is not None:
        _add(cluster, fields.clone)


def _add_primitive(cluster: Cluster, resource: Resource) -> None:
    container = resource.container
    if container is not None:
        _place_with_container(cluster, resource, container)
    if resource.configured.is_connection or resource.configured.is_stonith:
        _keep_off_remote_nodes(cluster, resource)


def _place_with_container(cluster: Cluster, resource: Resource, container: Resource) -> None:
    """Place what is inside a container: on the node that the container provides, if it does, else where the container is."""
    connection: Resource | None = None
    if resource.configured.is_connection:
        if not resource.bundled:
            _keep_off_remote_nodes(cluster, container)
    elif container.configured.is_connection:
        connection = container
    else:
        connection = next((filler for filler in container.fillers if filler.configured.is_connection), None)
    if connection is not None:
        cause = Cause(Why.REMOTE, connection.id)
        _forbid(resource, _nodes(cluster, resource, but=connection), cause)
        return
    score = NESTED_CONNECTION_SCORE if resource.configured.is_connection and resource.bundled else INFINITY
    cause = Cause(Why.CONTAINER, container.id)
    add_colocation(cluster, ColocationPair("resource-with-container", resource, container, score, cause))


def _nodes(cluster: Cluster, resource: Resource, *, but: Resource) -> list[int]:
    nodes = cluster.nodes_by_index
    return [index for index in resource.placed.table.scores if nodes[index].connection is not but]


def _keep_off_remote_nodes(cluster: Cluster, resource: Resource) -> None:
    """Forbid every remote, guest or bundle node: no connection is nested in another, and no fence device depends on one."""
    nodes = cluster.nodes_by_index
    remote = [index for index in resource.placed.table.scores if nodes[index].connection is not None]
    _forbid(resource, remote, Cause(Why.REMOTE, resource.id))


def _forbid(resource: Resource, indexes: list[int], cause: Cause) -> None:
    for index in indexes:
        resource.placed.table.set(index, -INFINITY)
        resource.placed.contributions.append(Contribution(index, -INFINITY, cause, replaced=True))
