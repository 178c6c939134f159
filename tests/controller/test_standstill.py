"""A member looks at its clock with each turn: after a gap it begins nothing before it knows that the others still hear it."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.membership.messages import Exclude
from reconciler.controller.messages import Message, Ping
from reconciler.controller.moment import Moment
from reconciler.controller.node import Node
from reconciler.controller.pulse import BEAT_MS, PULSE_TIMER
from reconciler.controller.standstill import Standstill
from reconciler.frozen import replace
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, node_of, of_kind


def told(wishes: list[ev.Wish]) -> list[Message]:
    return [wish.message for wish in wishes if isinstance(wish, ev.Broadcast)]


def after(now: Moment, ms: int) -> Moment:
    return now._replace(mono_ms=now.mono_ms + ms, wall_ms=now.wall_ms + ms)


# Whether there was a gap


@pytest.mark.parametrize(("gap_ms", "stood"), [(1, False), (2_000, False), (2_001, True)])
def test_who_did_nothing_for_more_than_two_seconds_stood_still(
    host: Host, node: Node, gap_ms: int, stood: bool
) -> None:
    standstill, now = Standstill(node.parts, node.cut_off), host.now
    standstill.turn(now)
    wishes = standstill.turn(after(now, gap_ms))
    assert bool(emitted(wishes, "stood-still")) is stood
    assert [type(message) for message in told(wishes)] == [Ping] * stood
    assert (node.parts.unsure, node.executor.halted, node.fencer.halted) == (stood, stood, stood)
    again = standstill.turn(after(now, gap_ms + 1))
    assert again == [], "a gap is told once"


def test_the_first_turn_among_others_begins_to_look_each_second(host: Host, node: Node) -> None:
    standstill, now = Standstill(node.parts, node.cut_off), host.now
    assert standstill.turn(now) == [ev.SetTimer(PULSE_TIMER, now.mono_ms + BEAT_MS)]
    assert standstill.turn(now) == []


def test_in_no_view_there_is_nothing_to_look_for_unless_there_was_one(host: Host, node: Node) -> None:
    standstill, now, partition = Standstill(node.parts, node.cut_off), host.now, node.replica.partition
    node.replica.partition = replace(partition, members=(), installed=False)
    assert standstill.turn(now) == []
    node.replica.partition = partition
    assert len(standstill.turn(now)) == 1
    node.replica.partition = replace(partition, members=(), installed=False)
    wishes = standstill.turn(after(now, 60_000))
    assert emitted(wishes, "stood-still") != []
    assert told(wishes) == [], "there is nobody to ask yet"


def test_who_is_alone_may_stand_still_as_long_as_it_likes() -> None:
    cluster = cluster_of("n1")
    node, now = node_of(cluster, "n1"), cluster.hosts["n1"].now
    standstill = node.entering.standstill
    assert standstill.turn(now) == []
    assert standstill.turn(after(now, 60_000)) == []
    node.parts.unsure = node.executor.halted = node.fencer.halted = True
    assert ev.ClearTimer("cut off") in standstill.turn(now), "nobody has gone on without it"
    assert (node.parts.unsure, node.executor.halted, node.fencer.halted) == (False, False, False)


def test_who_was_alone_meanwhile_did_not_stand_still(host: Host, node: Node) -> None:
    """Alone nobody looks at the clock; whoever joins then is told nothing of a gap."""
    standstill, now = node.entering.standstill, host.now
    partition, votes = node.replica.partition, node.replica.shared.votes
    for meets in (standstill.turn, standstill.installed):
        assert emitted(standstill.turn(now), "stood-still") == []
        node.replica.partition = replace(partition, members=("n2",))
        node.replica.shared = replace(node.replica.shared, votes={"n2": 1})
        meets(now)
        node.replica.partition = partition
        node.replica.shared = replace(node.replica.shared, votes=votes)
        now = after(now, 60_000)
        assert emitted(standstill.turn(now), "stood-still") == []


# Whether it is heard


def halted(host: Host, node: Node) -> tuple[Moment, Ping]:
    """The node stood still for a minute: the moment after that, and the ping that it has sent."""
    now = after(host.now, 60_000)
    (ping,) = told(node.entering.standstill.turn(now))
    assert isinstance(ping, Ping)
    return now, ping


@pytest.mark.parametrize(
    ("who", "later", "goes_on"), [("n2", 0, True), ("n2", 1, True), ("n2", -1, False), ("n1", 0, False)]
)
def test_it_goes_on_once_a_ping_of_its_own_is_back_that_it_sent_since(
    host: Host, node: Node, who: str, later: int, goes_on: bool
) -> None:
    now, ping = halted(host, node)
    node.entering.standstill.heard(replace(ping, node=who, number=ping.number + later), now)
    assert node.parts.unsure is node.executor.halted is node.fencer.halted is not goes_on


def test_a_ping_of_ones_own_is_no_news_to_one_who_did_not_stand_still(host: Host, node: Node) -> None:
    """It comes each five seconds, and would have all planned anew."""
    (ping,) = told(node.entering.standstill._ping(host.now))
    assert isinstance(ping, Ping)
    node.coordinator.stale = None
    node.entering.standstill.heard(ping, host.now)
    assert node.coordinator.stale is None
    now, ping = halted(host, node)
    node.coordinator.stale = None
    node.entering.standstill.heard(ping, now)
    assert node.coordinator.stale == "this node had stood still"


def test_in_a_view_that_is_not_installed_nobody_is_asked_and_in_the_next_one_at_once(host: Host, node: Node) -> None:
    standstill, partition = node.entering.standstill, node.replica.partition
    now, _ = halted(host, node)
    node.replica.partition = replace(partition, installed=False)
    assert standstill.asked(now) == []
    node.replica.partition = partition
    assert [type(message) for message in told(standstill.installed(now))] == [Ping]


# Signs of life


@pytest.mark.parametrize(("who", "pings"), [("n1", 1), ("n2", 0)])
def test_the_dc_says_at_once_what_time_it_is_where_there_is_anybody_to_hear_it(
    cluster: SimulatedCluster, who: str, pings: int
) -> None:
    node, now = node_of(cluster, who), cluster.hosts[who].now
    assert len(told(node.entering.standstill.installed(now))) == pings
    node.replica.partition = replace(node.replica.partition, members=("n1", "n2"))
    assert len(told(node.entering.standstill.installed(now))) == pings
    assert node.parts.flow.heard == {"n1": 0, "n2": 0}, "and how much each of them sends is counted anew"
    node.replica.partition = replace(node.replica.partition, members=(who,))
    assert told(node.entering.standstill.installed(now)) == []


def beats(node: Node, now: Moment, count: int = 10) -> list[Message]:
    wishes = [wish for _ in range(count) for wish in node.entering.standstill.beat(now)]
    assert wishes.count(ev.SetTimer(PULSE_TIMER, now.mono_ms + BEAT_MS)) == count
    return told(wishes)


def test_each_fifth_second_a_member_gives_a_sign_of_life(host: Host, node: Node) -> None:
    assert [type(message) for message in beats(node, host.now)] == [Ping, Ping]
    node.replica.partition = replace(node.replica.partition, installed=False)
    assert beats(node, host.now) == []


def test_who_gives_none_is_excluded_but_not_by_one_who_may_be_lost_itself(host: Host, node: Node) -> None:
    now = after(host.now, 16_000)
    node.parts.pulse.forgive(host.now)
    node.parts.pulse._heard_ms["n1"] = now.mono_ms
    node.parts.unsure = True
    assert [type(message) for message in beats(node, now, 5)] == [Ping]
    node.parts.unsure = False
    first = beats(node, now, 5)
    named = [message.nodes for message in (*first, *beats(node, now, 5)) if isinstance(message, Exclude)]
    assert named == [("n3",)], "n1 says so first, and this node when nothing comes of that"


def test_others_owe_nothing_for_the_time_in_which_this_node_stood_still(host: Host, node: Node) -> None:
    now, ping = halted(host, node)
    node.entering.standstill.heard(ping, now)
    assert not node.parts.unsure
    assert [type(message) for message in beats(node, now)] == [Ping, Ping]


def test_who_is_alone_gives_none() -> None:
    cluster = cluster_of("n1")
    node, host = node_of(cluster, "n1"), cluster.hosts["n1"]
    effects = [effect for _ in range(10) for effect in node.step(ev.TimerFired(host.now, PULSE_TIMER))]
    assert of_kind(effects, ev.Send, ev.SetTimer) == []
