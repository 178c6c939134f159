"""Where resources are active.

Source: the scheduler's specification, part 1, sections 13.7, 13.8 and 18.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def current_node(resource: Resource) -> ClusterNode | None:
    """The node that counts as the one where the resource is active, None when it is active nowhere.

    The source of a partial migration comes first, then for a resource that needs no fencing the first clean node.
    """
    nodes = resource.found.active_on
    if not nodes:
        return None
    if resource.found.partial_source is not None and resource.found.partial_source in nodes:
        return resource.found.partial_source
    if not resource.configured.needs_fencing:
        for node in nodes:
            if node.online and not node.unclean:
                return node
    return nodes[0]


def active_nodes(resource: Resource) -> list[ClusterNode]:
    """The nodes that count when asking whether it is active too often: all, or the clean ones when it needs no fencing."""
    if resource.configured.needs_fencing:
        return resource.found.active_on
    return [node for node in resource.found.active_on if node.online and not node.unclean]


def multiply_active(resource: Resource) -> bool:
    """Whether it is active on more nodes than one."""
    return len(resource.found.active_on) > 1 and len(active_nodes(resource)) > 1


def is_active(resource: Resource, *, wholly: bool = False) -> bool:
    """Whether something of the resource (`wholly`: everything) is active somewhere that counts."""
    if resource.kind is Kind.PRIMITIVE:
        return any(node.unclean or node.online or not resource.managed for node in resource.found.active_on)
    parts = _parts(resource)
    if wholly:
        return all(is_active(part, wholly=True) for part in parts)
    return any(is_active(part) for part in parts)


def _parts(resource: Resource) -> list[Resource]:
    if resource.bundle is None:
        return resource.children
    return [
        part
        for replica in resource.bundle.replicas
        for part in (replica.ip, replica.primitive, replica.container, replica.connection)
        if part is not None
    ]
