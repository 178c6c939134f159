"""Which secrets the resources of a configuration need, and what may be kept running although one is missing here.

Source: the design of the cluster, "Versions": local facts veto nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cib import Cib
from reconciler.controller.members import with_members
from reconciler.model.attributes import AttributeBlocks, secret_name
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Bundle, Clone, Group, Primitive, Resource, Template
from reconciler.scheduler import look
from reconciler.scheduler.standing import StandingResource

Definition = tuple[Primitive, Template | None, tuple[AttributeBlocks, ...]]
"""All that a primitive's parameters come from: itself, its template, and what it inherits from defaults and from what it is part of."""


def definitions(configuration: Configuration) -> dict[str, Definition]:
    """The primitives by their ids."""
    templates = {template.id: template for template in configuration.templates}
    inherited = (configuration.defaults.resource_params,)
    return {
        primitive.id: (primitive, templates.get(primitive.template or ""), blocks)
        for resource in configuration.resources
        for primitive, blocks in _primitives(resource, inherited)
    }


def needs(definition: Definition) -> tuple[str, ...]:
    """The names of the secrets that a primitive's parameters, or those of its operations, refer to."""
    primitive, template, inherited = definition
    blocks = [primitive.params, *inherited, *(operation.params for operation in primitive.operations)]
    if template is not None:
        blocks += [template.params, *(operation.params for operation in template.operations)]
    return tuple(sorted({name for each in blocks for name in _named(each)}))


def active_here(cib: Cib, node: str, now: Instant) -> frozenset[str]:
    """The ids in the configuration of the resources that are active on a node."""
    return frozenset(_active(look(with_members(cib), now).resources, node))


def _active(resources: tuple[StandingResource, ...], node: str) -> Iterator[str]:
    for resource in resources:
        if node in resource.active_on:
            yield resource.config_id
        yield from _active(resource.children, node)


def _primitives(
    resource: Resource, inherited: tuple[AttributeBlocks, ...]
) -> Iterator[tuple[Primitive, tuple[AttributeBlocks, ...]]]:
    match resource:
        case Primitive():
            yield resource, inherited
        case Group():
            for member in resource.members:
                yield from _primitives(member, (*inherited, resource.params))
        case Clone():
            yield from _primitives(resource.resource, (*inherited, resource.params))
        case Bundle():
            if resource.primitive is not None:
                yield from _primitives(resource.primitive, (*inherited, resource.params))


def _named(blocks: AttributeBlocks) -> Iterator[str]:
    for block in blocks:
        for value in block.values.values():
            if (name := secret_name(value)) is not None:
                yield name
