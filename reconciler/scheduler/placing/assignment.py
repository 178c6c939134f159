"""Assigning resources of every kind to nodes.

A kind assigns its parts, and each first assigns what it is colocated with, so the kinds call each other by way of `assign`.
Source: the scheduler's specification, part 2, sections 16.3 and 18 to 22; part 3, section 11.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause
from reconciler.scheduler.placing import bundle, clone, group, primitive
from reconciler.scheduler.placing.settling import settle_nowhere
from reconciler.scheduler.working.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import Node
    from reconciler.scheduler.working.resource import Resource


def assign(cluster: Cluster, resource: Resource, preferred: Node | None = None) -> Node | None:
    """Assign the resource, if that wasn't done yet; the answer is the node of a primitive or of a group's first member.

    What is in the middle of its assignment has no node yet, and so has no effect on what asks for it.
    """
    match resource.kind:
        case Kind.PRIMITIVE:
            return primitive.assign_primitive(cluster, resource, preferred)
        case Kind.GROUP:
            return group.assign_group(cluster, resource, preferred)
        case Kind.CLONE:
            clone.assign_clone(cluster, resource, preferred)
        case Kind.BUNDLE:
            bundle.assign_bundle(cluster, resource, preferred)
    return None


def unassign_for_good(cluster: Cluster, resource: Resource, cause: Cause) -> bool:
    """Take the resource from its nodes after placement: it will not run. Whether it had any is the answer.

    Its stops become required, its starts can't run.
    """
    return settle_nowhere(cluster, resource, cause)
