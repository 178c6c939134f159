"""How a member goes by what its view tells of itself: whom it follows, when it gives up its place, and what it forgets with a view."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.coordinator import OVERDUE
from reconciler.controller.cut_off import CUT_OFF_TIMER
from reconciler.controller.entering import GRACE_TIMER
from reconciler.controller.envelope import PROTOCOL
from reconciler.controller.joining import WAIT_TIMER
from reconciler.controller.membership.events import JoinAnew, View
from reconciler.controller.membership.messages import Exclude, Hello
from reconciler.controller.messages import Cleanup, GraceOver, Heard, Ping
from reconciler.controller.node import Node
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.returning import RETURN_TIMER
from reconciler.controller.shared import graces
from reconciler.frozen import replace
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import called, cluster_of, emitted, hear, node_of, of_kind, run_of, told


def ping_of(node: Node, sender: str, **more: object) -> Ping:
    """A ping of a member that holds what the node holds."""
    shared = node.replica.shared
    plain = Ping(sender, 99, shared.term, shared.seq, shared.beside, shared.chain, str(shared.cib.version), {}, 0)
    return replace(plain, **more)


# Whose clock counts


@pytest.mark.parametrize(
    ("who", "sender", "ahead_ms"), [("n2", "n1", 60_000), ("n2", "n3", 0), ("n2", "n2", 0), ("n1", "n1", 0)]
)
def test_the_clusters_time_is_what_the_dcs_ping_says_to_the_others(
    cluster: SimulatedCluster, who: str, sender: str, ahead_ms: int
) -> None:
    """What an operator asks for is told with it."""
    host, node = cluster.hosts[who], node_of(cluster, who)
    hear(host, sender, ping_of(node, sender, at_ms=host.now.wall_ms + 60_000))
    asked = told(node.step(ev.CleanupAsked(host.now, ("a",))))
    assert [message.at_ms - host.now.wall_ms for message in asked if isinstance(message, Cleanup)] == [ahead_ms]


# Who holds another state


def test_who_holds_another_state_than_most_gives_it_up_for_theirs(host: Host, node: Node) -> None:
    before = node.parts.joining.incarnation
    assert told(hear(host, "n1", ping_of(node, "n1", chain="theirs"))) == []
    effects = hear(host, "n3", ping_of(node, "n3", chain="theirs"))
    assert len(emitted(effects, "diverged")) == 1
    (rejoin,) = of_kind(effects, ev.Rejoin)
    assert rejoin.why.startswith("this node holds another state than the others")
    assert of_kind(effects, ev.Leave) == []
    assert node.replica.own.blank, "what it holds counts for nothing, also after a restart:"
    assert len(of_kind(effects, ev.Begin)) == 1
    assert (node.members, node.dc, node.parts.joining.incarnation != before) == ((), None, True)


def test_one_that_differs_from_most_is_no_reason_to_leave(host: Host, node: Node) -> None:
    hear(host, "n1", ping_of(node, "n1"))
    effects = hear(host, "n3", ping_of(node, "n3", chain="theirs"))
    assert of_kind(effects, ev.Rejoin, ev.Emit) == []
    assert not node.replica.own.blank


# Who gives up its place


def lose(host: Host, *, quorate: bool) -> list[ev.Effect]:
    """The node is left with nobody; with quorum if a quorum device says so."""
    node = host.node
    assert node is not None
    return node.step(ev.ViewChanged(host.now, View("lost", ("n2",), RingVerdict(quorate, 2), ("n2",))))


@pytest.mark.parametrize("quorate", [True, False])
def test_who_can_do_no_more_ends_at_once_where_others_know_that_its_machine_is_there(
    host: Host, node: Node, quorate: bool
) -> None:
    """Where it may be cut off it joins nobody any more, and ends once it has stopped what it runs."""
    if not quorate:
        lose(host, quorate=False)
    effects = node.entering.give_up("out of memory", host.now)
    assert [effect.why for effect in of_kind(effects, ev.Leave)] == ["out of memory"]
    assert bool(of_kind(effects, ev.Withdraw)) is not quorate
    assert bool(node.members) is quorate
    assert node.cut_off.ends == "out of memory"
    assert hear(host, "n1", Cleanup(("a",), 0)) == [], "nor is anything taken in that was on its way"


def test_who_gives_up_its_place_stops_what_may_run_whatever_waits_before_that(host: Host, node: Node) -> None:
    """An order that was not begun as this node stood still, say, never is."""
    lose(host, quorate=False)
    node.replica.partition = replace(node.replica.partition, installed=True, protocol=PROTOCOL)
    node.replica.shared = replace(node.replica.shared, quorate=False, dc="n2")
    node.executor.halted = True
    assert called(hear(host, "n2", run_of(node, "start", on="n2"))) == []
    assert called(node.entering.give_up("out of memory", host.now)) == ["r1 stop"]


def test_to_those_who_go_on_without_it_a_member_is_as_if_lost(host: Host, node: Node) -> None:
    """It was turned out of the view, and can't promise anything on its way back: it ends as one who may be cut off."""
    effects = hear(host, "n1", Exclude(("n2",), "silent"))
    assert len(of_kind(effects, ev.Rejoin)) == 1
    assert (node.members, node.parts.pulse.members) == ((), ())
    effects = node.entering.give_up("no promise", host.now)
    assert len(of_kind(effects, ev.Withdraw)) == 1


# What a view ends


def test_with_another_view_what_was_under_way_in_the_one_before_is_over(host: Host, node: Node) -> None:
    assert called(hear(host, "n1", run_of(node, "start", on="n2"))) == []
    assert called(hear(host, "n1", Heard("n1", node.replica.term, 9, 1))) == []
    effects = node.step(ev.ViewChanged(host.now, View("later", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2"))))
    assert ev.ClearTimer(OVERDUE) in effects
    assert not node.replica.partition.installed
    assert node.members == ("n1", "n2")
    assert node.parts.heard == {}, "who has heard it counted in that view"
    assert node.parts.pulse.members == ()
    gate = (node.replica.term, 9, 1)
    assert called(node.executor.open(gate, host.now)) == [], "an order that has not begun is given anew, or not"


def test_who_does_not_answer_in_time_is_named(host: Host, node: Node) -> None:
    """The first of those who did their part does so; that is n1, and if nothing comes of it n2."""
    view = View("later", ("n1", "n2", "n3", "n4"), RingVerdict(True, 3), ("n1", "n2", "n3", "n4"))
    effects = node.step(ev.ViewChanged(host.now, view))
    hello = next(message for message in told(effects) if isinstance(message, Hello))
    (wait,) = [effect for effect in of_kind(effects, ev.SetTimer) if effect.name == WAIT_TIMER]
    assert wait.at_ms == host.now.mono_ms + 3_000
    for sender in ("n1", "n2", "n3"):
        hear(host, sender, replace(hello, node=sender))
    waits = [node.step(ev.TimerFired(host.now, WAIT_TIMER)) for _ in range(2)]
    named = [[message.nodes for message in told(effects) if isinstance(message, Exclude)] for effects in waits]
    assert named == [[], [("n4",)]]


def test_who_was_excluded_comes_back_at_once_and_the_next_time_later(host: Host, node: Node) -> None:
    """And who is about to end does not come back, nor does one that is a member."""
    hear(host, "n1", Exclude(("n2",), "silent"))
    assert node.stays_away is None
    assert of_kind(node.step(ev.TimerFired(host.now, RETURN_TIMER)), ev.Join) == []
    again = node.entering.returning.excluded("silent", host.now)
    assert again == host.now.mono_ms + 5_000
    assert node.stays_away is not None
    node.cut_off.ends = "it ends"
    assert node.step(ev.TimerFired(host.now, RETURN_TIMER)) == []
    node.cut_off.ends = None
    assert node.step(ev.TimerFired(host.now, RETURN_TIMER)) == [ev.Join()]
    assert node.stays_away is None


# Who is gone for a while


@pytest.mark.parametrize(("who", "quorate", "tells"), [("n1", True, True), ("n1", False, False), ("n2", True, False)])
def test_that_nobody_waits_for_a_lost_node_any_longer_is_the_dcs_word_in_a_quorate_view(
    cluster: SimulatedCluster, who: str, quorate: bool, tells: bool
) -> None:
    host, node = cluster.hosts[who], node_of(cluster, who)
    node.replica.shared = replace(node.replica.shared, quorate=quorate)
    effects = node.step(ev.TimerFired(host.now, f"{GRACE_TIMER}n3"))
    assert told(effects) == ([GraceOver("n3")] if tells else [])


def test_only_waits_that_have_changed_are_counted_anew(cluster: SimulatedCluster) -> None:
    """Two nodes are lost, and a commit changes nothing of how long the first of them is waited for."""
    node, host = node_of(cluster, "n1"), cluster.hosts["n1"]
    cluster.network.cut((("n1",), ("n2",), ("n3",)))
    cluster.run(5_000)
    waits = dict(graces(node.replica.shared))
    assert timers(node.entering.graces_anew({}, host.now)) == [f"{GRACE_TIMER}{name}" for name in ("n1", "n2", "n3")]
    assert timers(node.entering.graces_anew(waits, host.now)) == []
    assert timers(node.entering.graces_anew({"n1": waits["n1"]}, host.now)) == [f"{GRACE_TIMER}n2", f"{GRACE_TIMER}n3"]
    assert timers(node.entering.graces_anew({**waits, "n2": -1}, host.now)) == [f"{GRACE_TIMER}n2"]


def timers(wishes: list[ev.Wish]) -> list[str]:
    return [wish.name for wish in wishes if isinstance(wish, ev.SetTimer | ev.ClearTimer)]


# Who is turned away

SILENT = JoinAnew("silent", fenced=False, for_good=False)


def turned_away(node: Node, host: Host, effect: JoinAnew) -> list[ev.Wish]:
    """Membership says that the others go on without this node."""
    return node.entering._carry_out((effect,), host.now)


def test_who_can_never_be_a_member_ends_and_disturbs_nobody_any_more(host: Host, node: Node) -> None:
    assert turned_away(node, host, JoinAnew("it is strange", fenced=False, for_good=True)) == [
        ev.Leave("this node can't be a member: it is strange")
    ]


def test_whom_the_cluster_has_fenced_ends(host: Host, node: Node) -> None:
    assert turned_away(node, host, JoinAnew("it was fenced", fenced=True, for_good=False)) == [
        ev.Leave("the cluster has fenced this node: it was fenced")
    ]


def test_who_is_excluded_again_and_again_stays_away_for_a_while_and_says_so(host: Host, node: Node) -> None:
    wishes = turned_away(node, host, SILENT)
    assert [type(wish) for wish in wishes if isinstance(wish, ev.Rejoin | ev.Withdraw)] == [ev.Rejoin]
    wishes = turned_away(node, host, SILENT)
    assert [type(wish) for wish in wishes if isinstance(wish, ev.Rejoin | ev.Withdraw)] == [ev.Withdraw]
    assert emitted(wishes, "stays-away") == [node.stays_away]
    assert ev.SetTimer(RETURN_TIMER, host.now.mono_ms + 5_000) in wishes
    assert CUT_OFF_TIMER in timers(wishes), "and what it runs is stopped in time"


def test_who_is_no_member_has_no_plan_and_comes_back_as_somebody_else(cluster: SimulatedCluster) -> None:
    host, node = cluster.hosts["n1"], node_of(cluster, "n1")
    before = node.parts.joining.incarnation
    node.coordinator.converged, node.coordinator.stale = True, None
    turned_away(node, host, SILENT)
    assert (node.coordinator.converged, node.coordinator.stale) == (False, "this node is no member")
    assert node.parts.joining.incarnation != before
    assert node.fencer._executor.incarnation == node.parts.joining.incarnation, (
        "orders to call fence agents are for a life"
    )
    node.step(ev.ViewChanged(host.now, View("later", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2"))))
    assert node.coordinator.stale == "the members changed"


def test_an_exclusion_from_an_installed_view_begins_it_anew_for_those_who_are_left(host: Host, node: Node) -> None:
    view = node.replica.partition.view
    effects = hear(host, "n1", Exclude(("n3",), "silent"))
    assert (node.members, node.replica.partition.view) == (("n1", "n2"), f"{view}'")
    assert not node.replica.partition.installed
    assert of_kind(effects, ev.Rejoin) == []


# What could not be taken in


def test_who_could_not_take_something_in_joins_anew_once_in_a_minute(host: Host, node: Node) -> None:
    """What no member can take in would have all leave for ever; who holds another state then learns it by the pings."""
    partition, now = node.replica.partition, host.now
    for after_ms, leaves in ((0, True), (59_999, False), (60_000, True), (60_001, False)):
        node.replica.partition = partition
        wishes = node.entering.unhandled("a fault", now._replace(mono_ms=now.mono_ms + after_ms))
        assert [type(wish) for wish in wishes if isinstance(wish, ev.Rejoin | ev.Leave)] == [ev.Rejoin] * leaves
        assert bool(emitted(wishes, "not-applied")) is leaves
    node.replica.partition = replace(partition, members=())
    assert node.entering.unhandled("a fault", now._replace(mono_ms=now.mono_ms + 600_000)) == []


def test_a_node_alone_begins_its_view_anew_instead() -> None:
    """Orders and examinations that were lost begin anew with it."""
    cluster = cluster_of("n1")
    node, host = node_of(cluster, "n1"), cluster.hosts["n1"]
    view = node.replica.partition.view
    wishes = node.entering.unhandled("a fault", host.now)
    assert [wish for wish in wishes if isinstance(wish, ev.Rejoin | ev.Leave)] == []
    assert (node.replica.partition.view, node.replica.partition.installed) == (f"{view}'", False)
