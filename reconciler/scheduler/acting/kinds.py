"""Actions and orderings of every kind of resource: which function is for which kind.

Source: the scheduler's specification, part 3, sections 2 (phases 6 and 12) and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.acting.bundle import create_bundle_actions, order_bundle
from reconciler.scheduler.acting.clone import create_clone_actions, order_clone
from reconciler.scheduler.acting.group import create_group_actions, order_group
from reconciler.scheduler.acting.primitive import order_primitive
from reconciler.scheduler.acting.role_steps import create_primitive_actions
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def implicit_orderings(cluster: Cluster) -> None:
    """Note the orderings that follow from what each resource is (phase 6)."""
    for resource in cluster.resources:
        order_resource(cluster, resource)


def create_actions(cluster: Cluster) -> None:
    """Create the actions that bring every resource to where and what it will be (phase 12)."""
    for resource in cluster.resources:
        create_resource_actions(cluster, resource)


def order_resource(cluster: Cluster, resource: Resource) -> None:
    """Note the orderings of one resource of any kind, and of everything below it."""
    match resource.kind:
        case Kind.PRIMITIVE:
            order_primitive(cluster, resource)
        case Kind.GROUP:
            order_group(cluster, resource, order_resource)
        case Kind.CLONE:
            order_clone(cluster, resource, order_resource)
        case Kind.BUNDLE:
            order_bundle(cluster, resource, order_resource)


def create_resource_actions(cluster: Cluster, resource: Resource) -> None:
    """Create the actions of one resource of any kind, and of everything below it."""
    match resource.kind:
        case Kind.PRIMITIVE:
            create_primitive_actions(cluster, resource)
        case Kind.GROUP:
            create_group_actions(cluster, resource, create_resource_actions)
        case Kind.CLONE:
            create_clone_actions(cluster, resource, create_resource_actions)
        case Kind.BUNDLE:
            create_bundle_actions(cluster, resource, create_resource_actions)
