"""What is found of a resource, or has to be taken for found: it failed, it is left alone, it is locked to a node.

Most of it the status says; the rest comes out while nodes are judged, constraints read, resources placed and actions made.
Source: the scheduler's specification, part 1, section 13; part 2, sections 10 and 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def fail(resource: Resource) -> None:
    """It has failed so that it must be stopped."""
    resource.found.failed = resource.found.must_stop = True


def leave_alone(resource: Resource) -> None:
    """It is neither started nor stopped in this run."""
    resource.found.left_alone = True


def block(resource: Resource) -> None:
    """It is left alone, and shown as blocked, until somebody does something about it."""
    resource.found.left_alone = resource.found.blocked = True


def lock(resource: Resource, node: ClusterNode, since_s: int) -> None:
    """It may run on this node alone, because the node was shut down while it ran there."""
    resource.found.lock_node = node
    resource.found.lock_time_s = since_s


def unlock(resource: Resource) -> None:
    """Whatever node it was locked to, it is not any more."""
    resource.found.lock_node = None
    resource.found.lock_time_s = 0


def restart_anew(resource: Resource) -> None:
    """Its start has to be done again, as if it were still under way."""
    resource.found.start_pending = True


def abandon_migration(resource: Resource) -> None:
    """Its migration, of which only a part was done, will not be completed."""
    resource.found.partial_source = resource.found.partial_target = None


def count_as_unpromoted(instance: Resource) -> None:
    """What merely runs of an instance is unpromoted; what has another role already is left as it is."""
    if instance.found.role is Role.STARTED:
        instance.found.role = Role.UNPROMOTED
    for child in instance.children:
        count_as_unpromoted(child)
