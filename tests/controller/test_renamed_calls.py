"""What a node does for resources that go on under new names: calls, orders, monitors, results and hints go along."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.events import ClearTimer, RunAgent, SetTimer, Unwatch
from reconciler.controller.messages import Underway

from .test_executor import Hand, at

NAMES = {"a": "b", "b": "c"}


@pytest.fixture
def hand() -> Hand:
    return Hand()


def rename(hand: Hand) -> None:
    hand.took(hand.executor.rename(NAMES, at(1_000)))


def order_for(hand: Hand, token: int) -> Any:
    return hand.executor.running[token].launched


def test_what_is_being_called_answers_under_the_new_name(hand: Hand) -> None:
    """To its agent it is what it was when it was called."""
    hand.order("stop")
    token = hand.token
    rename(hand)
    assert hand.wishes == []
    assert hand.executor.underway() == (Underway(3, 7, 1, "b", "stop", 20_000),)
    assert (order_for(hand, token).instance, hand.executor.is_busy("a"), hand.executor.is_busy("b")) == (
        "a",
        False,
        True,
    )
    told = hand.ended(token)
    assert told is not None
    assert (told.resource, told.action) == ("b", 1)
    assert hand.executor.results.keys() == {"b"}


def test_what_waits_is_called_for_the_resource_of_the_new_name_in_its_turn(hand: Hand) -> None:
    hand.order("stop")
    first = hand.token
    hand.order("start")
    rename(hand)
    hand.order("stop", "b")
    assert hand.called == [], "one call at a time, whatever it is called"
    hand.ended(first)
    assert hand.called == ["a start"]
    assert order_for(hand, hand.token).resource == "b"


def test_results_and_findings_go_along(hand: Hand) -> None:
    hand.order("stop")
    hand.ended(hand.token)
    hand.order("start", "b")
    hand.ended(hand.token, 1)
    hand.took(hand.executor.adopt(_launched(hand), 5_000, at(0)))
    hand.ended(hand.token, 7)
    rename(hand)
    assert {name: one.result.code for name, one in hand.executor.results.items()} == {"b": 0, "c": 1, "x": 7}
    assert hand.executor.adopted["x"][1].code == 7
    hand.took(hand.executor.rename({"x": "y"}, at(1_000)))
    assert {name: one[0].resource for name, one in hand.executor.adopted.items()} == {"y": "y"}


def _launched(hand: Hand) -> Any:
    hand.order("stop", "x")
    launched = order_for(hand, hand.token)
    hand.ended(hand.token)
    return launched


def test_what_recurs_does_so_at_once_and_by_its_new_timer(hand: Hand) -> None:
    """Two that exchange names, or follow each other, do not lose one."""
    for resource in ("a", "b", "z"):
        hand.order("monitor", resource, interval_ms=10_000)
        hand.ended(hand.token)
    before = {recurring.timer for key, recurring in hand.executor.recurring.items() if key[0] in NAMES}
    rename(hand)
    assert {wish.name for wish in hand.of(ClearTimer)} == before
    assert hand.called == ["a monitor", "b monitor"]
    assert hand.executor.recurring.keys() == {(name, "monitor", 10_000) for name in ("b", "c", "z")}
    for call in hand.of(RunAgent):
        hand.ended(call.token, now=at(2_000))
        (timer,) = hand.of(SetTimer)
        assert timer.at_ms == 12_000
        hand.took(hand.executor.fire(timer.name, at(12_000)))
        assert hand.called == [f"{call.call.resource} monitor"]


def test_that_nothing_has_changed_is_no_news_under_the_new_name_either(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    assert hand.ended(hand.token) is not None
    rename(hand)
    assert hand.ended(hand.token) is None


def test_once_it_stops_it_is_watched_under_neither_name(hand: Hand) -> None:
    hand.order("monitor", interval_ms=10_000)
    hand.ended(hand.token)
    rename(hand)
    hand.ended(hand.token)
    hand.order("stop", "b")
    assert hand.of(Unwatch) == [Unwatch("b"), Unwatch("a")]
    assert [wish.name for wish in hand.of(ClearTimer)] != []
    assert hand.executor.recurring == {}
