"""Constraints, as XML elements hold them.

Source: the scheduler's specification, part 2, sections 6, 7 and 12, part 3, section 11.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.interop.reading.blocks import read_rules, remaining
from reconciler.interop.xml.document import Document
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.rule import Rule

_SET_KEYS = frozenset({"id", "sequential", "require-all", "ordering", "action", "role", "score", "kind", "id-ref"})
_LOCATION_KEYS = frozenset({"id", "rsc", "rsc-pattern", "node", "score", "role", "resource-discovery"})
_COLOCATION_KEYS = frozenset(
    {
        "id",
        "rsc",
        "with-rsc",
        "score",
        "rsc-role",
        "with-rsc-role",
        "node-attribute",
        "influence",
        "rsc-instance",
        "with-rsc-instance",
    }
)
_ORDER_KEYS = frozenset(
    {
        "id",
        "first",
        "then",
        "first-action",
        "then-action",
        "kind",
        "score",
        "symmetrical",
        "require-all",
        "first-instance",
        "then-instance",
    }
)
_TICKET_KEYS = frozenset({"id", "ticket", "rsc", "rsc-role", "loss-policy"})


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
    match element.tag:
        case "rsc_location":
            return _read_location(document, element, id)
        case "rsc_colocation":
            return _read_colocation(document, element, id)
        case "rsc_order":
            return _read_order(document, element, id)
        case "rsc_ticket":
            return _read_ticket(document, element, id)
    document.warn(element, "constraint-unknown", f"<{element.tag}> is no kind of constraint and is ignored")
    return None


def _read_sets(document: Document, owner: Element) -> tuple[ResourceSet, ...]:
    return tuple(
        ResourceSet(
            tuple(member.get("id", "") for member in element if member.tag == "resource_ref"),
            sequential=element.get("sequential"),
            require_all=element.get("require-all"),
            ordering=element.get("ordering"),
            action=element.get("action"),
            role=element.get("role"),
            score=element.get("score"),
            kind=element.get("kind"),
            id=element.get("id"),
            extra=remaining(element, _SET_KEYS),
        )
        for element in document.children(owner, "resource_set")
    )


def _read_lifetime(document: Document, owner: Element) -> tuple[Rule, ...] | None:
    element = owner.find("lifetime")
    return None if element is None else read_rules(document, element)


def _read_location(document: Document, element: Element, id: str) -> Location:
    return Location(
        id,
        resource=element.get("rsc"),
        pattern=element.get("rsc-pattern"),
        sets=_read_sets(document, element),
        node=element.get("node"),
        score=element.get("score"),
        role=element.get("role"),
        rules=read_rules(document, element),
        resource_discovery=element.get("resource-discovery"),
        lifetime=_read_lifetime(document, element),
        extra=remaining(element, _LOCATION_KEYS),
    )


def _read_colocation(document: Document, element: Element, id: str) -> Colocation:
    return Colocation(
        id,
        resource=element.get("rsc"),
        with_resource=element.get("with-rsc"),
        sets=_read_sets(document, element),
        score=element.get("score"),
        role=element.get("rsc-role"),
        with_role=element.get("with-rsc-role"),
        node_attribute=element.get("node-attribute"),
        influence=element.get("influence"),
        instance=element.get("rsc-instance"),
        with_instance=element.get("with-rsc-instance"),
        lifetime=_read_lifetime(document, element),
        extra=remaining(element, _COLOCATION_KEYS),
    )


def _read_order(document: Document, element: Element, id: str) -> Order:
    return Order(
        id,
        first=element.get("first"),
        then=element.get("then"),
        sets=_read_sets(document, element),
        first_action=element.get("first-action"),
        then_action=element.get("then-action"),
        kind=element.get("kind"),
        score=element.get("score"),
        symmetrical=element.get("symmetrical"),
        require_all=element.get("require-all"),
        first_instance=element.get("first-instance"),
        then_instance=element.get("then-instance"),
        lifetime=_read_lifetime(document, element),
        extra=remaining(element, _ORDER_KEYS),
    )


def _read_ticket(document: Document, element: Element, id: str) -> Ticket | None:
    ticket = element.get("ticket")
    if ticket is None:
        document.warn(element, "ticket-missing", f"the constraint {id} names no ticket and is ignored")
        return None
    return Ticket(
        id,
        ticket,
        resource=element.get("rsc"),
        sets=_read_sets(document, element),
        role=element.get("rsc-role"),
        loss_policy=element.get("loss-policy"),
        extra=remaining(element, _TICKET_KEYS),
    )
