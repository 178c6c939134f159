"""Rules: whether a condition on date, node, agent or operation holds.

What a rule can see depends on where it stands; what its context doesn't offer fails.
Source: the scheduler's specification, part 1, section 5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reconciler.model import date
from reconciler.model.duration import interval_ms
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.text import compare_versions

if TYPE_CHECKING:
    from reconciler.model.resource import Agent
    from reconciler.scheduler.working.cluster import Cluster


class RuleContext:
    """What rules are evaluated with. A part that is None is not offered where the rule stands, and tests of it fail.

    `parameters` and `meta` are the resource's, for `value-source`, which without them is ignored; `submatches` replace `%0` to `%9`
    in attribute names.
    """

    __slots__ = ("agent", "attributes", "cluster", "interval_ms", "meta", "operation", "parameters", "submatches")

    def __init__(
        self,
        cluster: Cluster,
        *,
        attributes: Mapping[str, str] | None = None,
        agent: Agent | None = None,
        operation: str | None = None,
        interval_ms: int = 0,
        parameters: Mapping[str, str] | None = None,
        meta: Mapping[str, str] | None = None,
        submatches: tuple[str, ...] = (),
    ) -> None:
        self.cluster = cluster
        self.attributes = attributes
        self.agent = agent
        self.operation = operation
        self.interval_ms = interval_ms
        self.parameters = parameters
        self.meta = meta
        self.submatches = submatches


def any_passes(rules: Iterable[Rule], context: RuleContext) -> bool:
    """Whether at least one of the rules passes."""
    return any(passes(rule, context) for rule in rules)


def passes(rule: Rule, context: RuleContext) -> bool:
    """Whether the rule's expressions hold: all of them, or any with the boolean operation `or`.

    Where time alone could change the answer, the cluster is told when.
    """
    if rule.boolean_op.lower() == "or":
        return any(_holds(expression, context) for expression in rule.expressions)
    return all(_holds(expression, context) for expression in rule.expressions)


def expand_submatches(text: str, submatches: tuple[str, ...]) -> str:
    """The text with `%0` to `%9` replaced by the submatches of a resource pattern; unmatched ones vanish."""
    if not submatches or "%" not in text:
        return text
    return _SUBMATCH.sub(lambda found: submatches[int(found[1])] if int(found[1]) < len(submatches) else "", text)


_SUBMATCH = re.compile(r"%([0-9])")


def _holds(expression: Expression, context: RuleContext) -> bool:
    match expression:
        case Rule():
            return passes(expression, context)
        case AttributeExpression():
            return _attribute_holds(expression, context)
        case DateExpression():
            return _date_holds(expression, context)
        case AgentExpression():
            return _agent_holds(expression, context.agent)
        case OperationExpression():
            return _operation_holds(expression, context)


def _agent_holds(expression: AgentExpression, agent: Agent | None) -> bool:
    if agent is None:
        return False
    return (
        expression.standard in (None, agent.standard)
        and expression.type in (None, agent.type)
        and expression.provider == agent.provider
    )


def _operation_holds(expression: OperationExpression, context: RuleContext) -> bool:
    if context.operation is None or expression.name != context.operation:
        return False
    if expression.interval is None:
        return True
    wanted_ms = interval_ms(expression.interval)
    if wanted_ms == 0 and not expression.interval.strip().startswith("0"):
        return False  # An interval that can't be read matches nothing.
    return wanted_ms == context.interval_ms


def _date_holds(expression: DateExpression, context: RuleContext) -> bool:
    now = context.cluster.now
    start, end = date.parse(expression.start, now), date.parse(expression.end, now)
    if start is not None and end is None and expression.duration is not None:
        end = date.shift(start, expression.duration)
    match (expression.operation or "in_range").lower():
        case "in_range":
            return _in_range(start, end, context)
        case "gt":
            return start is not None and _is_past(start.epoch_s + 1, context)
        case "lt":
            return end is not None and not _is_past(end.epoch_s, context)
        case "date_spec":
            specification = expression.date_spec or {}
            if specification:
                context.cluster.recheck_at(date.next_change_s(now, specification))
            return date.matches(now, specification)
    return False


def _in_range(start: date.Instant | None, end: date.Instant | None, context: RuleContext) -> bool:
    """Whether it is now within the range, both ends included; a range without ends is none."""
    if start is None and end is None:
        return False
    if start is not None and not _is_past(start.epoch_s, context):
        return False
    return end is None or not _is_past(end.epoch_s + 1, context)


def _is_past(boundary_s: int, context: RuleContext) -> bool:
    """Whether the second has come; when it is still ahead, the cluster is told of it."""
    if boundary_s <= context.cluster.now.epoch_s:
        return True
    context.cluster.recheck_at(boundary_s)
    return False


def _attribute_holds(expression: AttributeExpression, context: RuleContext) -> bool:
    if context.attributes is None or not expression.attribute or expression.attribute == "#role":
        return False
    left = context.attributes.get(expand_submatches(expression.attribute, context.submatches))
    operation = expression.operation
    if operation == "defined":
        return left is not None
    if operation == "not_defined":
        return left is None
    right = _right_side(expression, context)
    if operation in ("lt", "lte", "gt", "gte") and (left is None or right is None):
        return False
    order = _compare(left, right, expression.type, equality=operation in ("eq", "ne"))
    match operation:
        case "eq":
            return order == 0
        case "ne":
            return order != 0
        case "lt":
            return order < 0
        case "lte":
            return order <= 0
        case "gt":
            return order > 0
        case "gte":
            return order >= 0
    return False


def _right_side(expression: AttributeExpression, context: RuleContext) -> str | None:
    """What the attribute is compared with: the literal, or what it names.

    In a location an empty value is none; in blocks of pairs it is the empty text.
    """
    in_location = context.parameters is not None
    if not expression.value:
        return None if in_location else expression.value
    if expression.value_source == "param" and context.parameters is not None:
        return context.parameters.get(expression.value)
    if expression.value_source == "meta" and context.meta is not None:
        return context.meta.get(expression.value)
    return expression.value


_HEXADECIMAL = r"0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?"
_DECIMAL = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_NUMBER = re.compile(
    rf"[ \t\n\v\f\r]*([+-]?)(?:({_HEXADECIMAL})|({_DECIMAL})|(inf(?:inity)?|nan))", re.ASCII | re.IGNORECASE
)
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")


def _compare(left: str | None, right: str | None, type: str | None, *, equality: bool) -> int:
    """Negative, zero or positive by the expression's type; none equals none and is less than something."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    kind = (type or _default_type(left, right, equality=equality)).lower()
    if kind == "string":
        return _order(left.lower(), right.lower())
    if kind == "version":
        return compare_versions(left, right)
    if kind == "integer":
        ours, theirs = _INTEGER.match(left), _INTEGER.match(right)
        return _order(int(ours[1]), int(theirs[1])) if ours and theirs else _order(left.lower(), right.lower())
    if kind == "number":
        first, second = _number(left), _number(right)
        if first is None or second is None:
            return _order(left.lower(), right.lower())
        return _order(first, second)  # What is not a number ("nan") is neither more nor less than anything: equal.
    return 0


def _number(text: str) -> float | None:
    """The number that a text begins with, as C reads one (decimal, hexadecimal, infinite, "nan"); None without or beyond a double."""
    if (found := _NUMBER.match(text)) is None:
        return None
    sign, hexadecimal, decimal, word = found.groups()
    try:
        value = float.fromhex(hexadecimal) if hexadecimal else float(decimal or word)
    except OverflowError:
        return None
    if value in (0.0, math.inf) and not word and _is_out_of_range(hexadecimal or decimal, value):
        return None
    return -value if sign == "-" else value


def _is_out_of_range(digits: str, value: float) -> bool:
    """Whether a value is infinite, or zero although its digits are not."""
    mantissa = re.split("p" if digits[:2].lower() == "0x" else "e", digits, flags=re.IGNORECASE)[0]
    return (
        value != 0 or re.search("[1-9a-f]", mantissa.removeprefix("0x").removeprefix("0X"), re.IGNORECASE) is not None
    )


def _default_type(left: str, right: str, *, equality: bool) -> str:
    if equality:
        return "string"
    return "number" if "." in left or "." in right else "integer"


def _order(left: str | float, right: str | float) -> int:
    return (left > right) - (left < right)  # type: ignore[operator]  # Both are texts, or both are numbers.
