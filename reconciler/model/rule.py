"""Rules: conditions on a node's attributes, the date, a resource's agent or an operation.

Source: Pacemaker Explained, "Rules"; the scheduler's specification, part 1, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.frozen import field, frozen
from reconciler.model.keys import key


@frozen
class AttributeExpression:
    """A test of one node attribute; `type` and `value_source` are None when left to their defaults."""

    attribute: str = field(metadata=key("The node attribute to look at."))
    operation: str = field(metadata=key("How to compare, or `defined` or `not_defined`."))
    value: str | None = field(default=None, metadata=key("What to compare with.", "scalar"))
    type: str | None = field(default=None, metadata=key("How to compare."))
    value_source: str | None = field(default=None, metadata=key("literal, param or meta."))
    id: str | None = field(default=None, metadata=key("The id that the expression has in a CIB."))


@frozen
class DateExpression:
    """A test of the current time.

    `operation` is gt, lt, in_range or date_spec; `duration` and `date_spec` map a field's name to its text
    (hours: "9-16"), and are None when the element is absent.
    """

    operation: str | None = field(default=None, metadata=key("gt, lt, in_range or date_spec."))
    start: str | None = field(default=None, metadata=key("The first moment."))
    end: str | None = field(default=None, metadata=key("The last moment."))
    duration: Mapping[str, str] | None = None
    date_spec: Mapping[str, str] | None = None
    id: str | None = field(default=None, metadata=key("The id that the expression has in a CIB."))


@frozen
class AgentExpression:
    """A test of the resource's agent (`rsc_expression`): a part that is None is not given."""

    standard: str | None = field(default=None, metadata=key("The class.", name="class"))
    provider: str | None = field(default=None, metadata=key("The provider."))
    type: str | None = field(default=None, metadata=key("The type."))
    id: str | None = field(default=None, metadata=key("The id that the expression has in a CIB."))


@frozen
class OperationExpression:
    """A test of the operation's name and, when given, its interval (`op_expression`)."""

    name: str | None = field(default=None, metadata=key("The name."))
    interval: str | None = field(default=None, metadata=key("The interval.", "scalar"))
    id: str | None = field(default=None, metadata=key("The id that the expression has in a CIB."))


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
