"""Additions that are what is removed at the same time, under another name: the same agent with the same parameters.

Without `moved` they are two resources to the cluster; to what they run they are one.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.cib.canonical import canonical_bytes
from reconciler.cib.parting import Parting
from reconciler.frozen import replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Bundle, Clone, Primitive, primitives
from reconciler.model.template import made_from

_FENCING = "stonith"


def twins(parting: Parting) -> Iterator[tuple[str, str]]:
    """Each primitive that departs with the name by which a constraint means its twin, in the order of their names."""
    before = _written_out(parting.old)
    going = [(name, what) for name, (what, _) in sorted(before.items()) if name in parting.handles]
    come = [(what, handle) for name, (what, handle) in sorted(_written_out(parting.new).items()) if name not in before]
    yield from ((name, handle) for name, what in going for same, handle in come if what == same)


def _written_out(configuration: Configuration) -> dict[str, tuple[bytes, str]]:
    """By the name of each primitive: what it runs, and by which name a constraint means it."""
    templates = {template.id: template for template in configuration.templates}
    found: dict[str, tuple[bytes, str]] = {}
    for resource in configuration.resources:
        for one in primitives(resource):
            template = None if one.template is None else templates.get(one.template)
            made = one if template is None else made_from(one, template)
            if made.agent is not None and made.agent.standard != _FENCING:
                found[one.id] = _content(made), resource.id if isinstance(resource, Clone | Bundle) else one.id
    return found


def _content(primitive: Primitive) -> bytes:
    params = tuple(AttributeBlock(block.values, block.rules, block.score) for block in primitive.params)
    return canonical_bytes(replace(Primitive("", primitive.agent), params=params))
