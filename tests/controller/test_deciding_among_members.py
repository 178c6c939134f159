"""What follows among members from what is delivered to all: only the DC decides on it, and whom it concerns acts."""

from __future__ import annotations

import pytest

from reconciler.cib.canonical import digest
from reconciler.cib.observations import AttributeSet, EntryForgotten, ResourceForgotten
from reconciler.controller import events as ev
from reconciler.controller.fencer import FENCE_TIMER
from reconciler.controller.fencing.messages import FenceEnded, FenceOrdered, FenceWanted
from reconciler.controller.fencing.record import FenceCause
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import (
    Accept,
    Activate,
    Cleanup,
    GraceOver,
    Message,
    Observe,
    Propose,
    Reject,
    Release,
    Report,
)
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.resource import Agent, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, hear, node_of, of_kind, run_of, synchronised, told
from .written import configuration, primitive

COMMIT = "c" * 40
WANTED = configuration(primitive("a"))
dc_and_another = pytest.mark.parametrize(("who", "decides"), [("n1", True), ("n2", False)], ids=["DC", "another"])


@pytest.fixture
def cluster() -> SimulatedCluster:
    """Three members, of which n1 is the DC."""
    return cluster_of("n1", "n2", "n3")


# Commits


def judged(host: Host) -> list[ev.Effect]:
    """A commit is proposed and found valid here."""
    node = host.node
    assert node is not None
    hear(host, "n3", Propose(COMMIT, node.replica.commit, "git", "", False, node.replica.term))
    effects = node.step(ev.Examined(host.now, COMMIT, node.replica.commit, digest(WANTED), WANTED))
    return synchronised(host, effects)


def accepted(host: Host, *senders: str) -> list[Message]:
    """What is told once these have accepted it, too."""
    node = host.node
    assert node is not None
    accept = Accept(COMMIT, node.replica.commit, digest(WANTED), node.replica.term)
    return [message for sender in senders for message in told(hear(host, sender, accept))]


@dc_and_another
def test_what_all_accepted_is_activated_by_the_dc(cluster: SimulatedCluster, who: str, decides: bool) -> None:
    host = cluster.hosts[who]
    (accept,) = told(judged(host))
    assert isinstance(accept, Accept)
    assert accepted(host, "n1", "n2") == []
    assert [type(message) for message in accepted(host, "n3")] == [Activate] * decides


@dc_and_another
def test_what_waited_for_a_refused_one_is_activated_by_the_dc(
    cluster: SimulatedCluster, who: str, decides: bool
) -> None:
    """Here the DC was busy with the other one, as it happens, when the last word on this one came."""
    host, node = cluster.hosts[who], node_of(cluster, who)
    judged(host)
    node.proposals._activating = "d" * 40
    assert accepted(host, "n1", "n2", "n3") == []
    effects = hear(host, "n2", Reject("d" * 40, "no", (), node.replica.term, 0))
    assert [type(message) for message in told(effects)] == [Activate] * decides


@pytest.mark.parametrize("why", ["it stood still", "others may be quorate, too"])
def test_nothing_is_activated_by_one_who_may_not(cluster: SimulatedCluster, why: str) -> None:
    host, node = cluster.hosts["n1"], node_of(cluster, "n1")
    judged(host)
    node.parts.unsure = why == "it stood still"
    if not node.parts.unsure:
        nodes = {**node.replica.shared.nodes, "n4": Member(Presence.UNCLEAN)}
        votes = {**node.replica.shared.votes, "n4": 1}
        node.replica.shared = replace(node.replica.shared, contested=True, nodes=nodes, votes=votes)
    assert accepted(host, "n1", "n2", "n3") == []


def activated(host: Host) -> list[ev.Effect]:
    """The commit becomes the configuration, durably."""
    node = host.node
    assert node is not None
    judged(host)
    accepted(host, "n1", "n2", "n3")
    message = Activate(COMMIT, node.replica.cib.version.epoch + 1, digest(WANTED), 0, node.replica.term)
    effects = synchronised(host, hear(host, "n1", message))
    assert node.replica.commit == COMMIT
    return effects


@dc_and_another
def test_what_no_device_could_do_the_dc_tries_with_those_of_a_new_configuration(
    cluster: SimulatedCluster, who: str, decides: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, asked = node_of(cluster, who), []
    monkeypatch.setattr(node.fencer, "decide", lambda shared, now: asked.append(shared.commit) or [])
    activated(cluster.hosts[who])
    assert asked == [COMMIT] * decides
    node.step(ev.TimerFired(cluster.hosts[who].now, FENCE_TIMER))
    assert asked == [COMMIT] * 2 * decides


def test_with_an_activation_all_is_planned_anew_and_each_tells_that_it_has_it(cluster: SimulatedCluster) -> None:
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    node.coordinator.stale = None
    effects = activated(host)
    assert [one.commit for one in of_kind(effects, ev.RecordActive)] == [COMMIT]
    assert [getattr(one, "commit", None) for one in told(effects)] == [COMMIT], "what it keeps"
    assert node.coordinator.stale == "the configuration changed"


# Attributes and histories


def test_attributes_are_told_to_people_and_agents_and_held_ones_with_their_delay(cluster: SimulatedCluster) -> None:
    host = cluster.hosts["n2"]
    for delay_ms, more in ((0, {}), (5_000, {"held_ms": 5_000})):
        effects = hear(host, "n2", Observe((AttributeSet("n2", "x", "1"),), "", 0, dampen_ms=delay_ms))
        (told_people,) = [one.fields for one in of_kind(effects, ev.Emit) if one.type == "attribute"]
        assert told_people == {"node": "n2", "name": "x", "value": "1", **more}
        assert of_kind(effects, ev.PublishAttributes)[-1].attributes["x"] == "1"


@dc_and_another
def test_the_dc_has_the_clock_of_held_values(cluster: SimulatedCluster, who: str, decides: bool) -> None:
    effects = hear(cluster.hosts[who], "n3", Observe((AttributeSet("n3", "x", "1"),), "", 0, dampen_ms=5_000))
    assert [one.name for one in of_kind(effects, ev.SetTimer) if one.name.startswith("dampen")] == [
        "dampen x"
    ] * decides


@pytest.mark.parametrize("on", ["n2", "n3"])
def test_what_is_forgotten_of_a_resource_here_is_monitored_no_more(cluster: SimulatedCluster, on: str) -> None:
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    effects = hear(host, "n1", Observe((ResourceForgotten(on, "a"),), "", 0))
    assert bool(of_kind(effects, ev.Unwatch)) is (on == "n2")
    told_again: list[str] = []
    node.executor.tell_again = told_again.append  # type: ignore[method-assign]
    hear(host, "n1", Observe((EntryForgotten(on, "a", "a_last_failure_0"),), "", 0))
    assert told_again == ["a"] * (on == "n2")


@pytest.mark.parametrize(("where", "stale"), [("n2", True), ("n9", False)])
def test_what_changes_nothing_is_no_news(cluster: SimulatedCluster, where: str, stale: bool) -> None:
    node = node_of(cluster, "n2")
    node.coordinator.stale = None
    hear(cluster.hosts["n2"], "n1", Observe((AttributeSet(where, "x", "1"),), "x is 1", 0))
    assert node.coordinator.stale == ("x is 1" if stale else None)


def test_a_cleanup_that_finds_nothing_asks_no_agent(cluster: SimulatedCluster) -> None:
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    node.coordinator.stale = None
    assert of_kind(hear(host, "n3", Cleanup(("nothing",), 0)), ev.RunAgent, ev.PublishAttributes) == []
    assert node.coordinator.stale is None


# Who leaves, or is fenced


def test_who_is_released_leaves(cluster: SimulatedCluster) -> None:
    for who, leaves in (("n3", False), ("n2", True)):
        host = cluster.hosts["n2"]
        effects = hear(host, "n1", Release(who, node_of(cluster, "n2").replica.term, 1, 1))
        left = of_kind([*effects, *synchronised(host, effects)], ev.Leave)
        assert [one.why for one in left] == ["all resources of this node are stopped, as was asked"] * leaves


@pytest.mark.parametrize(("who", "leaves"), [("n2", True), ("n3", False)])
def test_whom_the_cluster_has_fenced_and_who_still_lives_ends(
    cluster: SimulatedCluster, who: str, leaves: bool
) -> None:
    """Another is known to be down, and planned without."""
    host, node = cluster.hosts[who], node_of(cluster, who)
    device = Primitive("power", Agent("stonith", "fence_lab"))
    for one in ("n1", who):
        shared = node_of(cluster, one).replica.shared
        cib = replace(shared.cib, configuration=configuration(device, stonith_enabled="true"))
        node_of(cluster, one).replica.shared = replace(shared, cib=cib)
    first = cluster.hosts["n1"]
    boot = node.replica.shared.nodes["n2"].boot
    wanted = FenceWanted("n2", boot, FenceCause.FAILED, "off", "a test", 1)
    (ordered,) = [one for one in told(hear(first, "n1", wanted)) if isinstance(one, FenceOrdered)]
    order = ordered.order
    hear(host, "n1", wanted)
    hear(host, "n1", ordered)
    node.coordinator.stale = None
    ended = FenceEnded(order.executor, order.term, "n2", order.number, True, "", 1)
    effects = hear(host, order.executor, ended)
    assert node.replica.shared.fencing.is_down("n2")
    why = "the cluster has fenced this node, which still lives"
    assert [one.why for one in of_kind(effects, ev.Leave)] == [why] * leaves
    assert node.coordinator.stale == (None if leaves else "n2 is fenced")


def test_that_a_lost_node_does_not_come_back_has_all_planned_anew(cluster: SimulatedCluster) -> None:
    host, node = cluster.hosts["n1"], node_of(cluster, "n1")
    nodes = {**node.replica.shared.nodes, "n3": Member(Presence.UNCLEAN, boot="b3", ends_within_ms=0)}
    cib = replace(node.replica.shared.cib, configuration=configuration(stonith_enabled="false"))
    node.replica.shared = replace(node.replica.shared, nodes=nodes, cib=cib, contested=False)
    node.coordinator.stale = None
    hear(host, "n1", GraceOver("n3"))
    assert node.replica.shared.nodes["n3"].presence is Presence.WAITED
    assert node.coordinator.stale == "n3 did not come back"


# A member's word


def test_its_own_first_report_makes_a_node_part_of_the_cluster_again(cluster: SimulatedCluster) -> None:
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    boot = node.parts.joining.boot
    node.entering.reported, node.parts.recovery.nothing_runs = False, True
    assert emitted(hear(host, "n3", Report("n3", "b3", (), (), (), 0)), "recovered") == []
    assert not node.entering.reported
    assert emitted(hear(host, "n2", Report("n2", boot, ("a",), (), (), 0)), "recovered") == ["no longer running: a"]
    assert (node.entering.reported, node.parts.recovery.nothing_runs) == (True, False)
    assert emitted(hear(host, "n2", Report("n2", boot, (), (), (), 0)), "recovered") == [], "once in a life"


@pytest.mark.parametrize("quorate", [True, False])
def test_without_quorum_what_ends_something_cuts_short_what_only_looks(
    cluster: SimulatedCluster, quorate: bool
) -> None:
    """Others count how long a stop takes, and wait for no monitor besides."""
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    node.replica.shared = replace(node.replica.shared, quorate=quorate)
    looks = run_of(node, "monitor", on="n2")
    order = replace(looks.orders[0], launched=replace(looks.orders[0].launched, interval_ms=10_000))
    assert len(of_kind(hear(host, "n1", replace(looks, orders=(order,))), ev.RunAgent)) == 1
    effects = hear(host, "n1", run_of(node, "stop", on="n2", transition=10))
    assert len(of_kind(effects, ev.CutShort)) == (not quorate)
