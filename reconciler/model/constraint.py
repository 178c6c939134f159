"""Constraints: where resources may run, together with what, in which order, and by whose ticket.

Texts are kept as written; None means that the key was not given, which is not always the same as its default.
Source: Pacemaker Explained, "Resource Constraints"; the scheduler's specification, part 2, sections 6, 7, 12, part 3, section 11.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.rule import Rule


@frozen
class ResourceSet:
    """Several resources in one constraint; each key overrides the constraint's own for this set."""

    resources: tuple[str, ...]
    sequential: str | None = None
    require_all: str | None = None
    ordering: str | None = None
    action: str | None = None
    role: str | None = None
    score: str | None = None
    kind: str | None = None
    id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Location:
    """A preference or ban of nodes for resources: by node and score, or by rules.

    The resources are one id, a pattern over ids, or sets. `lifetime` rules, if any, say when the constraint holds.
    """

    id: str
    resource: str | None = None
    pattern: str | None = None
    sets: tuple[ResourceSet, ...] = ()
    node: str | None = None
    score: str | None = None
    role: str | None = None
    rules: tuple[Rule, ...] = ()
    resource_discovery: str | None = None
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Colocation:
    """The dependent (`resource`) is placed relative to the primary (`with_resource`), or members of sets to each other."""

    id: str
    resource: str | None = None
    with_resource: str | None = None
    sets: tuple[ResourceSet, ...] = ()
    score: str | None = None
    role: str | None = None
    with_role: str | None = None
    node_attribute: str | None = None
    influence: str | None = None
    instance: str | None = None
    with_instance: str | None = None
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Order:
    """An action of `first` comes before an action of `then`, or the sets follow one another."""

    id: str
    first: str | None = None
    then: str | None = None
    sets: tuple[ResourceSet, ...] = ()
    first_action: str | None = None
    then_action: str | None = None
    kind: str | None = None
    score: str | None = None
    symmetrical: str | None = None
    require_all: str | None = None
    first_instance: str | None = None
    then_instance: str | None = None
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Ticket:
    """Resources that may run only while the cluster holds a ticket; `loss_policy` says what happens without it."""

    id: str
    ticket: str
    resource: str | None = None
    sets: tuple[ResourceSet, ...] = ()
    role: str | None = None
    loss_policy: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


Constraint = Location | Colocation | Order | Ticket
