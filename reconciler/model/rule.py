"""Rules: conditions on a node's attributes, the date, a resource's agent or an operation.

Source: Pacemaker Explained, "Rules"; the scheduler's specification, part 1, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen


@frozen
class AttributeExpression:
    """A test of one node attribute; `type` and `value_source` are None when left to their defaults."""

    attribute: str
    operation: str
    value: str | None = None
    type: str | None = None
    value_source: str | None = None
    id: str | None = None


@frozen
class DateExpression:
    """A test of the current time.

    `operation` is gt, lt, in_range or date_spec; `duration` and `date_spec` map a field's name to its text
    (hours: "9-16"), and are None when the element is absent.
    """

    operation: str | None = None
    start: str | None = None
    end: str | None = None
    duration: Mapping[str, str] | None = None
    date_spec: Mapping[str, str] | None = None
    id: str | None = None


@frozen
class AgentExpression:
    """A test of the resource's agent (`rsc_expression`): a part that is None is not given."""

    standard: str | None = None
    provider: str | None = None
    type: str | None = None
    id: str | None = None


@frozen
class OperationExpression:
    """A test of the operation's name and, when given, its interval (`op_expression`)."""

    name: str | None
    interval: str | None = None
    id: str | None = None


@frozen
class Rule:
    """Expressions that all (`and`, the default) or any (`or`) must pass.

    `score`, `score_attribute` and `role` matter only where a rule makes a location constraint.
    """

    expressions: tuple[Expression, ...]
    boolean_op: str = "and"
    score: str | None = None
    score_attribute: str | None = None
    role: str | None = None
    id: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


Expression = AttributeExpression | DateExpression | AgentExpression | OperationExpression | Rule
