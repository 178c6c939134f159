"""The order in which a plan is carried out: what may run, what is held, and when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.moment import Moment
from reconciler.controller.transition import Transition
from reconciler.frozen import replace
from reconciler.model.score import INFINITY
from reconciler.scheduler.plan import PlannedAction, Terms

from .test_coordinator import act, mark, plan

MINUTE_MS = 60_000
CALLS_BESIDES_MS = 5 * MINUTE_MS


def at(mono_ms: int) -> Moment:
    return Moment(mono_ms, mono_ms)


def begun(*actions: PlannedAction, **terms: Any) -> Transition:
    return Transition(1, 1, plan(*actions, terms=replace(Terms(), **terms)), at(0))


def launched(transition: Transition) -> list[int]:
    return [action.id for action in transition.launch(at(0))]


def test_an_action_runs_once_all_before_it_are_done_and_in_the_order_of_the_plan() -> None:
    transition = begun(act(9, "start"), act(2, "start", after=(9, 4)), act(4, "start"), act(1, "start", after=(9,)))
    assert launched(transition) == [9, 4]
    transition.finish(9, True)
    assert launched(transition) == [1]
    transition.finish(4, True)
    assert launched(transition) == [2]


def test_points_are_passed_at_once_and_what_is_named_twice_waits_once() -> None:
    transition = begun(mark(1), mark(2, 1), act(3, "start", after=(2, 2)))
    assert launched(transition) == [3]
    transition.finish(3, True)
    assert (transition.over, transition.complete, transition.real) == (True, True, 1)


def test_points_alone_change_nothing() -> None:
    transition = begun(mark(1), mark(2, 1))
    assert launched(transition) == []
    assert (transition.over, transition.complete, transition.real) == (True, True, 0)


def test_a_failure_ends_it_and_what_runs_is_awaited() -> None:
    transition = begun(act(1, "start"), act(2, "start"), act(3, "start", after=(2,)))
    launched(transition)
    transition.finish(1, False)
    assert transition.aborted == "a_start_0 failed"
    assert transition.failed == {1}
    assert not transition.over
    transition.finish(2, True)
    assert launched(transition) == []
    assert (transition.over, transition.complete, transition.real) == (True, False, 1)


def test_the_end_of_what_does_not_run_is_none_of_ours() -> None:
    transition = begun(act(1, "start"))
    assert transition.finish(1, True) is None
    assert (transition.done, transition.real) == (set(), 0)
    launched(transition)
    assert transition.finish(1, True) is not None
    assert transition.finish(1, True) is None


def test_the_first_reason_to_end_is_kept() -> None:
    transition = begun(act(1, "start"))
    assert transition.abort("one")
    assert not transition.abort("two")
    assert transition.aborted == "one"


@pytest.mark.parametrize(
    ("priority", "runs"), [(0, False), (INFINITY - 1, False), (INFINITY, True), (INFINITY + 1, True)]
)
def test_after_its_end_only_what_completes_something_begun_runs(priority: int, runs: bool) -> None:
    transition = begun(act(1, "notify", priority=priority), act(2, "start"))
    transition.abort("a test")
    assert launched(transition) == ([1] if runs else [])
    assert transition.over is not runs


@pytest.mark.parametrize(("limit", "at_once"), [(0, 3), (-1, 3), (1, 1), (2, 2), (3, 3)])
def test_so_many_actions_run_at_a_time(limit: int, at_once: int) -> None:
    transition = begun(act(1, "start"), act(2, "start", "b"), act(3, "start", "c"), batch_limit=limit)
    assert len(launched(transition)) == at_once
    assert not transition.over
    transition.finish(1, True)
    assert len(launched(transition)) == min(1, 3 - at_once)


def test_migrations_count_by_node_and_in_both_directions_and_hold_nothing_else() -> None:
    actions = (
        act(1, "migrate_to", "a"), act(2, "migrate_from", "b"), act(3, "migrate_to", "c", node="n2"), act(4, "start", "d"),
        act(5, "migrate_to", "e", node="n2"),
    )  # fmt: skip
    transition = begun(*actions, migration_limit=1)
    assert launched(transition) == [1, 3, 4]
    transition.finish(4, True)
    assert launched(transition) == []
    assert not transition.over
    transition.finish(1, True)
    assert launched(transition) == [2]
    transition.finish(3, True)
    assert launched(transition) == [5]


def test_patience_is_counted_from_the_last_thing_that_moved() -> None:
    transition = begun(act(1, "start"), act(2, "start", "b", timeout_ms=90_000), act(3, "start", "c", (1,)))
    assert transition.patience_ends_ms(at(0)) is None
    launched(transition)
    longest_ms = 90_000 + CALLS_BESIDES_MS
    assert transition.patience_ends_ms(at(1_000)) == 1_000 + longest_ms
    assert transition.patience_ends_ms(at(2_000)) == 1_000 + longest_ms, "nothing moved"
    transition.finish(1, True)
    assert transition.patience_ends_ms(at(3_000)) == 3_000 + longest_ms, "one ended"
    launched(transition)
    assert transition.patience_ends_ms(at(4_000)) == 4_000 + longest_ms, "one began"
    transition.finish(2, False)
    assert transition.patience_ends_ms(at(5_000)) == 5_000 + 20_000 + CALLS_BESIDES_MS, "what runs has less time"
    transition.be_patient(at(9_000))
    assert transition.patience_ends_ms(at(10_000)) == 9_000 + 20_000 + CALLS_BESIDES_MS
    transition.finish(3, True)
    assert transition.patience_ends_ms(at(11_000)) is None


def test_what_was_not_begun_yet_is_not_over() -> None:
    transition = begun(act(1, "start"))
    assert not transition.over
    transition.abort("a test")
    assert transition.over
