"""Rules: when each kind of expression holds, and when time alone may change that."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.model.date import Instant, parse
from reconciler.model.resource import Agent
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.scheduler.evaluating.rules import RuleContext, any_passes, expand_submatches, passes
from reconciler.scheduler.working.cluster import Cluster

NOW = parse("2023-11-15 12:00:00Z") or Instant(0)
DUMMY = Agent("ocf", "Dummy", "pacemaker")


def context(cluster: Cluster | None = None, **offered: object) -> RuleContext:
    return RuleContext(Cluster(Cib(), NOW) if cluster is None else cluster, **offered)  # type: ignore[arg-type]


def both(*expressions: Expression) -> Rule:
    return Rule(expressions)


COMPARED = [
    pytest.param("ABC", "eq", "abc", None, True, id="texts are equal whatever their case"),
    pytest.param("10", "gt", "9", None, True, id="an order without type is one of integers"),
    pytest.param("10", "gt", "9", "string", False, id="as texts, 10 comes before 9"),
    pytest.param("10", "eq", "10.0", None, False, id="equality without type is one of texts"),
    pytest.param("10", "eq", "10.0", "number", True, id="as numbers they are equal"),
    pytest.param("1.5", "lt", "1.25", None, False, id="a dot makes an order one of numbers"),
    pytest.param("12abc", "gte", "12", None, True, id="an integer's trailing characters don't count"),
    pytest.param("1.2.10", "gt", "1.2.9", "version", True, id="versions are compared part by part"),
    pytest.param("INFINITY", "gt", "5", "integer", True, id="what is no integer is compared as text"),
    pytest.param("a", "eq", "b", "colour", True, id="a type that there isn't makes all equal"),
    pytest.param("a", "like", "a", None, False, id="an operation that there isn't never holds"),
    pytest.param(None, "ne", "x", None, True, id="a missing attribute differs from any value"),
    pytest.param(None, "eq", None, None, True, id="and equals a missing value"),
    pytest.param("", "eq", "", None, True, id="an empty value is the empty text in blocks"),
    pytest.param(None, "lt", "5", None, False, id="nothing is in no order"),
    pytest.param("5", "defined", None, None, True, id="a set attribute is defined"),
    pytest.param(None, "not_defined", None, None, True, id="a missing one is not"),
]


@pytest.mark.parametrize(("left", "operation", "right", "type", "expected"), COMPARED)
def test_node_attributes(left: str | None, operation: str, right: str | None, type: str | None, expected: bool) -> None:
    expression = AttributeExpression("a", operation, right, type)
    attributes = {} if left is None else {"a": left}
    assert passes(both(expression), context(attributes=attributes)) is expected


def test_without_a_node_every_test_of_its_attributes_fails() -> None:
    assert not passes(both(AttributeExpression("a", "not_defined")), context())


def test_the_role_is_never_known() -> None:
    assert not passes(both(AttributeExpression("#role", "ne", "Promoted")), context(attributes={}))


def test_a_value_may_come_from_parameters_or_meta_attributes() -> None:
    offered = context(attributes={"rack": "7"}, parameters={"wanted": "7"}, meta={"wanted": "8"})
    assert passes(both(AttributeExpression("rack", "eq", "wanted", value_source="param")), offered)
    assert not passes(both(AttributeExpression("rack", "eq", "wanted", value_source="meta")), offered)


def test_in_a_location_an_empty_value_counts_as_missing_and_an_empty_attribute_does_not() -> None:
    there = context(attributes={"a": ""}, parameters={}, meta={})
    assert not passes(both(AttributeExpression("a", "eq", "")), there)
    assert passes(both(AttributeExpression("a", "ne", "")), there)


def test_submatches_of_a_resource_pattern_make_attribute_names() -> None:
    expression = AttributeExpression("db-%1-on", "eq", "yes")
    assert passes(both(expression), context(attributes={"db-7-on": "yes"}, submatches=("db7", "7")))


def test_a_submatch_that_is_missing_vanishes() -> None:
    assert expand_submatches("%0-%4-%x", ("whole",)) == "whole--%x"


DATES = [
    pytest.param(DateExpression("gt", start="2023-11-15 11:59:59Z"), True, id="gt: after the start"),
    pytest.param(DateExpression("gt", start="2023-11-15 12:00:00Z"), False, id="gt: not at the start"),
    pytest.param(DateExpression("lt", end="2023-11-15 12:00:01Z"), True, id="lt: before the end"),
    pytest.param(DateExpression("lt", end="2023-11-15 12:00:00Z"), False, id="lt: not at the end"),
    pytest.param(
        DateExpression(start="2023-11-15 12:00:00Z"), True, id="a range is meant when nothing is said; its start is in"
    ),
    pytest.param(DateExpression("in_range", end="2023-11-15 12:00:00Z"), True, id="and its end too"),
    pytest.param(DateExpression("in_range", start="2023-11-16", end="2023-11-17"), False, id="before a range"),
    pytest.param(DateExpression("in_range"), False, id="a range needs a bound"),
    pytest.param(
        DateExpression("in_range", start="2023-11-15", duration={"hours": "12"}),
        True,
        id="a duration says where it ends",
    ),
    pytest.param(
        DateExpression("in_range", start="2023-11-15", duration={"hours": "11"}), False, id="a duration that is over"
    ),
    pytest.param(DateExpression("date_spec", date_spec={"hours": "9-16"}), True, id="a specification that holds"),
    pytest.param(DateExpression("date_spec", date_spec={"hours": "17-"}), False, id="a specification that doesn't"),
    pytest.param(DateExpression("date_spec"), True, id="a specification without fields always holds"),
    pytest.param(DateExpression("never", start="2000-01-01"), False, id="an operation that there isn't never holds"),
]


@pytest.mark.parametrize(("expression", "expected"), DATES)
def test_dates(expression: DateExpression, expected: bool) -> None:
    assert passes(both(expression), context()) is expected


RECHECKS = [
    pytest.param(DateExpression("gt", start="2023-11-15 13:00:00Z"), "2023-11-15 13:00:01Z", id="after a start"),
    pytest.param(DateExpression(start="2023-11-15 13:00:00Z"), "2023-11-15 13:00:00Z", id="a range that begins"),
    pytest.param(DateExpression(end="2023-11-15 13:00:00Z"), "2023-11-15 13:00:01Z", id="after a range's end"),
    pytest.param(DateExpression("lt", end="2023-11-15 13:00:00Z"), "2023-11-15 13:00:00Z", id="an end ahead"),
    pytest.param(DateExpression("date_spec", date_spec={"hours": "9-16"}), "2023-11-15 13:00:00Z", id="the next hour"),
    pytest.param(DateExpression("date_spec", date_spec={"weekdays": "1"}), "2023-11-16", id="the next day"),
]


@pytest.mark.parametrize(("expression", "when"), RECHECKS)
def test_the_cluster_is_told_when_time_may_change_the_answer(expression: DateExpression, when: str) -> None:
    cluster = Cluster(Cib(), NOW)
    passes(both(expression), context(cluster))
    due = parse(when)
    assert due is not None
    assert cluster.recheck_by_s == due.epoch_s


def test_what_is_past_needs_no_recheck() -> None:
    cluster = Cluster(Cib(), NOW)
    assert passes(both(DateExpression("gt", start="2023-01-01")), context(cluster))
    assert cluster.recheck_by_s is None


AGENTS = [
    pytest.param(AgentExpression("ocf", "pacemaker", "Dummy"), True, id="all parts equal"),
    pytest.param(AgentExpression("ocf", "pacemaker"), True, id="parts that aren't given match any"),
    pytest.param(AgentExpression("ocf"), False, id="but a provider that isn't given means that there is none"),
    pytest.param(AgentExpression("ocf", "pacemaker", "dummy"), False, id="the case counts"),
]


@pytest.mark.parametrize(("expression", "expected"), AGENTS)
def test_agents(expression: AgentExpression, expected: bool) -> None:
    assert passes(both(expression), context(agent=DUMMY)) is expected
    assert not passes(both(expression), context())


OPERATIONS = [
    pytest.param(OperationExpression("monitor"), True, id="the name, at any interval"),
    pytest.param(OperationExpression("monitor", "10"), True, id="intervals are compared as durations"),
    pytest.param(OperationExpression("monitor", "20s"), False, id="another interval"),
    pytest.param(OperationExpression("start"), False, id="another name"),
    pytest.param(OperationExpression(None), False, id="a name is needed"),
    pytest.param(OperationExpression("monitor", "often"), False, id="an interval that can't be read matches none"),
]


@pytest.mark.parametrize(("expression", "expected"), OPERATIONS)
def test_operations(expression: OperationExpression, expected: bool) -> None:
    assert passes(both(expression), context(operation="monitor", interval_ms=10_000)) is expected


def test_an_unreadable_interval_does_not_match_what_does_not_recur() -> None:
    assert not passes(both(OperationExpression("start", "often")), context(operation="start"))
    assert passes(both(OperationExpression("start", "0")), context(operation="start"))


HOLDS, FAILS = AttributeExpression("a", "defined"), AttributeExpression("b", "defined")

COMBINED = [
    pytest.param(Rule((HOLDS, FAILS)), False, id="all have to hold when nothing is said"),
    pytest.param(Rule((HOLDS, FAILS), "or"), True, id="or: one is enough"),
    pytest.param(Rule((HOLDS, FAILS), "OR"), True, id="the case doesn't count"),
    pytest.param(Rule((HOLDS, FAILS), "xor"), False, id="any other word means and"),
    pytest.param(Rule(()), True, id="an empty rule holds"),
    pytest.param(Rule((), "or"), False, id="but not with or"),
    pytest.param(Rule((HOLDS, Rule((HOLDS, FAILS), "or"))), True, id="rules nest"),
]


@pytest.mark.parametrize(("rule", "expected"), COMBINED)
def test_combinations(rule: Rule, expected: bool) -> None:
    assert passes(rule, context(attributes={"a": "1"})) is expected
    assert any_passes((Rule((FAILS,)), rule), context(attributes={"a": "1"})) is expected
