"""Bundles: their replicas, with the implicit resources that each consists of.

Source: the scheduler's specification, part 1, section 9.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.attributes import plain
from reconciler.model.resource import Bundle, Clone, Primitive
from reconciler.model.score import INFINITY
from reconciler.model.text import boolean, integer
from reconciler.scheduler.evaluating.host_address import HOST_ADDRESS
from reconciler.scheduler.noting.scores import bar_remote_nodes, confine, discover_exclusively, withdraw
from reconciler.scheduler.reading.bundle_parts import DEFAULT_PORT, BundleSpec, address_resource, container_resource
from reconciler.scheduler.reading.connections import connection, contain, link_connection
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.reading.nodes import add_node
from reconciler.scheduler.working.node import ClusterNode, NodeKind
from reconciler.scheduler.working.resource import BundleFields, BundleReplica
from reconciler.scheduler.working.table import NEVER

if TYPE_CHECKING:
    from reconciler.scheduler.reading.settings import Create
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource

REPLICA_SCORE = 500
"""The score of a replica's node for the instance inside it."""


def complete(cluster: Cluster, resource: Resource, configured: Bundle, create: Create) -> bool:
    """Make the bundle's replicas and everything they consist of; False when that can't be done."""
    spec = _read(configured)
    if spec is None:
        return False
    fields = BundleFields()
    resource.bundle = fields
    fields.image = spec.image
    fields.promoted_max, fields.replicas_per_host = spec.promoted_max, spec.replicas_per_host
    fields.unique, resource.configured.unique = spec.called_unique, spec.replicas_per_host > 1
    fields.replicas = [BundleReplica(index) for index in range(spec.replicas)]
    for replica in fields.replicas:
        replica.ip_address = spec.addresses[replica.index]
    if configured.primitive is not None:
        fields.clone = _inner_clone(cluster, resource, configured.primitive, spec, create)
        if fields.clone is None:
            return False
        for replica, instance in zip(fields.replicas, fields.clone.children, strict=True):
            replica.primitive = instance
    if not all(_add_replica(cluster, resource, replica, spec, create) for replica in fields.replicas):
        return False
    if fields.clone is not None:
        resource.children.append(fields.clone)
    return True


def _read(configured: Bundle) -> BundleSpec | None:
    """The bundle's numbers and texts, with defaults; None when the inner primitive could not be reached."""
    attributes = configured.container_attributes
    network = {} if configured.network is None else configured.network.attributes
    promoted_max = max(0, integer(attributes.get("promoted-max", attributes.get("masters"))))
    replicas = max(1, integer(attributes.get("replicas"), promoted_max or 1))
    per_host = max(1, integer(attributes.get("replicas-per-host"), 1))
    called_unique = per_host > 1
    first_address, control_port = network.get("ip-range-start"), network.get("control-port")
    if configured.primitive is not None and first_address is None:
        if control_port is None:
            return None
        per_host = 1
    return BundleSpec(
        configured,
        replicas=replicas,
        replicas_per_host=per_host,
        called_unique=called_unique,
        promoted_max=promoted_max,
        addresses=_addresses(first_address, replicas),
        control_port=control_port,
        add_host=boolean(network.get("add-host")) is not False,
    )


def _addresses(first: str | None, count: int) -> list[str | None]:
    addresses = [first]
    while len(addresses) < count:
        addresses.append(_next_address(addresses[-1]))
    return addresses


def _next_address(address: str | None) -> str | None:
    """The address one higher; after .254 comes .1 of the next third octet. None at the end, or when it is no IPv4 address."""
    parts = [] if address is None else address.split(".")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return None
    first, second, third, fourth = map(int, parts)
    if fourth <= 253:
        fourth += 1
    elif third <= 253:
        third, fourth = third + 1, 1
    else:
        return None
    return f"{first}.{second}.{third}.{fourth}"


def _inner_clone(
    cluster: Cluster, bundle: Resource, primitive: Primitive, spec: BundleSpec, create: Create
) -> Resource | None:
    meta = {
        "ordered": "true",
        "clone-max": str(spec.replicas),
        "clone-node-max": str(spec.replicas_per_host),
        "globally-unique": "true" if spec.replicas_per_host > 1 else "false",
    }
    suffix = "clone"
    if spec.promoted_max > 0:
        suffix = "master"
        meta |= {"promotable": "true", "promoted-max": str(spec.promoted_max)}
    clone = create(cluster, Clone(f"{bundle.id}-{suffix}", primitive, meta=plain(meta)), bundle, None)
    if clone is None or clone.clone is None:
        return None
    for instance in clone.children:
        discover_exclusively(instance)
        clone.clone.notify = clone.clone.notify or instance.configured.notify
    if (target := clone.children[-1].configured.meta.get("container-attribute-target")) is not None:
        clone.configured.meta["container-attribute-target"] = bundle.configured.meta["container-attribute-target"] = (
            target
        )
    return clone


def _add_replica(cluster: Cluster, bundle: Resource, replica: BundleReplica, spec: BundleSpec, create: Create) -> bool:
    """Make container, address and connection of a replica, as far as it has them."""
    replica.container = _add_part(cluster, bundle, container_resource(spec, replica), create)
    if replica.container is None:
        return False
    if replica.ip_address is not None:
        replica.ip = _add_part(cluster, bundle, address_resource(spec, replica.ip_address), create)
        if replica.ip is None:
            return False
    return replica.primitive is None or _add_connection(cluster, bundle, replica, spec, create)


def _add_part(cluster: Cluster, bundle: Resource, primitive: Primitive, create: Create) -> Resource | None:
    part = create(cluster, primitive, bundle, None)
    if part is not None:
        bundle.children.append(part)
    return part


def _add_connection(
    cluster: Cluster, bundle: Resource, replica: BundleReplica, spec: BundleSpec, create: Create
) -> bool:
    assert replica.container is not None
    assert replica.primitive is not None
    name = f"{bundle.id}-{replica.index}"
    if find(cluster, name) is not None:
        name = f"pcmk-internal-{replica.primitive.id}-remote-{replica.index}"
    port = spec.control_port or DEFAULT_PORT
    primitive = connection(name, replica.container.id, address=replica.ip_address or HOST_ADDRESS, port=port)
    node = _replica_node(cluster, name)
    part = _add_part(cluster, bundle, primitive, create)
    if part is None:
        return False
    replica.connection, replica.node = part, node
    contain(part, replica.container)
    link_connection(cluster, part)
    bar_remote_nodes(cluster, part)
    confine(replica.primitive, node, REPLICA_SCORE)
    if replica.ip_address is not None:
        replica.primitive.configured.meta["external-ip"] = replica.ip_address
    replica.container.configured.utilization, replica.primitive.configured.utilization = (
        replica.primitive.configured.utilization,
        {},
    )
    return True


def _replica_node(cluster: Cluster, name: str) -> ClusterNode:
    """The node that a replica provides: nothing but the replica's own instance is ever placed there."""
    node = cluster.node_index.get(name)
    if node is None:
        node = add_node(cluster, name, name, NodeKind.REMOTE, -INFINITY)
    else:
        node.base_score = -INFINITY
        cluster.start_table = None
        for resource in cluster.resources:
            withdraw(resource, node)
    node.discovery_mode = NEVER
    return node
