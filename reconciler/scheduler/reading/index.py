"""The index of names: entering resources, and finding them again.

Source: the scheduler's specification, part 1, sections 9.1 and 13.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def register(cluster: Cluster, resource: Resource) -> None:
    """Enter the resource and everything below it in the index of names; the order of doing so is the order of finding."""
    names = (resource.id,) if resource.id == resource.config_id else (resource.id, resource.config_id)
    for name in names:
        cluster.resource_index.setdefault(name, []).append(resource)
    resource.sequence = cluster.resource_count
    cluster.resource_count += 1
    for child in resource.children:
        register(cluster, child)


def find(cluster: Cluster, name: str) -> Resource | None:
    """The first resource in the tree with this internal id or history name (section 9.1)."""
    candidates = cluster.resource_index.get(name)
    if candidates is None:
        return None
    if len(candidates) == 1:
        only = candidates[0]
        return only if only.id == name or only.found.history_name == name else None
    matching = [resource for resource in candidates if resource.id == name or resource.found.history_name == name]
    return min(matching, key=_tree_order) if matching else None


def _tree_order(resource: Resource) -> tuple[int, int]:
    top = resource
    while top.parent is not None:
        top = top.parent
    return top.rank, resource.sequence
