"""What constraints name: resources by id or history name, instances of clones, tags and templates.

Source: the scheduler's specification, part 2, sections 6.1 and 12.3; part 1, sections 8.2 and 9.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.frozen import replace
from reconciler.model.constraint import ResourceSet
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.roles import ROLE_WORDS, Kind, Role

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def constrained(cluster: Cluster, name: str) -> Resource | None:
    """The resource that a constraint means by a name.

    The name under which histories know an instance means all of its clone.
    """
    resource = find(cluster, name)
    return resource if resource is None or resource.id == name else resource.root


def instance_of(resource: Resource, number: str) -> Resource | None:
    """The instance of a clone with this number; None for anything else."""
    if resource.kind is not Kind.CLONE:
        return None
    for child in resource.children:
        if child.id == f"{child.config_id}:{number}":
            return child
    return None


def members(cluster: Cluster, name: str) -> tuple[str, ...] | None:
    """The members of a tag, or the users of a template; None if the name means neither, or is a resource's."""
    if constrained(cluster, name) is not None:
        return None
    if name in cluster.templates:
        return tuple(cluster.templates[name])
    return cluster.tags.get(name)


def expand_sets(cluster: Cluster, sets: tuple[ResourceSet, ...]) -> tuple[ResourceSet, ...]:
    """The sets with tags and templates replaced by their members, in place."""
    return tuple(replace(written, resources=_expanded(cluster, written)) for written in sets)


def _expanded(cluster: Cluster, written: ResourceSet) -> tuple[str, ...]:
    names: list[str] = []
    for name in written.resources:
        inside = members(cluster, name)
        names += (name,) if inside is None else inside
    return tuple(names)


def read_role(cluster: Cluster, constraint_id: str, text: str | None) -> Role:
    """A role that a constraint asks for; `Role.UNKNOWN` for any: no role at all, `Started`, or an unreadable one."""
    if text is None:
        return Role.UNKNOWN
    role = ROLE_WORDS.get(text.lower())
    if role is None:
        cluster.messages.append(f"constraint {constraint_id}: {text!r} is no role, so it applies to any")
        return Role.UNKNOWN
    return Role.UNKNOWN if role is Role.STARTED else role
