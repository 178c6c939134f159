"""Constraints, as XML elements hold them.

Source: the scheduler's specification, part 2, sections 6, 7 and 12, part 3, section 11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from reconciler.interop.reading.blocks import keys_in, others_in, read_rules
from reconciler.interop.xml.document import Document
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.rule import Rule

_KINDS: Mapping[str, type[Constraint]] = {
    "rsc_location": Location,
    "rsc_colocation": Colocation,
    "rsc_order": Order,
    "rsc_ticket": Ticket,
}


def read_constraints(document: Document, owner: Element | None) -> tuple[Constraint, ...]:
    """The constraints in document order; what is none is dropped."""
    found: list[Constraint] = []
    for element in () if owner is None else owner:
        id = element.get("id")
        if id is None:
            document.warn(element, "constraint-without-id", f"<{element.tag}> has no id and is ignored")
        elif (constraint := _read_constraint(document, element, id)) is not None:
            found.append(constraint)
    return tuple(found)


def _read_constraint(document: Document, element: Element, id: str) -> Constraint | None:
    kind = _KINDS.get(element.tag)
    if kind is None:
        document.warn(element, "constraint-unknown", f"<{element.tag}> is no kind of constraint and is ignored")
        return None
    if kind is Ticket and element.get("ticket") is None:
        document.warn(element, "ticket-missing", f"the constraint {id} names no ticket and is ignored")
        return None
    parts: dict[str, Any] = {"sets": _read_sets(document, element), "extra": others_in(element, kind)}
    if kind is Location:
        parts["rules"] = read_rules(document, element)
    if kind is not Ticket:
        parts["lifetime"] = _read_lifetime(document, element)
    return kind(id, **keys_in(element, kind), **parts)


def _read_sets(document: Document, owner: Element) -> tuple[ResourceSet, ...]:
    return tuple(
        ResourceSet(
            tuple(member.get("id", "") for member in element if member.tag == "resource_ref"),
            **keys_in(element, ResourceSet),
            extra=others_in(element, ResourceSet),
        )
        for element in document.children(owner, "resource_set")
    )


def _read_lifetime(document: Document, owner: Element) -> tuple[Rule, ...] | None:
    element = owner.find("lifetime")
    return None if element is None else read_rules(document, element)
