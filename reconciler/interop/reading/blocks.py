"""Blocks of name-value pairs and rules, as XML elements hold them.

Source: the scheduler's specification, part 1, sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from reconciler.interop.xml.document import Document
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.keys import keys_of
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)

_RULE_KEYS = frozenset({"id", "boolean-op", "score", "score-attribute", "role", "id-ref"})


def remaining(element: Element, known: frozenset[str]) -> dict[str, str]:
    """The attributes of an element besides the known ones."""
    return {name: value for name, value in element.items() if name not in known}


def keys_in(element: Element, kind: type) -> dict[str, Any]:
    """The attributes of an element that are keys of the class, by field."""
    return {name: text for name, key in keys_of(kind).items() if (text := element.get(key.xml)) is not None}


def others_in(element: Element, kind: type) -> dict[str, str]:
    """The attributes of an element that are no keys of the class."""
    return remaining(element, frozenset({"id", "id-ref", *(key.xml for key in keys_of(kind).values())}))


def read_blocks(document: Document, owner: Element | None, tag: str, *, last_wins: bool = False) -> AttributeBlocks:
    """The blocks of this tag below an element.

    A name that occurs twice in a block keeps its first value, or its last one where the scheduler lets later pairs overwrite.
    """
    if owner is None:
        return ()
    return tuple(_read_block(document, block, last_wins) for block in document.children(owner, tag))


def _read_block(document: Document, element: Element, last_wins: bool) -> AttributeBlock:
    values: dict[str, str] = {}
    for name, value in _pairs(document, element):
        if last_wins or name not in values:
            values[name] = value
    rules = read_rules(document, element)
    return AttributeBlock(values, rules, element.get("score"), element.get("id"))


def _pairs(document: Document, element: Element) -> Iterator[tuple[str, str]]:
    """The pairs with both name and value; a legacy `attributes` element may wrap them."""
    wrapper = element.find("attributes")
    for pair in element if wrapper is None else wrapper:
        if pair.tag != "nvpair":
            continue
        name, value = pair.get("name"), pair.get("value")
        if (reference := pair.get("id-ref")) is not None:
            target = document.lookup("nvpair", reference)
            if target is None:
                document.warn(
                    pair, "dangling-id-ref", f"<nvpair> refers to the id {reference!r}, which no or several have"
                )
            else:
                name = target.get("name") if name is None else name
                value = target.get("value") if value is None else value
        if name is not None and value is not None:
            yield name, value


def read_rules(document: Document, owner: Element) -> tuple[Rule, ...]:
    """The rules directly below an element."""
    return tuple(read_rule(document, rule) for rule in document.children(owner, "rule"))


def read_rule(document: Document, element: Element, above: tuple[Element, ...] = ()) -> Rule:
    """One rule with everything below it; a reference to a rule that it stands in itself is left out."""
    document.count_rule(len(above))
    expressions = [_read_expression(document, child, (*above, element)) for child in element]
    return Rule(
        tuple(expression for expression in expressions if expression is not None),
        boolean_op=element.get("boolean-op", "and"),
        score=element.get("score"),
        score_attribute=element.get("score-attribute"),
        role=element.get("role"),
        id=element.get("id"),
        extra=remaining(element, _RULE_KEYS),
    )


def _read_expression(document: Document, element: Element, above: tuple[Element, ...]) -> Expression | None:
    match element.tag:
        case "rule":
            target = document.resolve(element)
            if target is None:
                return None
            if target in above:
                document.warn(
                    element, "rule-in-itself", "the rule refers to a rule that it stands in, which is left out"
                )
                return None
            return read_rule(document, target, above)
        case "expression":
            given = {"attribute": "", "operation": ""} | keys_in(element, AttributeExpression)
            return AttributeExpression(**given)
        case "date_expression":
            return DateExpression(
                **keys_in(element, DateExpression),
                duration=_fields(element.find("duration")),
                date_spec=_fields(element.find("date_spec")),
            )
        case "rsc_expression":
            return AgentExpression(**keys_in(element, AgentExpression))
        case "op_expression":
            return OperationExpression(**keys_in(element, OperationExpression))
    return None


def _fields(element: Element | None) -> Mapping[str, str] | None:
    return None if element is None else {name: value for name, value in element.items() if name != "id"}
