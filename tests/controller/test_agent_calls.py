"""What is made of an agent's answer that could not look, and what a node remembers of its running resources."""

from __future__ import annotations

import pytest

from reconciler.analysis.recording import Launched
from reconciler.controller.agent_calls import as_known, as_started, cancelled
from reconciler.controller.job import Job, Recurring, begins, ends, gate_of, is_remembered, last_result
from reconciler.controller.memory import Memory, forgotten, ordered, renamed, reported
from reconciler.controller.messages import AgentOrder, Reported, Run
from reconciler.controller.moment import Moment
from reconciler.frozen import replace
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent

AGENT, OTHER = Agent("ocf", "Dummy", "reconciler"), Agent("ocf", "Other", "reconciler")
NO_SECRETS, DONE = OperationStatus.NO_SECRETS, OperationStatus.DONE


def launched(
    task: str = "start", resource: str = "a", node: str = "n1", interval_ms: int = 0, **attributes: str
) -> Launched:
    return Launched(resource, task, node, node, AGENT, "1:1:0:run", interval_ms=interval_ms, attributes=attributes)


def known(task: str, code: int, *, started: bool = False, before: tuple[int, OperationStatus] | bool | None = False):
    """What counts of an answer; `before` makes it one of a recurring operation that had this result."""
    order = AgentOrder(1, 5, replace(launched(task), target_rc=8))
    recurring = None
    if before is not False:
        recurring = Recurring(order, (1, 1))
        recurring.reported = before or None
    result = as_known(Job(order, (1, 1), recurring, started=started), AgentResult(code, NO_SECRETS, "no secret"))
    return result.code, result.status


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (known("start", 6), (6, NO_SECRETS)),
        (known("stop", 6, started=True), (6, NO_SECRETS)),
        (known("monitor", 6, before=(7, OperationStatus.ERROR)), (7, OperationStatus.ERROR)),
        (known("monitor", 6, before=None), (8, DONE)),
        (known("monitor", 6, started=True), (0, DONE)),
        (known("monitor", 7), (7, DONE)),
        (known("monitor", 6), (5, OperationStatus.NOT_INSTALLED)),
    ],
    ids=["a start", "a stop", "as it was", "as it is wanted", "it runs", "it is not there", "as without the software"],
)
def test_what_could_not_look_for_want_of_a_secret_says_that_things_are_as_they_were_known(told, counts) -> None:
    assert told == counts


def test_any_other_answer_counts_as_it_is() -> None:
    result = AgentResult(6, OperationStatus.TIMED_OUT)
    assert as_known(Job(AgentOrder(1, 5, launched("monitor")), (1, 1), started=True), result) is result


def test_what_runs_is_asked_with_what_it_was_started_with_but_for_what_is_said_of_the_operation() -> None:
    start = replace(launched(x="then", CRM_meta_timeout="1"), agent=OTHER, digested={"x": "digested"})
    now = as_started(replace(launched("stop", x="now", y="now", CRM_meta_timeout="9"), digested={}), start)
    assert (now.task, now.agent, now.digested) == ("stop", OTHER, {"x": "digested"})
    assert now.attributes == {"x": "then", "CRM_meta_timeout": "9"}


def test_a_cancel_is_of_a_monitor_unless_it_says_otherwise() -> None:
    assert cancelled(launched("cancel", CRM_meta_interval="5000")) == ("a", "monitor", 5_000)
    assert cancelled(launched("cancel", CRM_meta_operation="check")) == ("a", "check", 0)


# Memory

START = launched(x="1")


def run(*orders: Launched) -> Run:
    return Run(1, 1, tuple(AgentOrder(1, 5, one) for one in orders), 0)


@pytest.mark.parametrize(
    ("order", "started", "asked"),
    [
        (launched("start"), True, False),
        (launched("migrate_from"), True, False),
        (launched("monitor"), False, True),
        (launched("reload-agent"), False, True),
        (launched("promote"), False, False),
        (launched("stop"), False, False),
        (launched("monitor", interval_ms=10), False, False),
        (launched("start", node="n2"), False, False),
    ],
)
def test_what_is_ordered_here_counts_as_started_before_the_agent_is_called(
    order: Launched, started: bool, asked: bool
) -> None:
    memory = ordered(Memory({"b": START}, {"c": START}), "n1", run(order))
    assert memory.started == {"b": START} | ({"a": order} if started else {})
    assert memory.asked == {"c": START} | ({"a": order} if asked else {})


def result(task: str, rc: int = 0, *, node: str = "n1", interval_ms: int = 0, failed: bool = False) -> Reported:
    return Reported(1, 1, 1, "a", task, interval_ms, node, rc, 0, failed, "", 1, (), 0)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (result("stop"), False),
        (result("delete"), False),
        (result("stop", 1, failed=True), True),
        (result("stop", node="n2"), True),
        (result("start", 1, failed=True), True),
        (result("monitor", 7), True),
        (result("demote"), True),
    ],
)
def test_what_has_stopped_is_forgotten(told: Reported, kept: bool) -> None:
    assert reported(Memory({"a": START, "b": START}), "n1", told).started == {"b": START} | (
        {"a": START} if kept else {}
    )


PROBE, RELOAD = launched("monitor", x="2"), launched("reload-agent", x="2")


@pytest.mark.parametrize(
    ("asked", "told", "before", "after", "still_asked"),
    [
        (PROBE, result("monitor", 0), None, PROBE, False),
        (PROBE, result("monitor", 8), None, PROBE, False),
        (PROBE, result("monitor", 190), None, PROBE, False),
        (PROBE, result("monitor", 191), None, PROBE, False),
        (PROBE, result("monitor", 7), None, None, False),
        (PROBE, result("monitor", 1), None, None, False),
        (PROBE, result("monitor", 0), START, START, False),
        (PROBE, result("monitor", 0, interval_ms=10), None, None, True),
        (PROBE, result("monitor", 0, node="n2"), None, None, True),
        (PROBE, result("reload-agent"), None, None, False),
        (PROBE, result("promote"), None, None, True),
        (RELOAD, result("reload-agent"), START, RELOAD, False),
        (RELOAD, result("reload-agent", 1, failed=True), START, START, False),
        (RELOAD, result("monitor"), START, START, False),
    ],
)
def test_what_is_found_running_or_was_reloaded_runs_with_the_parameters_that_were_asked_with(
    asked: Launched, told: Reported, before: Launched | None, after: Launched | None, still_asked: bool
) -> None:
    memory = reported(Memory({} if before is None else {"a": before}, {"a": asked}), "n1", told)
    assert memory == Memory({} if after is None else {"a": after}, {"a": asked} if still_asked else {})


def test_what_does_not_run_is_forgotten_whatever_was_asked() -> None:
    memory = Memory({"a": START, "b": START}, {"a": PROBE, "c": PROBE})
    assert forgotten(memory, ("a", "z")) == Memory({"b": START}, {"c": PROBE})
    assert forgotten(memory, ()) is memory


def test_what_goes_by_another_name_is_to_its_agent_what_it_was() -> None:
    memory = renamed(Memory({"a": START, "b": launched(resource="b")}, {"a": PROBE}), {"a": "c"})
    assert memory.started == {"c": replace(START, resource="c", instance="a"), "b": launched(resource="b")}
    assert memory.asked == {"c": replace(PROBE, resource="c", instance="a")}
    again = renamed(memory, {"c": "d"})
    assert again.started["d"].instance == "a"
    assert renamed(memory, {}) is memory


# What is kept of a result


@pytest.mark.parametrize(
    ("length", "whole"),
    [(0, True), (4_096, True), (4_097, False), (100_000, False)],
    ids=["none", "just", "more", "much"],
)
def test_of_a_long_output_both_ends_are_kept(length: int, whole: bool) -> None:
    output = "".join(chr(ord("a") + number % 26) for number in range(length))
    order = AgentOrder(1, 5, launched(interval_ms=7))
    result = last_result(Job(order, (1, 1)), AgentResult(3, output=output), Moment(9, 0))
    assert (result.task, result.interval_ms, result.result.code, result.at_ms) == ("start", 7, 3, 9)
    left_out = f"\n[... {length - 4_096} characters left out ...]\n"
    assert result.result.output == (output if whole else output[:1_024] + left_out + output[-3_072:])


@pytest.mark.parametrize(
    ("task", "starts", "stops", "kept"),
    [
        ("start", True, False, True),
        ("promote", True, False, True),
        ("migrate_from", True, False, True),
        ("stop", False, True, False),
        ("demote", False, True, False),
        ("reload-agent", False, False, True),
        ("monitor", False, False, False),
        ("migrate_to", False, False, False),
    ],
)
def test_what_an_order_makes_of_what_runs(task: str, starts: bool, stops: bool, kept: bool) -> None:
    order = AgentOrder(1, 5, launched(task))
    assert (begins(order), ends(order), is_remembered(order)) == (starts, stops, kept)


def test_orders_that_come_together_wait_for_the_same() -> None:
    orders = tuple(AgentOrder(one, 5, launched()) for one in (4, 2))
    assert gate_of(Run(7, 8, orders, 0)) == (7, 8, 4)
