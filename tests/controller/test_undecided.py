"""What was too much for the scheduler: what runs is left as it is, that is said, and it is asked again, more and more rarely."""

from __future__ import annotations

import itertools

import pytest

from reconciler.controller.coordinator import StarvedError, UndecidedError
from reconciler.controller.foreseen import foreseen
from reconciler.model.date import Instant

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


@pytest.fixture
def starved(stuck):
    """The same where the machine does not let the scheduler run, once something is active: each time it is given up after 5 s."""

    def put_off(cib, ask):
        stuck.asked.append(stuck.mono_ms)
        raise StarvedError("it got nothing", 5.0)

    stuck.node.coordinator.bounded = put_off
    stuck.node.proposals.foresee = lambda cib, wanted, now: foreseen(cib, wanted, Instant(now.epoch_s, now.offset_s))
    return stuck


def test_whom_the_machine_did_not_let_decide_is_asked_again_soon_and_says_it_once(starved) -> None:
    change(starved, x="1")
    begun_ms = starved.asked[0]
    starved.run(600_000)
    assert starved.node.coordinator.undecided
    assert pauses_s(starved.asked)[-3:] == [35, 35, 35], "5 s in which it was asked, and 30 s for everything else"
    assert starved.asked[1] - begun_ms == 6_000
    assert len(told(starved)) == 1
    assert told(starved)[0].startswith("it got nothing; what runs is left as it is, and it is tried again")
    assert starved.node.coordinator.problems[0]["text"] == told(starved)[0]


def test_once_the_machine_lets_it_the_decision_is_made_and_nothing_is_held_against_it(starved, world) -> None:
    change(starved, x="1")
    starved.run(20_000)
    put_off, starved.node.coordinator.bounded = starved.node.coordinator.bounded, starved.plain
    starved.run(31_000)
    starved.converge()
    assert world.running["a"] == {"x": "1"}
    assert not starved.node.coordinator.undecided
    starved.node.coordinator.bounded = put_off
    change(starved, x="2")
    asked_ms = starved.asked[-1]
    starved.run(10_000)
    assert starved.asked[-1] - asked_ms <= 6_000, "the pause is short again"
