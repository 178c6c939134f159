"""The effective configuration value by value: what each resource really has, and where every value comes from.

A resource's own value comes first, then its template's, its group's or clone's, and the cluster's defaults. Values that depend on a
rule are shown with it, because only the moment decides about them.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cib.difference import place_of
from reconciler.model.attributes import AttributeBlocks, secret_name
from reconciler.model.cluster import Address, Configuration
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource

Origin = tuple[Address, AttributeBlocks]
"""An address with the blocks of pairs written there."""


def lines(configuration: Configuration) -> Iterator[str]:
    """A line for each value: address, value, place, and what it is inherited from."""
    for resource in configuration.resources:
        for primitive, owners in _primitives(resource, ()):
            yield from _primitive(configuration, primitive, owners)
    for constraint in configuration.constraints:
        kind = f"{type(constraint).__name__.lower()}s"
        yield _line(configuration, ("constraints", kind, constraint.id), "", ())


def _primitives(resource: Resource, owners: tuple[Resource, ...]) -> Iterator[tuple[Primitive, tuple[Resource, ...]]]:
    """Every primitive with what it is inside of, the nearest first."""
    match resource:
        case Primitive():
            yield resource, owners
        case Group():
            for member in resource.members:
                yield member, (resource, *owners)
        case Clone():
            yield from _primitives(resource.resource, (resource, *owners))
        case Bundle() if resource.primitive is not None:
            yield resource.primitive, (resource, *owners)


_SECTIONS = {Primitive: "primitives", Group: "groups", Clone: "clones", Bundle: "bundles"}


def _primitive(configuration: Configuration, primitive: Primitive, owners: tuple[Resource, ...]) -> Iterator[str]:
    template = next((one for one in configuration.templates if one.id == primitive.template), None)
    address: Address = ("primitives", primitive.id)
    agent = primitive.agent or (template.agent if template is not None else None)
    yield _line(configuration, (*address, "agent"), str(agent), ())
    for part in ("params", "meta"):
        origins: list[Origin] = [((*address, part), getattr(primitive, part))]
        if template is not None:
            origins.append((("templates", template.id, part), getattr(template, part)))
        origins += [((_SECTIONS[type(owner)], owner.id, part), getattr(owner, part)) for owner in owners]
        if part == "meta":
            origins.append((("defaults", "resources"), configuration.defaults.resources))
        yield from _pairs(configuration, (*address, part), origins)
    for operation in primitive.operations:
        shown = ", ".join([f"interval: {operation.interval}", *(f"{k}: {v}" for k, v in operation.attributes.items())])
        yield _line(configuration, (*address, "operations", operation.name), shown, ())


def _pairs(configuration: Configuration, address: Address, origins: list[Origin]) -> Iterator[str]:
    """Each name once, with the first value that holds without a rule; values under a rule are all shown."""
    settled: set[str] = set()
    for origin, blocks in origins:
        for block in blocks:
            for name, value in block.values.items():
                condition = f" (if a rule of {'/'.join(origin)} holds)" if block.rules else ""
                if name in settled:
                    continue
                if not block.rules:
                    settled.add(name)
                inherited = () if origin == address else origin
                yield _line(configuration, (*address, name), _shown(value) + condition, inherited, (*origin, name))


def _shown(value: str) -> str:
    secret = secret_name(value)
    return value if secret is None else f"(secret {secret})"


def _line(
    configuration: Configuration, address: Address, value: str, inherited: Address, written: Address | None = None
) -> str:
    place = place_of(configuration, written or address)
    where = f"  # {place}" if place is not None else ""
    source = f" from {'/'.join(inherited)}" if inherited else ""
    return f"{'/'.join(address)}{': ' + value if value else ''}{where}{source if where else ('  #' + source if source else '')}"
