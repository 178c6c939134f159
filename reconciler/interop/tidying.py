"""Leaving out of an imported configuration what only the XML needed: ids to which nothing refers.

Pacemaker's tools make an id for every block, rule and operation. Nothing is decided by them, but for the set of cluster options
that comes before all others; and access rights and tags may name them.
Source: the scheduler's specification, part 1, section 4.
"""

from __future__ import annotations

from typing import Any, TypeVar

from reconciler.frozen import replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import AclPermission, Configuration, FencingLevel, NodeDefinition
from reconciler.model.constraint import ResourceSet
from reconciler.model.resource import Operation, PortMapping, StorageMapping
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    OperationExpression,
    Rule,
)

_NAMELESS = (
    AclPermission,
    AgentExpression,
    AttributeBlock,
    AttributeExpression,
    DateExpression,
    FencingLevel,
    Operation,
    OperationExpression,
    PortMapping,
    ResourceSet,
    Rule,
    StorageMapping,
)

T = TypeVar("T")


def without_ids(configuration: Configuration) -> Configuration:
    """The configuration without the ids of what needs none; it decides the same."""
    named = {permission.reference for role in configuration.acl_roles for permission in role.permissions}
    tagged = {name for tag in configuration.tags for name in tag.references}
    tidied = _tidied(configuration, frozenset(name for name in named if name is not None) | tagged)
    if len(configuration.options) > 1:
        return replace(tidied, options=configuration.options)
    return tidied


def _tidied(value: T, named: frozenset[str]) -> T:
    if isinstance(value, tuple):
        items: Any = tuple([_tidied(item, named) for item in value])
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    names: tuple[str, ...] = getattr(type(value), "__match_args__", ())
    if not names:
        return value
    changes: dict[str, Any] = {}
    for name in names:
        part = getattr(value, name)
        new = _tidied(part, named)
        if new is not part:
            changes[name] = new
    if isinstance(value, _NAMELESS) and value.id and value.id not in named:
        changes["id"] = None
    if isinstance(value, NodeDefinition) and value.id == value.name:
        changes["id"] = None  # The XML has to have one, and without one of its own the name is it.
    changed: Any = replace(value, **changes) if changes else value  # type: ignore[type-var]  # Only frozen values have fields.
    result: T = changed
    return result
