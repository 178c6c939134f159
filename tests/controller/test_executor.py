"""What a node does about its own resources, rule by rule: what runs when, what is told of it, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.controller.events import Broadcast, ClearTimer, RunAgent, SetTimer, Unwatch, Watch, Wish
from reconciler.controller.executor import Executor
from reconciler.controller.job import Gate
from reconciler.controller.messages import AgentOrder, Reported, Run
from reconciler.controller.moment import Moment
from reconciler.frozen import replace
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent

WALL_MS = 1_800_000_000_000
NOW = Moment(WALL_MS, 1_000)
DUMMY = Agent("ocf", "Dummy", "reconciler")
GATE: Gate = (3, 7, 1)
DONE, TIMED_OUT = OperationStatus.DONE, OperationStatus.TIMED_OUT


def at(mono_ms: int) -> Moment:
    return Moment(WALL_MS + mono_ms, mono_ms)


@dataclass
class Hand:
    """Gives orders to an executor, and keeps what it wished; orders are numbered."""

    executor: Executor = field(default_factory=lambda: Executor("n1", 1))
    started: dict[str, Launched] = field(default_factory=dict)
    number: int = 0
    wishes: list[Wish] = field(default_factory=list)

    def took(self, wishes: list[Wish]) -> list[Wish]:
        self.wishes = wishes
        return wishes

    def order(
        self, task: str, resource: str = "a", now: Moment = NOW, gate: Gate | None = None, **more: Any
    ) -> list[Wish]:
        self.number += 1
        launched = Launched(resource, task, "n1", "n1", DUMMY, f"{self.number}:7:0:run", **more)
        one = AgentOrder(self.number, 20_000, launched)
        return self.took(self.executor.order(one, Run(3, 7, (one,), NOW.wall_ms), self.started, now, gate))

    def ended(
        self, token: int, code: int = 0, status: OperationStatus = DONE, now: Moment = NOW, **more: Any
    ) -> Reported | None:
        told, wishes = self.executor.finished(token, AgentResult(code, status, **more), AgentTraits(), now)
        self.took(wishes)
        return told

    @property
    def called(self) -> list[str]:
        """Which agents are called by the last wishes."""
        calls = [wish.call for wish in self.wishes if isinstance(wish, RunAgent)]
        return [f"{call.resource} {call.operation}" for call in calls]

    @property
    def token(self) -> int:
        (token,) = [wish.token for wish in self.wishes if isinstance(wish, RunAgent)]
        return token

    def of(self, *kinds: type) -> list[Any]:
        return [wish for wish in self.wishes if isinstance(wish, kinds)]


@pytest.fixture
def hand() -> Hand:
    return Hand()


# One at a time


def test_a_resource_has_one_call_at_a_time_and_others_do_not_wait_for_it(hand: Hand) -> None:
    assert not hand.executor.is_busy("a")
    hand.order("start")
    first = hand.token
    hand.order("notify")
    assert hand.called == []
    hand.order("start", "b")
    assert hand.called == ["b start"]
    assert hand.executor.is_busy("a")
    assert not hand.executor.is_busy("c")
    hand.ended(first)
    assert hand.called == ["a notify"]
    assert hand.executor.is_busy("a")
    hand.ended(hand.token)
    assert not hand.executor.is_busy("a")
    assert not hand.executor.idle, "b is still started"


def test_what_waits_for_a_call_counts_as_busy_until_the_last_of_it_has_ended(hand: Hand) -> None:
    hand.order("start", gate=GATE)
    assert hand.called == []
    assert hand.executor.is_busy("a")
    hand.executor.drop_unstarted()
    assert not hand.executor.is_busy("a")


def test_what_is_dropped_are_orders_that_did_not_begin_and_nothing_else(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    recurring = hand.token
    hand.order("notify")
    launched = Launched("b", "start", "n1", "n1", DUMMY, "1:7:0:run")
    hand.order("notify", "b")
    running = hand.token
    hand.executor.adopt(launched, 20_000, NOW)
    hand.executor.drop_unstarted()
    hand.ended(recurring)
    assert hand.called == [], "the notification is forgotten"
    hand.ended(running)
    assert hand.called == ["b monitor"], "what was started here is still looked for"


def test_under_way_is_what_was_ordered_and_is_being_called(hand: Hand) -> None:
    hand.order("monitor", "m", interval_ms=10_000)
    hand.executor.adopt(Launched("k", "start", "n1", "n1", DUMMY, "1:7:0:run"), 20_000, NOW)
    hand.order("start", "b")
    hand.order("start", "a")
    hand.order("notify", "a")
    told = [(one.term, one.transition, one.action, one.resource, one.task) for one in hand.executor.underway()]
    assert told == [(3, 7, 2, "b", "start"), (3, 7, 3, "a", "start")]


# Gates


@pytest.mark.parametrize(
    ("task", "waits"),
    [
        ("start", True),
        ("promote", True),
        ("migrate_from", True),
        ("reload-agent", True),
        ("stop", False),
        ("demote", False),
        ("migrate_to", False),
        ("notify", False),
        ("monitor", False),
    ],
)
def test_only_what_has_to_be_remembered_waits_for_a_gate(hand: Hand, task: str, waits: bool) -> None:
    hand.order(task, gate=GATE)
    assert hand.called == ([] if waits else [f"a {task}"])


def test_a_gate_opens_for_its_own_orders(hand: Hand) -> None:
    hand.order("start", gate=GATE)
    hand.order("start", "b", gate=(3, 7, 2))
    hand.order("start", "c", gate=(3, 8, 1))
    hand.took(hand.executor.open(GATE, NOW))
    assert hand.called == ["a start"]
    hand.took(hand.executor.resume(NOW))
    assert hand.called == []


def test_what_follows_for_a_resource_waits_with_it_at_the_gate(hand: Hand) -> None:
    hand.order("start", gate=GATE)
    hand.order("notify")
    assert hand.called == []
    hand.took(hand.executor.open(GATE, NOW))
    assert hand.called == ["a start"]
    hand.ended(hand.token)
    assert hand.called == ["a notify"]


def test_who_stood_still_begins_nothing_but_looks_and_stops(hand: Hand) -> None:
    hand.executor.halted = True
    hand.order("start")
    assert hand.called == []
    hand.order("stop", "b")
    assert hand.called == ["b stop"]
    hand.took(hand.executor.adopt(Launched("c", "start", "n1", "n1", DUMMY, "1:7:0:run"), 20_000, NOW))
    assert hand.called == ["c monitor"]
    hand.executor.halted = False
    hand.took(hand.executor.resume(NOW))
    assert hand.called == ["a start"]


# What recurs


def test_a_monitor_runs_at_once_and_then_an_interval_after_each_end(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    told = hand.ended(hand.token, now=at(4_000))
    assert told is not None, "the first result is news"
    assert [timer.at_ms for timer in hand.of(SetTimer)] == [14_000]
    hand.took(hand.executor.fire(hand.of(SetTimer)[0].name, at(14_000)))
    assert hand.called == ["a monitor"]
    assert hand.ended(hand.token, now=at(15_000)) is None, "it is as it was"
    hand.took(hand.executor.fire(hand.of(SetTimer)[0].name, at(25_000)))
    assert hand.ended(hand.token, 7, now=at(25_100)) is not None, "that is news"


def test_a_start_delay_is_waited_for_once(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000, attributes={"CRM_meta_start_delay": "30s"})
    assert hand.called == []
    (timer,) = hand.of(SetTimer)
    assert timer.at_ms == NOW.mono_ms + 30_000
    hand.took(hand.executor.fire(timer.name, at(31_000)))
    assert hand.called == ["a monitor"]


def test_a_timer_counts_once(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token)
    (timer,) = hand.of(SetTimer)
    assert hand.executor.fire(timer.name, NOW)
    assert hand.executor.fire(timer.name, NOW) == []
    assert hand.executor.fire("of somebody else", NOW) == []


def test_ordered_anew_it_takes_the_place_of_the_one_before_and_its_timer(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token)
    (timer,) = hand.of(SetTimer)
    hand.order("monitor", interval_ms=10_000)
    assert hand.of(ClearTimer) == [ClearTimer(timer.name)]
    assert hand.called == ["a monitor"]
    assert hand.ended(hand.token) is not None, "the first result of the new order is told"


def test_what_a_monitor_saw_is_no_news_once_it_is_no_longer_in_force(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    token = hand.token
    hand.executor.forget("a")
    assert hand.ended(token, 7) is None
    assert hand.wishes == [], "and it does not run again"


@pytest.mark.parametrize("task", ["start", "stop", "promote", "demote", "migrate_to", "migrate_from", "reload-agent"])
def test_what_a_monitor_saw_of_what_is_about_to_change_is_no_news(hand: Hand, task: str) -> None:
    hand.order("monitor", interval_ms=10_000)
    token = hand.token
    hand.order(task)
    assert hand.ended(token, 7) is None
    assert hand.called == [f"a {task}"]
    assert hand.of(Unwatch) == [Unwatch("a")]
    assert not hand.executor.monitors("a")


def test_a_notification_that_waits_changes_nothing_of_what_a_monitor_saw(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    token = hand.token
    hand.order("notify")
    assert hand.ended(token, 7) is not None
    assert hand.executor.monitors("a")


def test_another_resource_or_operation_is_no_monitor_of_this_one(hand: Hand) -> None:
    hand.order("monitor", "b", interval_ms=10_000)
    hand.order("check", "a", interval_ms=10_000)
    assert not hand.executor.monitors("a")
    assert hand.executor.monitors("b")


# Hints


def test_a_hint_runs_the_most_frequent_monitor_at_once_instead_of_later(hand: Hand) -> None:
    for interval_ms in (10_000, 5_000, 20_000):
        hand.order("monitor", interval_ms=interval_ms)
        if hand.called:
            first = hand.token
    timers = {}
    hand.wishes = []
    for token in range(first, first + 3):
        hand.ended(token)
        timers |= {timer.at_ms - NOW.mono_ms: timer.name for timer in hand.of(SetTimer)}
    hand.took(hand.executor.check("a", NOW))
    assert hand.of(ClearTimer) == [ClearTimer(timers[5_000])]
    assert [wish.call.interval_ms for wish in hand.of(RunAgent)] == [5_000]


def test_a_hint_that_comes_while_the_monitor_runs_has_it_run_once_more(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    first = hand.token
    assert hand.executor.check("a", NOW) == []
    hand.ended(first)
    assert hand.called == ["a monitor"]
    hand.ended(hand.token)
    assert hand.called == [], "once"
    assert hand.of(SetTimer)


def test_a_hint_about_what_is_not_monitored_is_of_no_account(hand: Hand) -> None:
    hand.order("monitor", "b", interval_ms=10_000)
    hand.order("check", "a", interval_ms=10_000)
    assert hand.executor.check("a", NOW) == []


def test_a_hint_may_name_the_resource_as_its_agent_knows_it(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000, instance="former")
    hand.ended(hand.token)
    assert hand.executor.check("former", NOW)


def test_after_a_hint_that_was_none_the_resource_is_watched_again_once_in_an_interval(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token, now=at(1_000))
    assert hand.of(Watch) == [], "it was watched all the time"
    watched = []
    for mono_ms in (2_000, 3_000, 11_999, 12_000):
        hand.took(hand.executor.check("a", at(mono_ms)))
        hand.ended(hand.token, now=at(mono_ms))
        watched.append(len(hand.of(Watch)))
    assert watched == [1, 0, 0, 1]


@pytest.mark.parametrize(("code", "status"), [(7, DONE), (1, DONE), (0, TIMED_OUT)])
def test_what_does_not_run_is_not_watched_again(hand: Hand, code: int, status: OperationStatus) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token)
    hand.took(hand.executor.check("a", NOW))
    hand.ended(hand.token, code, status)
    assert hand.of(Watch) == []


# What is told


@pytest.mark.parametrize(
    ("task", "code", "watched"),
    [
        ("start", 0, True),
        ("migrate_from", 0, True),
        ("start", 1, False),
        ("stop", 0, False),
        ("promote", 0, False),
        ("monitor", 0, True),
        ("monitor", 8, True),
        ("monitor", 7, False),
    ],
)
def test_what_runs_from_now_on_is_watched(hand: Hand, task: str, code: int, watched: bool) -> None:
    hand.order(task, target_rc=code if task == "monitor" else 0)
    hand.ended(hand.token, code)
    assert [watch.resource for watch in hand.of(Watch)] == (["a"] if watched else [])


def test_a_start_that_was_not_done_is_not_watched_whatever_its_code(hand: Hand) -> None:
    hand.order("start")
    hand.ended(hand.token, 0, TIMED_OUT)
    assert hand.of(Watch) == []


@pytest.mark.parametrize(("task", "failed"), [("start", True), ("stop", True), ("notify", False)])
def test_what_an_agent_says_to_a_notification_never_counts(hand: Hand, task: str, failed: bool) -> None:
    hand.order(task)
    told = hand.ended(hand.token, 1)
    assert told is not None
    assert told.failed is failed


def test_what_ends_is_told_as_an_answer_to_its_order(hand: Hand) -> None:
    hand.order("start")
    told = hand.ended(hand.token, 5, exit_reason="no binary", execution_ms=12)
    assert told is not None
    assert (told.term, told.transition, told.action, told.node) == (3, 7, 1, "n1")
    assert (told.resource, told.task, told.interval_ms, told.rc, told.status) == ("a", "start", 0, 5, 0)
    assert (told.exit_reason, told.execution_ms, told.at_ms) == ("no binary", 12, NOW.wall_ms)


def test_each_result_has_the_next_number(hand: Hand) -> None:
    for resource in "abc":
        hand.order("start", resource)
        hand.ended(hand.token)
    assert hand.executor.next_call_id == 4


def test_what_needs_no_agent_is_answered_at_once_and_in_its_turn(hand: Hand) -> None:
    hand.order("start")
    token = hand.token
    hand.order("delete")
    assert hand.wishes == []
    hand.ended(token)
    (answer,) = hand.of(Broadcast)
    assert (answer.message.task, answer.message.rc, answer.message.failed) == ("delete", 0, False)
    assert hand.called == []


# What is kept


def failures(hand: Hand) -> list[str]:
    return [key for _, key in sorted(hand.executor.failures)]


def fail(hand: Hand, task: str, resource: str = "a") -> None:
    hand.order(task, resource)
    hand.ended(hand.token, 1)


@pytest.mark.parametrize("task", ["forget", "delete"])
def test_failures_are_forgotten_with_their_resource_and_no_other(hand: Hand, task: str) -> None:
    fail(hand, "start")
    fail(hand, "stop")
    fail(hand, "start", "b")
    if task == "forget":
        hand.executor.forget("a")
    else:
        hand.order("delete")
        assert "a" not in hand.executor.results
    assert failures(hand) == ["b_start_0"]
    assert "b" in hand.executor.results


def test_a_success_ends_the_failure_of_the_same_operation(hand: Hand) -> None:
    fail(hand, "start")
    fail(hand, "stop")
    hand.order("start")
    hand.ended(hand.token)
    assert failures(hand) == ["a_stop_0"]


# Wishes that were lost


def mended(hand: Hand, lost: int | None, code: int = 0, now: Moment = NOW) -> None:
    hand.took(hand.executor.mend(now, None if lost is None else (lost, AgentResult(code))))


def test_a_call_that_nobody_knows_changes_nothing(hand: Hand) -> None:
    mended(hand, 9)
    assert hand.wishes == []
    hand.order("start")
    hand.ended(hand.token)
    mended(hand, 9)
    assert hand.wishes == []


@pytest.mark.parametrize("taken_in", [True, False], ids=["its end was taken in", "its end was not"])
def test_of_a_call_whose_end_was_lost_its_plain_answer_is_told(hand: Hand, taken_in: bool) -> None:
    hand.order("start")
    token = hand.token
    if taken_in:
        hand.ended(token)
    mended(hand, token, 5)
    (told,) = hand.of(Broadcast)
    assert (told.message.action, told.message.task, told.message.rc, told.message.failed) == (1, "start", 5, True)
    assert not hand.executor.is_busy("a")


def test_of_what_was_looked_for_the_plain_answer_is_known_and_nothing_is_told(hand: Hand) -> None:
    launched = Launched("a", "start", "n1", "n1", DUMMY, "1:7:0:run")
    hand.took(hand.executor.adopt(launched, 20_000, NOW))
    mended(hand, hand.token, 7)
    assert hand.of(Broadcast) == []
    assert hand.executor.adopted["a"][1].code == 7


def test_what_recurs_tells_with_its_next_run(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    assert hand.ended(hand.token) is not None
    (timer,) = hand.of(SetTimer)
    hand.took(hand.executor.fire(timer.name, NOW))
    mended(hand, hand.token, now=at(5_000))
    assert [wish.at_ms for wish in hand.of(SetTimer)] == [15_000]
    hand.took(hand.executor.fire(hand.of(SetTimer)[0].name, NOW))
    assert hand.ended(hand.token) is not None


def test_a_call_that_was_wished_for_and_not_made_is_made(hand: Hand) -> None:
    hand.order("start")
    token = hand.token
    mended(hand, None)
    assert (hand.called, hand.token) == (["a start"], token)
    hand.executor.handed()
    mended(hand, None)
    assert hand.called == [], "it is under way"
    hand.ended(token)
    hand.order("stop")
    mended(hand, None)
    assert hand.called == ["a stop"]


def test_what_waits_goes_on_and_what_recurs_is_due_once(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.order("notify", "b")
    hand.executor.handed()
    mended(hand, None)
    assert hand.wishes == [], "its monitor is under way: it is not due besides"
    waiting: Mapping[str, Any] = {"interval_ms": 10_000}
    hand.order("monitor", "b", **waiting)
    mended(hand, None)
    assert hand.wishes == [], "nor what waits for its turn"


# By itself


def test_what_nobody_ordered_ends_the_monitoring_at_once(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token)
    (timer,) = hand.of(SetTimer)
    stop = AgentOrder(0, 20_000, Launched("a", "stop", "n1", "n1", DUMMY, "0:0:0:run"))
    hand.took(hand.executor.by_itself(stop, NOW))
    assert hand.called == ["a stop"]
    assert ClearTimer(timer.name) in hand.wishes
    assert Unwatch("a") in hand.wishes
    assert not hand.executor.monitors("a")


def test_looking_asks_as_a_probe_and_keeps_the_parameters(hand: Hand) -> None:
    attributes = {"x": "1", "CRM_meta_timeout": "5", "CRM_meta_interval": "10", "CRM_meta_name": "start"}
    launched = Launched("a", "start", "n1", "n1", DUMMY, "1:7:0:run", attributes=attributes)
    hand.took(hand.executor.adopt(launched, 4_000, NOW))
    (run,) = hand.of(RunAgent)
    assert (run.call.operation, run.call.interval_ms, run.call.timeout_ms) == ("monitor", 0, 4_000)
    assert (run.call.parameters, run.call.meta) == ({"x": "1"}, {})
    assert hand.ended(run.token, 7) is None
    looked = hand.executor.adopted["a"][0]
    assert (looked.task, looked.attributes, looked.target_rc) == ("monitor", {"x": "1"}, 7)
    assert hand.executor.results["a"].task == "monitor"


# What was started under other parameters


@pytest.mark.parametrize(
    ("task", "interval_ms", "x"),
    [("stop", 0, "then"), ("monitor", 0, "then"), ("start", 0, "now"), ("monitor", 10_000, "now")],
)
def test_a_stop_and_a_probe_ask_with_the_parameters_of_the_start(
    hand: Hand, task: str, interval_ms: int, x: str
) -> None:
    hand.started["a"] = Launched("a", "start", "n1", "n1", DUMMY, "1:7:0:run", attributes={"x": "then"})
    hand.order(task, interval_ms=interval_ms, attributes={"x": "now", "CRM_meta_on_fail": "block"})
    (run,) = hand.of(RunAgent)
    assert run.call.parameters == {"x": x}
    assert run.call.meta == {"CRM_meta_on_fail": "block"}, "what is said of the operation is said now"


@pytest.mark.parametrize(
    ("task", "name"), [("stop", "former"), ("monitor", "former"), ("start", "a"), ("migrate_from", "a")]
)
def test_what_was_moved_goes_by_its_former_name_until_it_is_started_anew(hand: Hand, task: str, name: str) -> None:
    hand.started["a"] = replace(Launched("a", "start", "n1", "n1", DUMMY, "1:7:0:run"), instance="former")
    hand.order(task)
    assert hand.called == [f"{name} {task}"]


@pytest.mark.parametrize(
    ("task", "code", "failed"),
    [("monitor", 7, False), ("stop", 0, False), ("demote", 0, False), ("start", 1, True), ("promote", 1, True)],
)
def test_where_a_name_is_in_use_the_resource_does_not_run_and_can_not_be_started(
    hand: Hand, task: str, code: int, failed: bool
) -> None:
    hand.started["b"] = replace(Launched("b", "start", "n1", "n1", DUMMY, "1:7:0:run"), instance="a")
    hand.order(task, target_rc=7 if task == "monitor" else 0)
    assert hand.called == []
    (told,) = hand.of(Broadcast)
    assert (told.message.rc, told.message.failed) == (code, failed)
    assert "to its agent, b has this name here" in told.message.exit_reason
