"""Constraints as XML elements.

Source: Pacemaker Explained, "Resource Constraints".
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.writing.blocks import BlockWriter, element, keys_of_value
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.rule import Rule

_TAGS: Mapping[type, str] = {
    Location: "rsc_location",
    Colocation: "rsc_colocation",
    Order: "rsc_order",
    Ticket: "rsc_ticket",
}


class ConstraintWriter:
    """Writes constraints, with the rules that `blocks` writes."""

    def __init__(self, blocks: BlockWriter) -> None:
        self.blocks = blocks

    def add(self, owner: Element, constraint: Constraint) -> None:
        """Add a constraint with its sets and rules."""
        keys = {"id": constraint.id, **keys_of_value(constraint), **constraint.extra}
        made = element(owner, _TAGS[type(constraint)], keys)
        for resource_set in constraint.sets:
            self._add_set(made, resource_set, constraint.id)
        if isinstance(constraint, Location):
            self._add_rules(made, constraint.rules, constraint.id)
        if not isinstance(constraint, Ticket):
            self._add_lifetime(made, constraint.lifetime, constraint.id)

    def _add_rules(self, owner: Element, rules: tuple[Rule, ...], owner_id: str) -> None:
        for rule in rules:
            self.blocks.add_rule(owner, rule, owner_id)

    def _add_lifetime(self, owner: Element, rules: tuple[Rule, ...] | None, owner_id: str) -> None:
        if rules is not None:
            self._add_rules(SubElement(owner, "lifetime"), rules, f"{owner_id}-lifetime")

    def _add_set(self, owner: Element, resource_set: ResourceSet, owner_id: str) -> None:
        id = self.blocks.ids.claim(resource_set.id, f"{owner_id}-set")
        made = element(owner, "resource_set", {"id": id, **keys_of_value(resource_set), **resource_set.extra})
        for resource in resource_set.resources:
            SubElement(made, "resource_ref", {"id": resource})
