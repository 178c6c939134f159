"""What was too much for the scheduler: what runs is left as it is, that is said, and it is asked again, more and more rarely."""

from __future__ import annotations

import itertools

import pytest

from reconciler.controller.coordinator import UndecidedError

from .written import configuration, primitive


@pytest.fixture
def stuck(single):
    """A node whose scheduler gives up, with the monotonic times (ms) at which it was asked."""
    single.apply(configuration(primitive("a")))
    single.converge()
    single.asked = []
    single.plain = single.node.coordinator.bounded

    def give_up(cib, ask):
        single.asked.append(single.mono_ms)
        raise UndecidedError("it took longer than 30 s")

    single.node.coordinator.bounded = give_up
    return single


def told(single) -> list[str]:
    return [event["text"] for event in single.events("daemon") if event["what"] == "undecided"]


def pauses_s(times_ms: list[int]) -> list[float]:
    return [(after - before) / 1000 for before, after in itertools.pairwise(times_ms)]


def change(single, **params: str) -> None:
    single.apply(configuration(primitive("a", **params)))


def test_it_is_asked_again_when_the_pause_is_over_and_the_pause_doubles_up_to_a_quarter_of_an_hour(stuck) -> None:
    change(stuck, x="1")
    stuck.asked.clear()
    begun_ms = stuck.mono_ms
    stuck.run(3_600_000)
    assert pauses_s([begun_ms, *stuck.asked])[:6] == [60, 120, 240, 480, 900, 900]
    assert "next try in 60 s" in told(stuck)[0]
    assert stuck.node.coordinator.undecided
    assert stuck.node.coordinator.problems[0]["text"] == told(stuck)[-1]


def test_another_configuration_is_asked_about_at_once_and_begins_with_a_short_pause(stuck) -> None:
    change(stuck, x="1")
    stuck.run(200_000)
    change(stuck, x="2")
    assert stuck.asked[-1] == stuck.mono_ms
    assert "next try in 60 s" in told(stuck)[-1]


def test_news_amid_the_pause_are_no_reason_to_ask(stuck, world) -> None:
    change(stuck, x="1")
    asked = len(stuck.asked)
    world.failing["a", "monitor"] = 1
    stuck.run(30_000)
    assert len(stuck.asked) == asked


def test_once_there_is_an_answer_nothing_is_undecided_and_a_later_pause_is_short_again(stuck, world) -> None:
    change(stuck, x="1")
    stuck.run(200_000)
    give_up, stuck.node.coordinator.bounded = stuck.node.coordinator.bounded, stuck.plain
    stuck.run(900_000)
    stuck.converge()
    assert world.running["a"] == {"x": "1"}
    assert not stuck.node.coordinator.undecided
    stuck.node.coordinator.bounded = give_up
    change(stuck, x="3")
    assert "next try in 60 s" in told(stuck)[-1]
