"""Blocks of name-value pairs and rules as XML elements.

Source: Pacemaker Explained, "Rules"; the scheduler's specification, part 1, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from reconciler.interop.writing.ids import Ids
from reconciler.model.attributes import AttributeBlock, AttributeBlocks, secret_name
from reconciler.model.keys import keys_of
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)

LOCAL_SECRET = "lrm://"
"""What stands in the CIB for a value that only the nodes know; it is set there with Pacemaker's `cibsecret`."""


def element(owner: Element, tag: str, values: Mapping[str, str | None]) -> Element:
    """A new child with those of the attributes that have a value."""
    return SubElement(owner, tag, {name: value for name, value in values.items() if value is not None})


def keys_of_value(value: Any) -> dict[str, str | None]:
    """The attributes that an object's keys become; but for the id, which is claimed where the element is made."""
    return {key.xml: getattr(value, name) for name, key in keys_of(type(value)).items() if name != "id"}


class BlockWriter:
    """Writes blocks and rules; a block that several objects share is written once and then referred to."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._shared: dict[tuple[str, str], AttributeBlock] = {}

    def add_blocks(self, owner: Element, tag: str, blocks: AttributeBlocks, owner_id: str) -> None:
        """Add the blocks to their owner, whose id those of unnamed blocks begin with."""
        for block in blocks:
            if block.id is not None and self._shared.get((tag, block.id)) == block:
                SubElement(owner, tag, {"id-ref": block.id})
                continue
            id = self.ids.claim(block.id, f"{owner_id}-{tag}")
            if id == block.id:
                self._shared[(tag, id)] = block
            self._add_block(owner, tag, block, id)

    def _add_block(self, owner: Element, tag: str, block: AttributeBlock, id: str) -> None:
        made = element(owner, tag, {"id": id, "score": block.score})
        for rule in block.rules:
            self.add_rule(made, rule, id)
        for name, value in block.values.items():
            text = value if secret_name(value) is None else LOCAL_SECRET
            SubElement(made, "nvpair", {"id": self.ids.claim(None, f"{id}-{name}"), "name": name, "value": text})

    def add_rule(self, owner: Element, rule: Rule, owner_id: str) -> None:
        """Add a rule with everything below it."""
        id = self.ids.claim(rule.id, f"{owner_id}-rule")
        made = element(
            owner,
            "rule",
            {
                "id": id,
                "boolean-op": rule.boolean_op if rule.boolean_op != "and" else None,
                "score": rule.score,
                "score-attribute": rule.score_attribute,
                "role": rule.role,
                **rule.extra,
            },
        )
        for expression in rule.expressions:
            self._add_expression(made, expression, id)

    def _add_expression(self, owner: Element, expression: Expression, rule_id: str) -> None:
        if isinstance(expression, Rule):
            self.add_rule(owner, expression, rule_id)
            return
        id = self.ids.claim(expression.id, f"{rule_id}-expression")
        match expression:
            case AttributeExpression():
                element(owner, "expression", {"id": id, **keys_of_value(expression)})
            case DateExpression():
                self._add_date(owner, expression, id)
            case AgentExpression():
                element(owner, "rsc_expression", {"id": id, **keys_of_value(expression)})
            case OperationExpression():
                element(owner, "op_expression", {"id": id, **keys_of_value(expression)})

    def _add_date(self, owner: Element, expression: DateExpression, id: str) -> None:
        made = element(owner, "date_expression", {"id": id, **keys_of_value(expression)})
        for tag, fields in (("duration", expression.duration), ("date_spec", expression.date_spec)):
            if fields is not None:
                SubElement(made, tag, {"id": self.ids.claim(None, f"{id}-{tag}"), **fields})
