"""What of a configuration departs, as the steps of finding that out hand it on; and the names that are in use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import assert_never

from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource


@frozen
class Parting:
    """The departing resources between two configurations.

    `handles` tells for a name of the old configuration by which name constraints find what departs of it; `names` are all that are taken.
    """

    old: Configuration
    new: Configuration
    resources: tuple[Resource, ...]
    handles: Mapping[str, str]
    names: frozenset[str]


def names_of(resource: Resource) -> frozenset[str]:
    """The names of a resource and of all that it holds."""
    match resource:
        case Primitive(id):
            return frozenset({id})
        case Group(id, members):
            return frozenset({id, *(one.id for one in members)})
        case Clone(id, held):
            return names_of(held) | {id}
        case Bundle(id):
            return frozenset({id} if resource.primitive is None else {id, resource.primitive.id})
        case _:
            assert_never(resource)


def names_in(configuration: Configuration) -> frozenset[str]:
    """The names of everything that shares its names with resources."""
    resources = frozenset().union(*map(names_of, configuration.resources))
    others = (*configuration.templates, *configuration.constraints, *configuration.tags)
    return resources | {one.id for one in others}


def fresh(name: str, taken: Collection[str]) -> str:
    """The name, or with the first number behind it that makes it a new one."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
