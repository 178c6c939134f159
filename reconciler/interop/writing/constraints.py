"""Constraints as XML elements.

Source: Pacemaker Explained, "Resource Constraints".
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.writing.blocks import BlockWriter, element
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.rule import Rule


class ConstraintWriter:
    """Writes constraints, with the rules that `blocks` writes."""

    def __init__(self, blocks: BlockWriter) -> None:
        self.blocks = blocks

    def add(self, owner: Element, constraint: Constraint) -> None:
        """Add a constraint with its sets and rules."""
        made = _start(owner, constraint)
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
        keys = {
            "sequential": resource_set.sequential,
            "require-all": resource_set.require_all,
            "ordering": resource_set.ordering,
            "action": resource_set.action,
            "role": resource_set.role,
            "score": resource_set.score,
            "kind": resource_set.kind,
            **resource_set.extra,
        }
        id = self.blocks.ids.claim(resource_set.id, f"{owner_id}-set")
        made = element(owner, "resource_set", {"id": id, **keys})
        for resource in resource_set.resources:
            SubElement(made, "resource_ref", {"id": resource})


def _start(owner: Element, constraint: Constraint) -> Element:
    """The element of a constraint, still without children."""
    match constraint:
        case Location():
            return _location(owner, constraint)
        case Colocation():
            return _colocation(owner, constraint)
        case Order():
            return _order(owner, constraint)
        case Ticket():
            return _ticket(owner, constraint)


def _location(owner: Element, constraint: Location) -> Element:
    keys = {
        "id": constraint.id,
        "rsc": constraint.resource,
        "rsc-pattern": constraint.pattern,
        "node": constraint.node,
        "score": constraint.score,
        "role": constraint.role,
        "resource-discovery": constraint.resource_discovery,
    }
    return element(owner, "rsc_location", {**keys, **constraint.extra})


def _colocation(owner: Element, constraint: Colocation) -> Element:
    keys = {
        "id": constraint.id,
        "rsc": constraint.resource,
        "with-rsc": constraint.with_resource,
        "score": constraint.score,
        "rsc-role": constraint.role,
        "with-rsc-role": constraint.with_role,
        "node-attribute": constraint.node_attribute,
        "influence": constraint.influence,
        "rsc-instance": constraint.instance,
        "with-rsc-instance": constraint.with_instance,
    }
    return element(owner, "rsc_colocation", {**keys, **constraint.extra})


def _order(owner: Element, constraint: Order) -> Element:
    keys = {
        "id": constraint.id,
        "first": constraint.first,
        "then": constraint.then,
        "first-action": constraint.first_action,
        "then-action": constraint.then_action,
        "kind": constraint.kind,
        "score": constraint.score,
        "symmetrical": constraint.symmetrical,
        "require-all": constraint.require_all,
        "first-instance": constraint.first_instance,
        "then-instance": constraint.then_instance,
    }
    return element(owner, "rsc_order", {**keys, **constraint.extra})


def _ticket(owner: Element, constraint: Ticket) -> Element:
    keys = {
        "id": constraint.id,
        "ticket": constraint.ticket,
        "rsc": constraint.resource,
        "rsc-role": constraint.role,
        "loss-policy": constraint.loss_policy,
    }
    return element(owner, "rsc_ticket", {**keys, **constraint.extra})
