"""What follows on a node from what was delivered: which orders may be carried out, and what only the DC does."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.analysis.recording import Launched
from reconciler.controller import events as ev
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY
from reconciler.controller.fencer import FENCE_TIMER
from reconciler.controller.following import INHERITED_TIMER
from reconciler.controller.keeper import GENERATION_TIMER, Vouch
from reconciler.controller.messages import Abandoned, AgentOrder, Heard, Report, Reported, Run, Underway
from reconciler.controller.node import Node
from reconciler.controller.proposals import EXAMINE_TIMER
from reconciler.controller.replica import Partition
from reconciler.frozen import replace
from reconciler.model.resource import Agent

from .written import configuration, primitive

DUMMY = Agent("ocf", "Dummy", "reconciler")
THREE = ("n1", "n2", "n3")


@pytest.fixture
def node(single) -> Node:
    """One of three members of a quorate view, of which n2 is the DC."""
    single.apply(configuration(primitive("a")))
    single.converge()
    made = single.node
    shared = replace(made.replica.shared, votes=dict.fromkeys(THREE, 1), quorate=True, dc="n2")
    made.replica.shared = shared
    made.replica.partition = Partition("v", THREE, True, 2)
    made.parts.heard.clear()
    return made


def order(node: Node, single: Any, *tasks: str) -> list[str]:
    """Which agents are called once these were ordered; they come in one message."""
    orders = tuple(
        AgentOrder(place, 5_000, Launched(f"r{place}", task, "n1", "n1", DUMMY, f"{place}:1:0:run"))
        for place, task in enumerate(tasks, 1)
    )
    return called(node.following.followed("n2", Run(1, 7, orders, 0), node.replica.shared, single.now))


def called(wishes: list[ev.Wish]) -> list[str]:
    return [f"{wish.call.resource} {wish.call.operation}" for wish in wishes if isinstance(wish, ev.RunAgent)]


def heard(node: Node, single: Any, who: str, *, transition: int = 7) -> list[str]:
    return called(node.following.followed(who, Heard(who, 1, transition, 1), node.replica.shared, single.now))


def test_what_is_begun_waits_until_most_votes_have_heard_the_order(node: Node, single) -> None:
    assert order(node, single, "start", "stop") == ["r2 stop"]
    assert heard(node, single, "n2") == []
    assert heard(node, single, "n2") == [], "who says it twice has one vote"
    assert heard(node, single, "n3", transition=8) == [], "that was another order"
    assert heard(node, single, "n3") == [], "it is not on this node's own disk"
    assert heard(node, single, "n1") == ["r1 start"]


def test_what_nothing_waits_for_any_more_is_not_kept(node: Node, single) -> None:
    """A view may last for months, and each order of another node is heard by all."""
    order(node, single, "start")
    heard(node, single, "n3", transition=8)
    assert node.parts.heard == {}, "nothing here waits for that one"
    heard(node, single, "n2")
    assert list(node.parts.heard.values()) == [{"n2"}]
    assert heard(node, single, "n1") == ["r1 start"]
    heard(node, single, "n3")
    assert node.parts.heard == {}, "it has begun"


@pytest.mark.parametrize(
    ("votes", "who", "opens"),
    [
        ({"n1": 1, "n2": 1, "n3": 1}, ("n1",), False),
        ({"n1": 2, "n2": 1, "n3": 1}, ("n1",), False),
        ({"n1": 3, "n2": 1, "n3": 1}, ("n1",), True),
        ({"n1": 1, "n2": 3, "n3": 1}, ("n2",), False),
        ({"n1": 1, "n2": 3, "n3": 1}, ("n2", "n1"), True),
        ({"n1": 1, "n2": 1, "n3": 1, "n4": 1, "n5": 1, "n6": 1}, ("n1", "n2"), False),
        ({"n1": 1, "n2": 1, "n3": 1, "n4": 1, "n5": 1, "n6": 1}, ("n1", "n2", "n3"), True),
        ({"n1": 1, "n2": 0, "n3": 0}, ("n2", "n3"), False),
    ],
    ids=[
        "one of three",
        "half of the votes",
        "most of them",
        "most of them, without this node's own",
        "most of them, and this node's own",
        "two of three who are there",
        "all who are there",
        "no votes",
    ],
)
def test_votes_count_and_where_the_members_have_no_majority_all_of_them(
    node: Node, single, votes: dict[str, int], who: tuple[str, ...], opens: bool
) -> None:
    node.replica.shared = replace(node.replica.shared, votes=votes)
    order(node, single, "start")
    told = [call for one in who for call in heard(node, single, one)]
    assert told == (["r1 start"] if opens else [])


@pytest.mark.parametrize(
    ("members", "quorate", "tasks", "waits"),
    [
        (THREE, True, ("start",), True),
        (THREE, True, ("promote", "stop"), True),
        (THREE, True, ("reload-agent", "stop"), True),
        (THREE, True, ("stop", "monitor"), False),
        (THREE, False, ("start",), False),
        (("n1",), True, ("start",), False),
    ],
)
def test_only_what_must_be_remembered_among_several_with_quorum_must_be_heard(
    node: Node, single, members: tuple[str, ...], quorate: bool, tasks: tuple[str, ...], waits: bool
) -> None:
    node.replica.shared = replace(node.replica.shared, quorate=quorate)
    node.replica.partition = replace(node.replica.partition, members=members)
    begun = order(node, single, *tasks)
    assert (f"r1 {tasks[0]}" not in begun) is waits


def test_what_the_disk_does_not_keep_is_not_begun_but_answered(node: Node, single) -> None:
    """With others there: they hear at once that it failed here, and don't wait for the disk."""
    order(node, single, "start", "reload-agent", "stop")
    (token,) = (token for token, (purpose, _) in node.keeper._waiting.items() if isinstance(purpose, Vouch))
    wishes = node.intake.disk_answered(ev.NotDurable(single.now, token, "no space"))
    told = [wish.message for wish in wishes if isinstance(wish, ev.Broadcast)]
    assert [(one.resource, one.task, one.failed) for one in told if isinstance(one, Reported)] == [
        ("r1", "start", True),
        ("r2", "reload-agent", True),
    ]
    assert all("can't keep that it was (no space)" in one.exit_reason for one in told if isinstance(one, Reported))
    assert called(wishes) == []
    assert [call for one in THREE for call in heard(node, single, one)] == [], "it was answered"


def test_orders_of_others_are_told_and_not_carried_out(node: Node, single) -> None:
    one = AgentOrder(1, 5_000, Launched("a", "stop", "n3", "n3", DUMMY, "1:1:0:run"))
    wishes = node.following.followed("n2", Run(1, 7, (one,), 0), node.replica.shared, single.now)
    assert [wish.fields["node"] for wish in wishes if isinstance(wish, ev.Emit)] == ["n3"]
    assert called(wishes) == []


# What was under way when the view began


def report(node: str, *timeouts_ms: int) -> Report:
    orders = tuple(Underway(1, 1, place, "a", "start", ms) for place, ms in enumerate(timeouts_ms, 1))
    return Report(node, "boot", (), orders, (), 0)


@pytest.mark.parametrize(
    ("dc", "timeouts_ms", "after_ms"), [("n1", (5_000, 9_000), 69_000), ("n1", (), None), ("n2", (5_000,), None)]
)
def test_the_dc_waits_for_what_a_member_is_still_doing_a_minute_longer_than_that_may_take(
    node: Node, single, dc: str, timeouts_ms: tuple[int, ...], after_ms: int | None
) -> None:
    node.replica.shared = replace(node.replica.shared, dc=dc)
    wishes = node.following.followed("n3", report("n3", *timeouts_ms), node.replica.shared, single.now)
    timers = {wish.name: wish.at_ms - single.mono_ms for wish in wishes if isinstance(wish, ev.SetTimer)}
    assert timers == ({} if after_ms is None else {f"{INHERITED_TIMER}n3": after_ms})


@pytest.mark.parametrize(("dc", "underway", "told"), [("n1", True, True), ("n1", False, False), ("n2", True, False)])
def test_what_was_not_ended_in_time_is_given_up_by_the_dc(
    node: Node, single, dc: str, underway: bool, told: bool
) -> None:
    known = {"n3": report("n3", 5).underway} if underway else {}
    node.replica.shared = replace(node.replica.shared, dc=dc, underway=known)
    effects = node.step(ev.TimerFired(single.now, f"{INHERITED_TIMER}n3"))
    messages = [single.node.intake.unseal(effect.data).message for effect in effects if isinstance(effect, ev.Send)]
    assert (Abandoned("n3") in messages) is told


# Timers of the DC

WHOSE = {
    RECHECK: lambda node: node.coordinator.stale is not None,
    RETRY: lambda node: node.coordinator.stale is not None,
}


@pytest.mark.parametrize("name", WHOSE)
@pytest.mark.parametrize(("dc", "acts"), [("n1", True), ("n2", False)])
def test_only_the_dc_asks_anew_when_time_has_passed(node: Node, single, name: str, dc: str, acts: bool) -> None:
    node.replica.shared = replace(node.replica.shared, dc=dc)
    node.coordinator.stale = None
    node.step(ev.TimerFired(single.now, name))
    assert WHOSE[name](node) is acts


@pytest.mark.parametrize("name", [FENCE_TIMER, OVERDUE, GENERATION_TIMER, f"{EXAMINE_TIMER}none", "nobody's"])
def test_a_timer_of_something_that_is_over_changes_nothing(node: Node, single, name: str) -> None:
    before = node.replica.shared
    effects = node.step(ev.TimerFired(single.now, name))
    assert [effect for effect in effects if not isinstance(effect, ev.SetTimer)] == []
    assert node.replica.shared is before


def test_each_order_waits_for_its_own_votes_whatever_else_waits(node: Node, single) -> None:
    assert order(node, single, "start") == []
    other = AgentOrder(1, 5_000, Launched("r9", "start", "n1", "n1", DUMMY, "1:1:0:run"))
    node.following.followed("n2", Run(1, 8, (other,), 0), node.replica.shared, single.now)
    assert [call for who in ("n2", "n1") for call in heard(node, single, who)] == ["r1 start"]
    assert [call for who in ("n2", "n1") for call in heard(node, single, who, transition=8)] == ["r9 start"]
