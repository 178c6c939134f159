"""Blocks of name-value pairs: parameters, meta-attributes, utilization, cluster options, node attributes.

An object may hold several blocks; which pairs count is decided by the blocks' rules and scores when they are evaluated.
Source: Pacemaker Explained, "Rules", "Resources"; the scheduler's specification, part 1, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import frozen
from reconciler.model.rule import Rule


@frozen
class AttributeBlock:
    """One block: its pairs in the order written, with an optional score (as text) and rules.

    Without rules it always applies, else when any of them passes. `id` is None when the author gave none.
    """

    values: Mapping[str, str]
    rules: tuple[Rule, ...] = ()
    score: str | None = None
    id: str | None = None


AttributeBlocks = tuple[AttributeBlock, ...]
"""The blocks of one object in document order."""

NO_ATTRIBUTES: AttributeBlocks = ()


def plain(values: Mapping[str, str], id: str | None = None) -> AttributeBlocks:
    """One unconditional block holding the pairs, or no block when there are none."""
    return (AttributeBlock(dict(values), id=id),) if values else NO_ATTRIBUTES


_SECRET = "\N{SYMBOL FOR SUBSTITUTE}secret:"


def encode_secret(name: str) -> str:
    """The text that stands for a secret in a block of pairs: its name, never the secret itself."""
    return f"{_SECRET}{name}"


def secret_name(value: str) -> str | None:
    """The name of the secret that a pair's text refers to, or None when it is an ordinary value."""
    return value.removeprefix(_SECRET) if value.startswith(_SECRET) else None


@frozen
class Defaults:
    """Cluster-wide defaults: of resources (meta and, rarely, instance attributes) and of operations."""

    resources: AttributeBlocks = NO_ATTRIBUTES
    resource_params: AttributeBlocks = NO_ATTRIBUTES
    operations: AttributeBlocks = NO_ATTRIBUTES
