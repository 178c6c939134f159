"""Remote and guest nodes: the nodes that connection resources stand for, and what contains what.

Source: the scheduler's specification, part 1, section 9.7.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconciler.model.attributes import plain
from reconciler.model.resource import Agent, Group, Operation, Primitive
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.reading.nodes import add_node, assume_unseen
from reconciler.scheduler.working.node import ClusterNode, NodeKind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

CONNECTION_AGENT = Agent("ocf", "remote", "pacemaker")


def add_connection_nodes(cluster: Cluster) -> list[Primitive]:
    """Make the nodes that connections and `remote-node` meta-attributes stand for; the result are the implicit connections."""
    implicit: list[Primitive] = []
    for primitive in _candidates(cluster):
        if _is_connection(primitive):
            ensure_remote_node(cluster, primitive.id)
        elif (connection := _guest_connection(primitive)) is not None:
            implicit.append(connection)
            ensure_remote_node(cluster, connection.id)
    return implicit


def _candidates(cluster: Cluster) -> Iterator[Primitive]:
    for configured in cluster.cib.configuration.resources:
        if isinstance(configured, Primitive):
            yield configured
        elif isinstance(configured, Group):
            yield from (member for member in configured.members if not _is_connection(member))


def _is_connection(primitive: Primitive) -> bool:
    agent = primitive.agent
    return agent is not None and str(agent).lower() == str(CONNECTION_AGENT)


def ensure_remote_node(cluster: Cluster, name: str) -> ClusterNode:
    """The node of this name, made as a remote one when there is none."""
    known = cluster.node_index.get(name)
    return add_node(cluster, name, name, NodeKind.REMOTE, 0) if known is None else known


def _guest_connection(primitive: Primitive) -> Primitive | None:
    """The connection to the guest node that the primitive's meta-attributes name (rules and scores don't count)."""
    meta: dict[str, str] = {}
    for block in primitive.meta:
        meta.update((name.lower(), value) for name, value in block.values.items())
    name = meta.get("remote-node")
    if not name:
        return None
    return connection(
        name,
        primitive.id,
        address=meta.get("remote-addr"),
        port=meta.get("remote-port"),
        start_timeout=meta.get("remote-connect-timeout", "60s"),
        allow_migrate=meta.get("remote-allow-migrate"),
        is_managed=meta.get("is-managed"),
    )


def connection(
    name: str,
    container: str,
    *,
    address: str | None,
    port: str | None,
    start_timeout: str | None = None,
    allow_migrate: str | None = None,
    is_managed: str | None = None,
) -> Primitive:
    """An implicit connection resource to the guest node of this name inside the container."""
    meta = {"internal_rsc": "true", "container": container}
    if allow_migrate is not None:
        meta["allow-migrate"] = allow_migrate
    if is_managed is not None:
        meta["is-managed"] = is_managed
    params = {key: value for key, value in (("addr", address), ("port", port)) if value is not None}
    operations = [Operation("monitor", "30s", {"timeout": "30s"}, id=f"{name}-monitor-interval-30s")]
    if start_timeout is not None:
        operations.append(Operation("start", "0", {"timeout": start_timeout}, id=f"{name}-start-interval-0"))
    return Primitive(name, CONNECTION_AGENT, params=plain(params), meta=plain(meta), operations=tuple(operations))


def link_containers(cluster: Cluster) -> None:
    """Tie every primitive that names a container to it."""
    for top in cluster.resources:
        for leaf in top.leaves():
            name = leaf.configured.meta.get("container")
            if name is None or name == leaf.id or leaf.container is not None:
                continue
            container = find(cluster, name)
            if container is not None:
                contain(leaf, container)


def contain(filler: Resource, container: Resource) -> None:
    """Note that one resource runs inside another."""
    filler.container = container
    container.fillers.append(filler)


def link_connection(cluster: Cluster, resource: Resource) -> None:
    """Tie a connection to the node of its name, if there is one.

    What a guest node is assumed to be follows from its container; any other node counts as unseen until its state is read.
    """
    node = cluster.node_index.get(resource.id)
    if node is None:
        return
    node.connection = resource
    if resource.container is None:
        assume_unseen(cluster, node)
    else:
        node.attributes["#kind"] = "container"
