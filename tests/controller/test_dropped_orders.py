"""What an order that was dropped before it began leaves behind: the resource, and what watches it, as they were."""

from __future__ import annotations

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.controller.events import RunAgent
from reconciler.controller.executor import Executor
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.moment import Moment
from reconciler.model.operation import AgentResult
from reconciler.model.resource import Agent

NOW = Moment(1_800_000_000_000, 1_000)
DUMMY = Agent("ocf", "Dummy", "reconciler")


def order(executor: Executor, action: int, task: str, interval_ms: int = 0):
    launched = Launched("a", task, "n1", "n1", DUMMY, f"{action}:1:0:run", interval_ms=interval_ms)
    return executor.order(one := AgentOrder(action, 20_000, launched), Run(1, 1, (one,), NOW.wall_ms), {}, NOW)


def run_of(wishes) -> int:
    (token,) = [wish.token for wish in wishes if isinstance(wish, RunAgent)]
    return token


def test_a_stop_that_waits_for_a_monitor_and_is_dropped_leaves_the_monitor_in_force() -> None:
    executor = Executor("n1", 1)
    monitor = run_of(order(executor, 1, "monitor", 10_000))
    assert order(executor, 2, "stop") == [], "it waits for the monitor that runs"
    executor.drop_unstarted()
    assert executor.monitors("a")
    told, wishes = executor.finished(monitor, AgentResult(7), AgentTraits(), NOW)
    assert told is not None, "what it saw is news: nothing changes the resource any more"
    assert wishes, "and it recurs"


def test_a_stop_that_begins_ends_the_monitoring_and_what_the_monitor_saw_is_no_news() -> None:
    executor = Executor("n1", 1)
    monitor = run_of(order(executor, 1, "monitor", 10_000))
    order(executor, 2, "stop")
    told, wishes = executor.finished(monitor, AgentResult(7), AgentTraits(), NOW)
    assert told is None
    assert run_of(wishes), "the stop begins"
    assert not executor.monitors("a")
