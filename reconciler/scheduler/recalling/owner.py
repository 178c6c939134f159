"""Whose history it is: from the name under which a node remembers a resource to the resource.

Source: the scheduler's specification, part 1, sections 13.3 and 13.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.attributes import plain
from reconciler.model.resource import Agent, Primitive
from reconciler.scheduler.reading.clone import create_instance, is_universal
from reconciler.scheduler.reading.connections import ensure_remote_node, link_connection
from reconciler.scheduler.reading.index import find, register
from reconciler.scheduler.reading.resources import banish_orphan, create, create_orphan
from reconciler.scheduler.recalling.fail_counts import strip_instance
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.model.status import ResourceHistory
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def find_owner(cluster: Cluster, history: ResourceHistory, node: ClusterNode) -> Resource | None:
    """The resource that the node's history of this name belongs to, which from now on is known by that name too.

    For an anonymous clone an instance is chosen, or an additional one made. None when no configured resource has the name.
    """
    name = history.id
    resource = find(cluster, name)
    if resource is None:
        resource = find(cluster, f"{strip_instance(name)}:0")
        if resource is None or resource.configured.unique:
            return None
    if resource.kind is not Kind.PRIMITIVE:
        return None
    if resource.parent is None:
        return resource if name == resource.id else _known_as(cluster, resource, name)
    clone = resource.root
    if clone.kind is Kind.CLONE and not clone.configured.unique:
        resource = _replica_instance(clone, node) if clone.parent is not None else _instance(cluster, clone, node, name)
    return None if resource is None else _known_as(cluster, resource, name)


def _known_as(cluster: Cluster, resource: Resource, name: str) -> Resource:
    if name.lower() not in (resource.id.lower(), (resource.found.history_name or "").lower()):
        _name_by_history(cluster, resource, name)
    return resource


def _name_by_history(cluster: Cluster, resource: Resource, name: str) -> None:
    """Note under which name histories know the resource, so that it is found by it."""
    resource.found.history_name = name
    known = cluster.resource_index.setdefault(name, [])
    if resource not in known:
        known.append(resource)


def _replica_instance(clone: Resource, node: ClusterNode) -> Resource | None:
    """The instance inside the replica that provides this node."""
    assert clone.parent is not None
    assert clone.parent.bundle is not None
    return next((replica.primitive for replica in clone.parent.bundle.replicas if replica.node is node), None)


def _instance(cluster: Cluster, clone: Resource, node: ClusterNode, name: str) -> Resource | None:
    """The leaf of an anonymous clone's instance for this history on this node."""
    base = strip_instance(name)
    chosen = _choose(clone, node, base)
    if chosen is not None and _is_doubtful(cluster, clone, chosen, node):
        chosen = None
    return _additional_instance(cluster, clone, base) if chosen is None else chosen


def _choose(clone: Resource, node: ClusterNode, base: str) -> Resource | None:
    """The leaf of the instance that is on the node already, else that of the first free one."""
    free: Resource | None = None
    crowded = False
    for instance in clone.children:
        location = _first_location(instance)
        if location is node:
            leaf = _leaf(instance, base)
            if leaf is not None:
                if not leaf.found.active_on:
                    return leaf
                crowded = True  # A second history of the same clone on one node: not a matter for free instances.
        elif location is None and not crowded and free is None and not instance.found.blocked:
            leaf = _leaf(instance, base)
            if leaf is not None and leaf.found.pending_node in (None, node):
                free = leaf
    return None if crowded else free


def _first_location(instance: Resource) -> ClusterNode | None:
    """The first node on which a leaf of the instance is active or has something pending."""
    for leaf in (instance,) if instance.kind is Kind.PRIMITIVE else instance.leaves():
        if leaf.found.active_on:
            return leaf.found.active_on[0]
        if leaf.found.pending_node is not None:
            return leaf.found.pending_node
    return None


def _leaf(instance: Resource, base: str) -> Resource | None:
    leaves = (instance,) if instance.kind is Kind.PRIMITIVE else instance.leaves()
    return next((leaf for leaf in leaves if base in (leaf.config_id, leaf.id)), None)


def _is_doubtful(cluster: Cluster, clone: Resource, leaf: Resource, node: ClusterNode) -> bool:
    """Whether the history of a lost node must not use up an instance that could run elsewhere."""
    lost = not node.online or node.unclean
    return lost and not leaf.configured.needs_fencing and not node.is_guest and not is_universal(cluster, clone)


def _additional_instance(cluster: Cluster, clone: Resource, base: str) -> Resource | None:
    instance = create_instance(cluster, clone, create)
    if instance is None:
        return None
    register(cluster, instance)
    return _leaf(instance, base)


def adopt_orphan(cluster: Cluster, history: ResourceHistory) -> Resource | None:
    """Make a resource that only the history knows; if it is a connection, with the node that it stands for."""
    attributes = dict(history.attributes)
    agent = Agent(attributes.pop("class", ""), attributes.pop("type", ""), attributes.pop("provider", None))
    primitive = Primitive(
        history.id, agent, meta=plain({}), description=attributes.pop("description", None), extra=attributes
    )
    resource = create_orphan(cluster, primitive)
    if resource is None:
        return None
    if resource.configured.is_connection:
        node = ensure_remote_node(cluster, history.id)
        link_connection(cluster, resource)
        node.shutdown = True
    if "container" in history.attributes:
        resource.found.filler_orphan = True
    banish_orphan(cluster, resource)
    return resource
