"""Constraints: where resources may run, together with what, in which order, and by whose ticket.

What a key is called, takes and means stands at its field (`model.keys`).
Texts are kept as written; None means that the key was not given, which is not always the same as its default.
Source: Pacemaker Explained, "Resource Constraints"; the scheduler's specification, part 2, sections 6, 7, 12, part 3, section 11.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.keys import key
from reconciler.model.rule import Rule

ACTIONS = ("start", "stop", "promote", "demote")
"""The actions that an order can be about."""

ORDER_KINDS = ("Mandatory", "Optional", "Serialize")
"""How binding an order is."""


@frozen
class ResourceSet:
    """Several resources in one constraint; each key overrides the constraint's own for this set."""

    resources: tuple[str, ...]
    sequential: str | None = field(
        default=None, metadata=key("Whether the members depend on each other in their order.", "boolean", default=True)
    )
    require_all: str | None = field(
        default=None, metadata=key("Whether all members must be there before what follows.", "boolean", default=True)
    )
    ordering: str | None = field(default=None, metadata=key("Unused."))
    action: str | None = field(default=None, metadata=key("Which action is ordered.", words=ACTIONS))
    kind: str | None = field(default=None, metadata=key("How binding the order is.", words=ORDER_KINDS))
    score: str | None = field(default=None, metadata=key("", "score"))
    role: str | None = field(default=None, metadata=key("", "role"))
    id: str | None = field(default=None, metadata=key("The id that the set has in a CIB."))
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Location:
    """A preference or ban of nodes for resources: by node and score, or by rules.

    The resources are one id, a pattern over ids, or sets. `lifetime` rules, if any, say when the constraint holds.
    """

    id: str
    resource: str | None = field(default=None, metadata=key("The resource, tag or template.", xml="rsc"))
    pattern: str | None = field(
        default=None, metadata=key("A regular expression over the names of resources.", xml="rsc-pattern")
    )
    sets: tuple[ResourceSet, ...] = ()
    node: str | None = field(default=None, metadata=key("The node."))
    rules: tuple[Rule, ...] = ()
    score: str | None = field(default=None, metadata=key("", "score"))
    role: str | None = field(default=None, metadata=key("", "role"))
    resource_discovery: str | None = field(
        default=None, metadata=key("Whether to look for the resource there.", words=("always", "never", "exclusive"))
    )
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Colocation:
    """The dependent (`resource`) is placed relative to the primary (`with_resource`), or members of sets to each other."""

    id: str
    resource: str | None = field(default=None, metadata=key("The dependent: placed relative to the other.", xml="rsc"))
    with_resource: str | None = field(
        default=None, metadata=key("The primary: placed first.", name="with", xml="with-rsc")
    )
    sets: tuple[ResourceSet, ...] = ()
    score: str | None = field(default=None, metadata=key("", "score"))
    role: str | None = field(default=None, metadata=key("The role of the dependent.", "role", xml="rsc-role"))
    with_role: str | None = field(default=None, metadata=key("The role of the primary.", "role", xml="with-rsc-role"))
    node_attribute: str | None = field(
        default=None, metadata=key("Nodes with the same value of this attribute count as the same place.")
    )
    influence: str | None = field(
        default=None, metadata=key("Whether the dependent's failures and preferences may move the primary.", "boolean")
    )
    instance: str | None = field(
        default=None, metadata=key("An instance of the dependent.", "scalar", xml="rsc-instance")
    )
    with_instance: str | None = field(
        default=None, metadata=key("An instance of the primary.", "scalar", xml="with-rsc-instance")
    )
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Order:
    """An action of `first` comes before an action of `then`, or the sets follow one another."""

    id: str
    first: str | None = field(default=None, metadata=key("The resource whose action comes first."))
    then: str | None = field(default=None, metadata=key("The resource whose action comes after."))
    sets: tuple[ResourceSet, ...] = ()
    first_action: str | None = field(
        default=None, metadata=key("The action of the first.", words=ACTIONS, after="first")
    )
    first_instance: str | None = field(
        default=None, metadata=key("An instance of the first.", "scalar", after="first-action")
    )
    then_action: str | None = field(
        default=None, metadata=key("The action of the other; by default the same.", words=ACTIONS, after="then")
    )
    then_instance: str | None = field(
        default=None, metadata=key("An instance of the other.", "scalar", after="then-action")
    )
    symmetrical: str | None = field(
        default=None, metadata=key("Whether the reverse holds for the opposite actions.", "boolean")
    )
    require_all: str | None = field(
        default=None, metadata=key("Whether all instances of the first must be there.", "boolean")
    )
    kind: str | None = field(default=None, metadata=key("How binding the order is.", words=ORDER_KINDS))
    score: str | None = field(default=None, metadata=key("Former way to say the kind: 0 is Optional.", "score"))
    lifetime: tuple[Rule, ...] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@frozen
class Ticket:
    """Resources that may run only while the cluster holds a ticket; `loss_policy` says what happens without it."""

    id: str
    ticket: str = field(metadata=key("The ticket."))
    resource: str | None = field(default=None, metadata=key("The resource.", xml="rsc"))
    sets: tuple[ResourceSet, ...] = ()
    role: str | None = field(default=None, metadata=key("", "role", xml="rsc-role"))
    loss_policy: str | None = field(
        default=None, metadata=key("What to do when the ticket is lost.", words=("fence", "stop", "freeze", "demote"))
    )
    extra: Mapping[str, str] = field(default_factory=dict)


Constraint = Location | Colocation | Order | Ticket
