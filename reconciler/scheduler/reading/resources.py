"""Resources of the configuration, made into working objects.

Source: the scheduler's specification, part 1, sections 8 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.resource import Agent, Bundle, Clone, Group, Primitive
from reconciler.model.text import boolean
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.evaluating.blocks import evaluate
from reconciler.scheduler.evaluating.rules import RuleContext
from reconciler.scheduler.noting.scores import ban_everywhere, start_connection_table, start_table
from reconciler.scheduler.reading import bundle, clone, connections
from reconciler.scheduler.reading.index import register
from reconciler.scheduler.reading.settings import apply_meta, read_meta
from reconciler.scheduler.reading.templates import apply_template
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.resource import Resource

if TYPE_CHECKING:
    from reconciler.model import resource as model
    from reconciler.scheduler.working.cluster import Cluster


def read_resources(cluster: Cluster) -> None:
    """Make all configured resources, with the implicit connections of guest nodes, and link containers and connections.

    A resource that can't be made as configured is left out with everything in it.
    """
    for template in cluster.cib.configuration.templates:
        cluster.templates.setdefault(template.id, [])
    for configured in (*cluster.cib.configuration.resources, *connections.add_connection_nodes(cluster)):
        resource = create(cluster, configured, None)
        if resource is not None:
            cluster.resources.append(resource)
            register(cluster, resource)
    connections.link_containers(cluster)
    for resource in cluster.resources:
        if resource.configured.is_connection:
            connections.link_connection(cluster, resource)
    cluster.resources.sort(key=lambda resource: -resource.priority)
    for rank, resource in enumerate(cluster.resources):
        resource.rank = rank


def create(
    cluster: Cluster, configured: model.Resource, parent: Resource | None, instance: int | None = None
) -> Resource | None:
    """Make a resource with everything below it, with its first node table; None when it can't be made.

    It is not yet entered anywhere: see `index.register`.
    """
    resource = _begin(cluster, configured, parent, instance)
    if resource is None:
        return None
    match configured:
        case Primitive():
            complete = _complete_primitive(cluster, resource)
        case Group():
            complete = _complete_group(cluster, resource, configured)
        case Clone():
            complete = clone.complete(cluster, resource, create)
        case Bundle():
            complete = bundle.complete(cluster, resource, configured, create)
    if not complete:
        return None
    if cluster.options.symmetric_cluster:
        start_table(cluster, resource)
    elif resource.configured.is_connection and resource.configured.meta.get("container") is not None:
        start_connection_table(cluster, resource)
    return resource


def create_orphan(cluster: Cluster, primitive: Primitive) -> Resource | None:
    """Make a primitive that only history knows, at the end of the list: to be stopped everywhere, or else unmanaged."""
    resource = create(cluster, primitive, None)
    if resource is None:
        return None
    resource.configured.orphan = True
    resource.rank = len(cluster.resources)
    cluster.resources.append(resource)
    register(cluster, resource)
    return resource


def banish_orphan(cluster: Cluster, resource: Resource) -> None:
    """Forbid an orphan every node, or with stop-orphan-resources=false leave it unmanaged."""
    if cluster.options.stop_orphan_resources:
        ban_everywhere(cluster, resource, Cause(Why.ORPHAN, resource.id))
    else:
        resource.configured.managed = False


def _begin(
    cluster: Cluster, configured: model.Resource, parent: Resource | None, instance: int | None
) -> Resource | None:
    """The resource with everything that all kinds have in common."""
    if isinstance(configured, Primitive):
        effective = apply_template(cluster, configured)
        if effective is None:
            return None
        configured = effective
    id = configured.id if instance is None else f"{configured.id}:{instance}"
    resource = Resource(id, _KINDS[type(configured)], configured.id, parent)
    resource.instance = instance
    resource.configured.description = configured.description
    resource.configured.param_blocks = (configured.params, *(() if parent is None else parent.configured.param_blocks))
    if isinstance(configured, Primitive):
        resource.configured.agent = agent = configured.agent or Agent("", "")
        resource.configured.is_stonith = agent.standard.lower() == "stonith"
        resource.configured.operations = configured.operations
    elif isinstance(configured, Clone):
        resource.clone = clone.begin(configured)
    read_meta(cluster, resource, configured)
    if resource.clone is not None:
        clone.read_promotable(resource)
    apply_meta(cluster, resource)
    if isinstance(configured, Primitive):
        evaluate(configured.utilization, RuleContext(cluster), into=resource.configured.utilization)
    return resource


_KINDS: dict[type[model.Resource], Kind] = {
    Primitive: Kind.PRIMITIVE,
    Group: Kind.GROUP,
    Clone: Kind.CLONE,
    Bundle: Kind.BUNDLE,
}


def _complete_primitive(cluster: Cluster, resource: Resource) -> bool:
    if resource.configured.is_stonith:
        cluster.has_fence_device = True
    return clone.accept_member(cluster, resource)


def _complete_group(cluster: Cluster, resource: Resource, configured: Group) -> bool:
    resource.configured.group_ordered = boolean(resource.configured.meta.get("ordered")) is not False
    resource.configured.group_collocated = boolean(resource.configured.meta.get("collocated")) is not False
    for member in configured.members:
        child = create(cluster, member, resource, resource.instance)
        if child is not None:
            resource.children.append(child)
    return True
