"""Bounds: what a configuration may ask of the scheduler at most, so that no commit keeps a node busy instead of caring for what runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts, ResourceItem
from reconciler.language.checks.names import constraint_address
from reconciler.language.text import limits
from reconciler.model import bounds
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.pattern import USUAL_NAME, PatternError, compile_pattern
from reconciler.model.resource import Bundle, Clone, Group
from reconciler.model.text import integer


def check_bounds(facts: Facts) -> None:
    """Report numbers of instances and patterns that would take the scheduler too long."""
    _check_instances(facts)
    _check_patterns(facts)
    _check_pairs(facts)


def _check_instances(facts: Facts) -> None:
    total = 0
    largest: tuple[int, Place, str] = (0, Place("configuration"), "")
    for item in facts.top_items():
        wanted, place, what = max(_wanted(facts, item), default=(0, Place("configuration"), ""))
        if wanted > bounds.INSTANCES:
            text = (
                f"{item.id}: {what} {wanted:,} is more than the {bounds.INSTANCES:,} instances that a resource may have"
            )
            facts.error(
                "too-many-instances", place, text, "a cluster has far fewer nodes; leave it out for one on each node"
            )
            continue
        made = wanted * _parts(item)
        total += made
        largest = max(largest, (made, place, item.id))
    if total > bounds.ALL_INSTANCES:
        text = f"all resources together ask for {total:,} instances; at most {bounds.ALL_INSTANCES:,} can be scheduled"
        facts.error("too-many-instances", largest[1], text, f"{largest[2]} asks for {largest[0]:,} of them")


def _wanted(facts: Facts, item: ResourceItem) -> Iterator[tuple[int, Place, str]]:
    """What is asked for, with its place and name, wherever a rule may let it apply."""
    match item.resource:
        case Clone():
            yield from _numbers(facts, (*item.address, "meta"), item.resource.meta, "clone-max")
            for child in item.children:
                yield from _numbers(facts, (*child.address, "meta"), child.resource.meta, "clone-max")
            defaults = facts.configuration.defaults.resources
            yield from _numbers(facts, ("defaults", "resources"), defaults, "clone-max")
        case Bundle():
            for name in ("replicas", "promoted-max"):
                text = item.resource.container_attributes.get(name)
                yield integer(text) if text else 1, facts.index.value((*item.address, "container", name)), name


def _numbers(facts: Facts, base: Address, blocks: AttributeBlocks, name: str) -> Iterator[tuple[int, Place, str]]:
    for number, block in enumerate(blocks):
        if name in block.values:
            yield integer(block.values[name]), facts.value_place(base, number, name), name


def _parts(item: ResourceItem) -> int:
    """How many resources one instance is made of."""
    match item.resource:
        case Clone() if isinstance(item.resource.resource, Group):
            return max(len(item.resource.resource.members), 1)
        case Bundle():
            return 4  # The address, the container, the connection into it, and what runs inside.
    return 1


def _check_patterns(facts: Facts) -> None:
    """Each pattern is tried on each name; the longer the name, the longer it takes."""
    weight = sum(max(1, (len(item.id) / USUAL_NAME) ** 3) for item in facts.top_items())
    total = 0.0
    for constraint in facts.configuration.constraints:
        if not isinstance(constraint, Location) or constraint.pattern is None:
            continue
        try:
            total += compile_pattern(constraint.pattern.removeprefix("!")).cost * weight
        except PatternError:
            continue  # It was reported where names are checked.
        if total > limits.PATTERN_STEPS:
            place = facts.index.value(("constraints", "locations", constraint.id, "pattern"))
            text = (
                f"the patterns up to this one may take {total:,.0f} steps; at most {limits.PATTERN_STEPS:,} are allowed"
            )
            facts.error("patterns-too-costly", place, text, "repeat single characters, not groups of them")
            facts.patterns_tried = False
            return


def _check_pairs(facts: Facts) -> None:
    """Each colocation and order is one between single resources in the end; tags and sets multiply."""
    total = 0
    for constraint in facts.configuration.constraints:
        if not isinstance(constraint, Colocation | Order):
            continue
        total += _pairs(facts, constraint)
        if total > bounds.PAIRS:
            place = facts.index.key(constraint_address(constraint))
            text = f"the constraints up to this one come down to {total:,} pairs of resources; at most {bounds.PAIRS:,} are taken"
            facts.error(
                "too-many-pairs", place, text, "put the resources into groups, or order and place fewer of them"
            )
            facts.pairs_judged = False
            return


def _pairs(facts: Facts, constraint: Colocation | Order) -> int:
    """How many pairs a constraint comes down to at most."""
    if not constraint.sets:
        ends = (
            (constraint.first, constraint.then)
            if isinstance(constraint, Order)
            else (constraint.resource, constraint.with_resource)
        )
        left, right = (len(facts.expand(name or "")) for name in ends)
        return left * right
    sizes = [sum(len(facts.expand(name)) for name in one.resources) for one in constraint.sets]
    return sum(sizes) + sum(left * right for left, right in pairwise(sizes))
