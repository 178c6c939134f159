"""Rules: that moments, ranges and words mean something, and that a rule can pass where it stands.

Where an expression can succeed at all: the scheduler's specification, part 1, section 5.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.language.checks.settings import is_duration, operations_at
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.constraint import Location, Ticket
from reconciler.model.date import parse
from reconciler.model.resource import Primitive, Template
from reconciler.model.rule import AgentExpression, AttributeExpression, DateExpression, OperationExpression, Rule
from reconciler.model.rule_text import COMPARISONS, TYPES
from reconciler.model.settings import DATE_SPEC_FIELDS, DURATION_FIELDS
from reconciler.model.text import integer

_RANGE = r"[0-9]+(?:-[0-9]*)?\Z|-[0-9]+\Z"
_ZONED = r"(?:Z|\s[+-][0-9]{2}(?::?[0-9]{2})?)\Z"
_HAS_TIME = r"[T\s][0-9]{2}|^T?[0-9]{2}:"
_BEYOND = 1 << 62
"""What stands for a number that has too many digits to be one."""

_LIMITS = {
    "seconds": (0, 59), "minutes": (0, 59), "hours": (0, 23), "monthdays": (1, 31), "weekdays": (1, 7), "yeardays": (1, 366),
    "months": (1, 12), "weeks": (1, 53), "moon": (0, 7),
}  # fmt: skip

NODES = "node attributes"
AGENTS = "resource expressions"
OPERATIONS = "op expressions"


def check_rules(facts: Facts) -> None:
    """Report what no rule can mean, and rules that can't pass where they stand."""
    configuration = facts.configuration
    _blocks(facts, ("cluster", "options"), configuration.options, frozenset())
    _blocks(facts, ("defaults", "resources"), configuration.defaults.resources, frozenset({AGENTS}))
    _blocks(facts, ("defaults", "resource-params"), configuration.defaults.resource_params, frozenset({NODES}))
    _blocks(facts, ("defaults", "operations"), configuration.defaults.operations, frozenset({AGENTS, OPERATIONS}))
    for node in configuration.nodes:
        _blocks(facts, ("nodes", node.name, "attributes"), node.attributes, frozenset())
        _blocks(facts, ("nodes", node.name, "utilization"), node.utilization, frozenset())
    owners: list[tuple[Address, Primitive | Template]] = [
        (("templates", one.id), one) for one in configuration.templates
    ]
    owners += [(item.address, primitive) for item, primitive in facts.primitives()]
    for address, owner in owners:
        _blocks(facts, (*address, "params"), owner.params, frozenset({NODES}))
        _blocks(facts, (*address, "meta"), owner.meta, frozenset({AGENTS}))
        _blocks(facts, (*address, "utilization"), owner.utilization, frozenset())
        for at, operation in operations_at(facts, address, owner.operations):
            _blocks(facts, (*at, "meta"), operation.meta, frozenset({AGENTS, OPERATIONS}))
            _blocks(facts, (*at, "params"), operation.params, frozenset({NODES}))
    for item in facts.items.values():
        if item.children:
            _blocks(facts, (*item.address, "meta"), item.resource.meta, frozenset({AGENTS}))
            _blocks(facts, (*item.address, "params"), item.resource.params, frozenset({NODES}))
    _constraints(facts)


def _constraints(facts: Facts) -> None:
    for constraint in facts.configuration.constraints:
        base = constraint_address(constraint)
        if isinstance(constraint, Location):
            for number, rule in enumerate(constraint.rules):
                _rule(
                    facts, rule, facts.index.value((*base, "rules", str(number)), (*base, "rule")), frozenset({NODES})
                )
        if not isinstance(constraint, Ticket):
            for number, rule in enumerate(constraint.lifetime or ()):
                _rule(
                    facts, rule, facts.index.value((*base, "lifetime", str(number)), (*base, "lifetime")), frozenset()
                )


def _blocks(facts: Facts, base: Address, blocks: AttributeBlocks, possible: frozenset[str]) -> None:
    for number, block in enumerate(blocks):
        for index, rule in enumerate(block.rules):
            at = (*base, str(number))
            _rule(facts, rule, facts.index.value((*at, "rules", str(index)), (*at, "rule")), possible)


def _rule(facts: Facts, rule: Rule, place: Place, possible: frozenset[str]) -> None:
    """Check one rule; every finding is at the rule's place."""
    if rule.boolean_op not in ("and", "or"):
        facts.error("rule-form", place, f"boolean-op: expected and or or, found '{rule.boolean_op}'")
    for text in _faults(rule):
        facts.error("rule-value", place, text)
    for text in () if _has_zone(facts) else _zoneless(rule):
        hint = "end it with Z, or with a blank and an offset such as +01:00, or set the option date-zone"
        read = "several members read it in UTC, and a node alone in its own"
        facts.warning("date-without-zone", place, f"the time {text} names no zone: {read}", hint)
    why = _never(rule, possible)
    if why is not None:
        facts.warning("rule-never-true", place, f"the rule can never pass: {why}")


def _faults(rule: Rule) -> Iterator[str]:
    for expression in rule.expressions:
        match expression:
            case Rule():
                yield from _faults(expression)
            case AttributeExpression():
                yield from _attribute_faults(expression)
            case DateExpression():
                yield from _date_faults(expression)
            case OperationExpression(_, interval) if interval is not None and not is_duration(interval, iso=True):
                yield f"interval: '{interval}' is no duration"


def _attribute_faults(expression: AttributeExpression) -> Iterator[str]:
    known = (*COMPARISONS, "defined", "not_defined")
    if expression.operation not in known:
        yield f"'{expression.operation}' is no comparison; {did_you_mean(expression.operation, known)}"
    elif expression.operation in COMPARISONS and not expression.value:
        yield f"{expression.attribute} {expression.operation}: there is nothing to compare with"
    if expression.type is not None and expression.type not in TYPES:
        yield f"'{expression.type}' is no type; {did_you_mean(expression.type, TYPES)}"
    if expression.value_source not in (None, "literal", "param", "meta"):
        yield f"value-source: expected literal, param or meta, found '{expression.value_source}'"


def _date_faults(expression: DateExpression) -> Iterator[str]:
    operation = expression.operation or "in_range"
    if operation not in ("gt", "lt", "in_range", "date_spec"):
        yield f"'{operation}' is no test of a date; known here: gt, lt, in_range, date_spec"
    for name, text in (("start", expression.start), ("end", expression.end)):
        if text is not None and parse(text) is None:
            yield f"{name}: '{text}' is no moment; write it as in 2026-01-31 or 2026-01-31T18:00:00Z"
    needed = {"gt": expression.start, "lt": expression.end, "in_range": expression.start or expression.end}
    if operation in needed and not needed[operation]:
        yield f"date {operation}: the moment is missing"
    for name, text in (expression.date_spec or {}).items():
        yield from _range_faults(name, text)
    for name, text in (expression.duration or {}).items():
        if name not in DURATION_FIELDS:
            yield f"'{name}' is no part of a duration; {did_you_mean(name, DURATION_FIELDS)}"
        elif not text.isdecimal():
            yield f"{name}: '{text}' is no whole number"


def _range_faults(name: str, text: str) -> Iterator[str]:
    if name not in DATE_SPEC_FIELDS:
        yield f"'{name}' is no part of a date; {did_you_mean(name, DATE_SPEC_FIELDS)}"
        return
    if not re.match(_RANGE, text):
        yield f"{name}: '{text}' is neither a number nor a range such as 9-16"
        return
    low, high = _LIMITS.get(name, (0, 9999))
    numbers = [integer(part, _BEYOND) for part in text.split("-") if part]
    if any(not low <= number <= high for number in numbers):
        yield f"{name}: {text} is outside {low}-{high}"
    elif numbers != sorted(numbers):
        yield f"{name}: {text} runs backwards and never matches; write two rules joined by or"


def _has_zone(facts: Facts) -> bool:
    """Whether the cluster says in which zone such a time is meant."""
    return any("date-zone" in block.values and not block.rules for block in facts.configuration.options)


def _zoneless(rule: Rule) -> Iterator[str]:
    for expression in rule.expressions:
        if isinstance(expression, Rule):
            yield from _zoneless(expression)
        elif isinstance(expression, DateExpression):
            for text in (expression.start, expression.end):
                if (
                    text is not None
                    and re.search(_HAS_TIME, text)
                    and not re.search(_ZONED, text)
                    and parse(text) is not None
                ):
                    yield text


def _never(rule: Rule, possible: frozenset[str]) -> str | None:
    """Why a rule can't pass; None when it may."""
    whys = [_never_expression(expression, possible) for expression in rule.expressions]
    if rule.boolean_op == "or":
        return whys[0] if whys and all(why is not None for why in whys) else None
    return next((why for why in whys if why is not None), None) or _contradiction(rule)


def _never_expression(expression: object, possible: frozenset[str]) -> str | None:
    match expression:
        case Rule():
            return _never(expression, possible)
        case AttributeExpression("#role"):
            return "#role is not known when rules are looked at"
        case AttributeExpression() if NODES not in possible:
            return "node attributes are not known here"
        case AgentExpression() if AGENTS not in possible:
            return "the resource's agent is not known here"
        case AgentExpression(str(standard), None) if standard.lower() == "ocf":
            return (
                "agents of class ocf have a provider, and without one the expression matches only agents that have none"
            )
        case OperationExpression() if OPERATIONS not in possible:
            return "the operation is not known here"
        case DateExpression(_, str(start), str(end)):
            first, last = parse(start), parse(end)
            if first is not None and last is not None and first.epoch_s > last.epoch_s:
                return f"{end} is before {start}"
    return None


def _contradiction(rule: Rule) -> str | None:
    """Two equalities of one attribute with different values."""
    wanted: dict[str, str] = {}
    for expression in rule.expressions:
        if (
            isinstance(expression, AttributeExpression)
            and expression.operation == "eq"
            and expression.value_source is None
        ):
            value = (expression.value or "").lower()
            if wanted.setdefault(expression.attribute, value) != value and not expression.type:
                return f"{expression.attribute} can't be both {wanted[expression.attribute]} and {value}"
    return None
