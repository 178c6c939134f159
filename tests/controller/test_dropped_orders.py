"""What an order that was dropped before it began leaves behind: the resource, and what watches it, as they were."""

from __future__ import annotations

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.controller.events import Broadcast, ClearTimer, RunAgent, SetTimer, ViewChanged
from reconciler.controller.executor import Executor
from reconciler.controller.membership.events import View
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.moment import Moment
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent

from .written import configuration, primitive

NOW = Moment(1_800_000_000_000, 1_000)
DUMMY = Agent("ocf", "Dummy", "reconciler")


def order(executor: Executor, action: int, task: str, interval_ms: int = 0):
    launched = Launched("a", task, "n1", "n1", DUMMY, f"{action}:1:0:run", interval_ms=interval_ms)
    return executor.order(one := AgentOrder(action, 20_000, launched), Run(1, 1, (one,), NOW.wall_ms), {}, NOW)


def cancel(executor: Executor, action: int, interval_ms: int):
    told = {"CRM_meta_operation": "monitor", "CRM_meta_interval": str(interval_ms)}
    launched = Launched("a", "cancel", "n1", "n1", DUMMY, f"{action}:1:0:run", attributes=told)
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


def test_a_cancelled_monitor_does_not_come_back_by_its_timer() -> None:
    executor = Executor("n1", 1)
    order(executor, 1, "monitor", 10_000)
    _, wishes = executor.finished(1, AgentResult(0), AgentTraits(), NOW)
    (timer,) = [wish.name for wish in wishes if isinstance(wish, SetTimer)]
    wishes = cancel(executor, 2, 10_000)
    assert ClearTimer(timer) in wishes
    assert not executor.monitors("a")


def test_a_cancel_that_waits_for_a_monitor_and_is_dropped_leaves_the_monitor_in_force() -> None:
    """Else nobody would watch the resource any more: to the others its monitor is there."""
    executor = Executor("n1", 1)
    monitor = run_of(order(executor, 1, "monitor", 10_000))
    assert cancel(executor, 2, 10_000) == [], "it waits for the monitor that runs"
    executor.drop_unstarted()
    assert executor.monitors("a")
    told, wishes = executor.finished(monitor, AgentResult(7), AgentTraits(), NOW)
    assert told is not None
    assert [wish for wish in wishes if isinstance(wish, SetTimer)], "and it recurs"


def test_a_cancel_ends_what_recurred_when_it_was_ordered_and_not_what_was_ordered_since() -> None:
    executor = Executor("n1", 1)
    monitor = run_of(order(executor, 1, "monitor", 10_000))
    cancel(executor, 2, 10_000)
    order(executor, 3, "monitor", 10_000)
    _, wishes = executor.finished(monitor, AgentResult(0), AgentTraits(), NOW)
    assert executor.monitors("a")
    assert run_of(wishes), "the new one runs"
    cancel(executor, 4, 10_000)
    executor.finished(run_of(wishes), AgentResult(0), AgentTraits(), NOW)
    assert not executor.monitors("a")


def test_to_cancel_what_is_not_monitored_is_done_at_once() -> None:
    executor = Executor("n1", 1)
    wishes = cancel(executor, 2, 10_000)
    assert [wish for wish in wishes if isinstance(wish, Broadcast)], "its result is told"
    assert not [wish for wish in wishes if isinstance(wish, RunAgent)]


def test_another_view_drops_what_has_not_begun(single, world):
    """What another DC ordered, or one of another term, is the next DC's to decide again."""
    single.apply(configuration(primitive("a")))
    single.converge()
    single.apply(configuration(primitive("a", x="1")))
    while not any(call.operation == "stop" for _, _, call in single.agents):
        assert single.tick()
    waiting = Launched("a", "notify", "n1", "n1", DUMMY, "9:1:0:run")
    single.carry_out(
        single.node.executor.order(one := AgentOrder(9, 20_000, waiting), Run(1, 1, (one,), 0), {}, single.now)
    )
    single.feed(ViewChanged(single.now, View("next", ("n1",), RingVerdict(True, 1), ("n1",))))
    single.run(200_000)
    assert world.running == {"a": {"x": "1"}}
    assert "a notify" not in world.calls


def test_a_monitor_that_got_no_answer_over_a_gap_runs_again_and_is_no_news() -> None:
    executor = Executor("n1", 1)
    monitor = run_of(order(executor, 1, "monitor", 10_000))
    executor.stood_still()
    told, wishes = executor.finished(monitor, AgentResult(1, OperationStatus.TIMED_OUT), AgentTraits(), NOW)
    assert told is None
    again = run_of(wishes)
    told, _ = executor.finished(again, AgentResult(1, OperationStatus.TIMED_OUT), AgentTraits(), NOW)
    assert told is not None, "this time nobody stood still"
