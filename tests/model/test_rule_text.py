"""Rules in one line: what crm and pcs users write, and where a slip is."""

from __future__ import annotations

import pytest

from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.rule_text import RuleTextError, parse_rule, show_rule


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("#uname eq node1", AttributeExpression("#uname", "eq", "node1")),
        ("cpus number:gt 4", AttributeExpression("cpus", "gt", "4", "number")),
        ("cpus gt number 4", AttributeExpression("cpus", "gt", "4", "number")),
        ("cpus gte integer 4", AttributeExpression("cpus", "gte", "4", "integer")),
        ("os eq string", AttributeExpression("os", "eq", "string")),
        ("os eq version 1.2.10", AttributeExpression("os", "eq", "1.2.10", "version")),
        ("rack eq meta:rack", AttributeExpression("rack", "eq", "rack", None, "meta")),
        ("rack ne param:rack", AttributeExpression("rack", "ne", "rack", None, "param")),
        ("rack eq 'param:rack'", AttributeExpression("rack", "eq", "param:rack")),
        ("rack eq 'a b'", AttributeExpression("rack", "eq", "a b")),
        ('rack eq "it\'s"', AttributeExpression("rack", "eq", "it's")),
        ("'and' eq 'or'", AttributeExpression("and", "eq", "or")),
        ("defined pingd", AttributeExpression("pingd", "defined")),
        ("not_defined pingd", AttributeExpression("pingd", "not_defined")),
        ("date gt 2026-01-01", DateExpression("gt", start="2026-01-01")),
        ("date lt 2026-01-01T10:00:00Z", DateExpression("lt", end="2026-01-01T10:00:00Z")),
        ("date lt 2026-01-01T10:00:00+01:00", DateExpression("lt", end="2026-01-01T10:00:00 +01:00")),
        ("date in start=2026-01-01 end=2026-02-01", DateExpression("in_range", "2026-01-01", "2026-02-01")),
        ("date in start=2026-01-01 hours=4", DateExpression("in_range", "2026-01-01", duration={"hours": "4"})),
        ("date in_range 2026-01-01 to 2026-02-01", DateExpression("in_range", "2026-01-01", "2026-02-01")),
        ("date in_range to 2026-02-01", DateExpression("in_range", end="2026-02-01")),
        (
            "date in_range 2026-01-01 to duration days=3",
            DateExpression("in_range", "2026-01-01", duration={"days": "3"}),
        ),
        (
            "date-spec hours=9-16 weekdays=1-5",
            DateExpression("date_spec", date_spec={"hours": "9-16", "weekdays": "1-5"}),
        ),
        ("date hours=9-16", DateExpression("date_spec", date_spec={"hours": "9-16"})),
        ("resource ocf:heartbeat:IPaddr2", AgentExpression("ocf", "heartbeat", "IPaddr2")),
        ("resource ocf::", AgentExpression("ocf")),
        ("resource systemd:nginx", AgentExpression("systemd", None, "nginx")),
        ("op monitor", OperationExpression("monitor")),
        ("op monitor interval=10s", OperationExpression("monitor", "10s")),
    ],
)
def test_an_expression_is_read_and_written_back(text: str, expression: Expression) -> None:
    rule = parse_rule(text)
    assert rule == Rule((expression,))
    shown = show_rule(rule)
    assert shown is not None
    assert parse_rule(shown) == rule


def test_brackets_nest() -> None:
    a, b, c = (AttributeExpression(name, "defined") for name in "abc")
    assert parse_rule("defined a and defined b") == Rule((a, b))
    assert parse_rule("defined a or (defined b and defined c)") == Rule((a, Rule((b, c))), "or")
    assert parse_rule("((defined a))") == Rule((a,))


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "expected an expression, found the end"),
        ("a", 1, "expected a comparison, found the end"),
        ("a eq", 4, "expected a value, found the end"),
        ("a is b", 2, "'is' is no comparison"),
        ("a nmber:eq b", 2, "'nmber' is no type"),
        ("a eq b or c eq d and e eq f", 17, "`or` and `and` are mixed without brackets"),
        ("(a eq b", 7, "expected `and`, `or` or `)`"),
        ("a eq b)", 6, "expected `and`, `or` or the end"),
        ("a eq b and", 10, "expected an expression"),
        ("and a eq b", 0, "expected an expression, found `and`"),
        ("date before 2026-01-01", 5, "expected gt, lt, in or in_range"),
        ("date in start=", 8, "'start' has no value"),
        ("date-spec hors=5", 10, "'hors' is not known here"),
        ("date-spec hours=5 hours=6", 18, "'hours' is given twice"),
        ("a eq 'b", 5, "the quote is not closed"),
        ("resource x", 9, "'x' names no agent"),
        ("op", 2, "expected the name of an operation"),
        ("(" * 100 + "a eq b", 32, "brackets nested deeper"),
    ],
)
def test_a_slip_is_found_inside_the_text(text: str, offset: int, message: str) -> None:
    with pytest.raises(RuleTextError) as caught:
        parse_rule(text)
    assert caught.value.offset == offset
    assert message in caught.value.text


@pytest.mark.parametrize(
    "rule",
    [
        Rule(()),
        Rule((AttributeExpression("a", "defined"),), "or"),
        Rule((Rule((AttributeExpression("a", "defined"),)),)),
        Rule((AttributeExpression("a", "eq", "b", id="x"),)),
        Rule((AttributeExpression("a", "eq", None),)),
        Rule((AttributeExpression("a", "eq", "'\""),)),
        Rule((DateExpression(None, "2026-01-01"),)),
        Rule((OperationExpression(None),)),
        Rule((AttributeExpression("a", "defined"), AttributeExpression("b", "defined")), "xor"),
    ],
)
def test_what_text_can_not_say_is_not_said(rule: Rule) -> None:
    assert show_rule(rule) is None
