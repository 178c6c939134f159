"""Rules: whether a condition on date, node, agent or operation holds.

What a rule can see depends on where it stands; what its context doesn't offer fails.
Source: the scheduler's specification, part 1, section 5.
"""

from __future__ import annotations

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
    _note_recheck(start, end, context)
    match (expression.operation or "in_range").lower():
        case "in_range":
            after = start is None or start.epoch_s <= now.epoch_s
            before = end is None or now.epoch_s <= end.epoch_s
            return after and before and not (start is None and end is None)
        case "gt":
            return start is not None and now.epoch_s > start.epoch_s
        case "lt":
            return end is not None and now.epoch_s < end.epoch_s
        case "date_spec":
            specification = expression.date_spec or {}
            if specification:
                context.cluster.recheck_at(date.next_change_s(now, specification))
            return date.matches(now, specification)
    return False


def _note_recheck(start: date.Instant | None, end: date.Instant | None, context: RuleContext) -> None:
    """Tell the cluster of the second after each boundary that is still ahead (both ends are inclusive)."""
    now_s = context.cluster.now.epoch_s
    if start is not None and start.epoch_s >= now_s:
        context.cluster.recheck_at(start.epoch_s if start.epoch_s > now_s else now_s + 1)
    if end is not None and end.epoch_s >= now_s:
        context.cluster.recheck_at(end.epoch_s if end.epoch_s > now_s else now_s + 1)
        context.cluster.recheck_at(end.epoch_s + 1)


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
    """What the attribute is compared with: the literal, or what it names; an empty or missing value is none."""
    if not expression.value:
        return None
    if expression.value_source == "param" and context.parameters is not None:
        return context.parameters.get(expression.value)
    if expression.value_source == "meta" and context.meta is not None:
        return context.meta.get(expression.value)
    return expression.value


_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
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
        ours, theirs = _NUMBER.match(left), _NUMBER.match(right)
        return _order(float(ours[0]), float(theirs[0])) if ours and theirs else _order(left.lower(), right.lower())
    return 0


def _default_type(left: str, right: str, *, equality: bool) -> str:
    if equality:
        return "string"
    return "number" if "." in left or "." in right else "integer"


def _order(left: str | float, right: str | float) -> int:
    return (left > right) - (left < right)  # type: ignore[operator]  # Both are texts, or both are numbers.
