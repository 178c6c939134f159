"""How much a configuration may ask of the scheduler, whatever it was read from: more would keep a node, or a command, busy without end.

The language says where in its files something goes beyond them; `excess` is for what has no files: a CIB, a recorded state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from reconciler.errors import Finding, Place
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Order
from reconciler.model.resource import Bundle, Clone, Group, Resource, primitives
from reconciler.model.text import integer

INSTANCES = 1_000
"""How many instances a clone or bundle may ask for."""

ALL_INSTANCES = 50_000
"""How many instances, members of groups counted, all resources may ask for together."""

PAIRS = 100_000
"""How many pairs of resources all colocations and orders may come down to together: tags and sets multiply."""


def excess(configuration: Configuration, file: str) -> tuple[Finding, ...]:
    """What of a configuration goes beyond the bounds; none when it is within."""
    return (*_too_many_instances(configuration, Place(file)), *_too_many_pairs(configuration, Place(file)))


def _too_many_instances(configuration: Configuration, place: Place) -> Iterator[Finding]:
    total = 0
    for resource in configuration.resources:
        wanted = max(_wanted(resource, configuration.defaults.resources), default=0)
        if wanted > INSTANCES:
            text = f"{resource.id}: {wanted:,} is more than the {INSTANCES:,} instances that a resource may have"
            yield Finding("too-many-instances", place, text)
        total += min(wanted, INSTANCES) * _parts(resource)
    if total > ALL_INSTANCES:
        text = f"all resources together ask for {total:,} instances; at most {ALL_INSTANCES:,} can be scheduled"
        yield Finding("too-many-instances", place, text)


def _wanted(resource: Resource, defaults: AttributeBlocks) -> Iterator[int]:
    match resource:
        case Clone():
            inside = resource.resource
            within = [inside, *(inside.members if isinstance(inside, Group) else ())]
            for blocks in (resource.meta, defaults, *(one.meta for one in within)):
                yield from (integer(block.values["clone-max"]) for block in blocks if "clone-max" in block.values)
        case Bundle():
            for name in ("replicas", "promoted-max", "masters"):
                yield integer(resource.container_attributes.get(name))


def _parts(resource: Resource) -> int:
    """How many resources one instance is made of; a bundle's are the address, the container, the connection, and what runs inside."""
    match resource:
        case Clone() if isinstance(resource.resource, Group):
            return max(len(resource.resource.members), 1)
        case Bundle():
            return 4
    return 1


def _too_many_pairs(configuration: Configuration, place: Place) -> Iterator[Finding]:
    """A tag stands for what it names, a template for its users, any other name for itself."""
    users = Counter(
        one.template for resource in configuration.resources for one in primitives(resource) if one.template is not None
    )
    sizes = {tag.id: len(tag.references) for tag in configuration.tags} | dict(users)
    total = 0
    for constraint in configuration.constraints:
        if isinstance(constraint, Colocation | Order):
            total += _pairs(constraint, sizes)
            if total > PAIRS:
                text = f"the constraints up to {constraint.id} come down to {total:,} pairs of resources; at most {PAIRS:,} are taken"
                yield Finding("too-many-pairs", place, text)
                return


def _pairs(constraint: Colocation | Order, sizes: Mapping[str, int]) -> int:
    if constraint.sets:
        counts = [sum(sizes.get(name, 1) for name in one.resources) for one in constraint.sets]
        return sum(counts) + sum(left * right for left, right in pairwise(counts))
    ends = (
        (constraint.first, constraint.then)
        if isinstance(constraint, Order)
        else (constraint.resource, constraint.with_resource)
    )
    left, right = (sizes.get(name or "", 1) for name in ends)
    return left * right
