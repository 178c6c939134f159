"""Commits that a guard holds back, or that a member distrusts: whoever decides, and whoever is lost meanwhile, all members agree."""

from __future__ import annotations

import pytest
from test_cuts import configuration

from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.controller.guarding import GuardPolicy
from reconciler.controller.messages import Message, Reject
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

NAMES = ("n1", "n2", "n3")
PREFER = {"a": "n1", "b": "n3"}
HARMLESS = configuration("a", "b", fencing=True, prefer=PREFER)
HARMFUL = configuration("a", "b", fencing=False, prefer=PREFER)
"""It switches fencing off."""


def running(policies: dict[str, GuardPolicy]) -> SimulatedCluster:
    """Each node demands what it demands, also after a restart."""
    cluster = SimulatedCluster(NAMES, 1)

    def watch(host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        if host.node is not None:
            host.node.proposals.policy = policies[host.name]

    cluster.watch.append(watch)
    cluster.start()
    first = cluster.apply(HARMLESS, "n1")
    assert cluster.until(lambda: active(cluster) == {first})
    cluster.run(15_000)
    return cluster


def active(cluster: SimulatedCluster) -> set[str | None]:
    return {host.node.replica.commit for host in cluster.hosts.values() if host.node is not None}


def dc_of(cluster: SimulatedCluster) -> Host:
    return next(host for host in cluster.hosts.values() if host.node is not None and host.node.is_dc)


def sent(effects: list[ev.Effect]) -> list[Message]:
    return [unseal(effect.data).message for effect in effects if isinstance(effect, ev.Send)]  # type: ignore[misc]


def assert_agreed(cluster: SimulatedCluster) -> None:
    nodes = [host.node for host in cluster.hosts.values() if host.node is not None]
    assert len(nodes) == 3
    assert {node.members for node in nodes} == {NAMES}
    assert len({node.replica.shared.chain for node in nodes}) == 1
    assert {tuple(node.replica.proposals) for node in nodes} == {()}, "every proposal ends"
    assert cluster.world.faults == []


@pytest.mark.parametrize("heard", [False, True], ids=["nobody heard it", "the others heard it"])
def test_a_commit_that_is_held_stays_held_when_the_dc_is_lost_as_it_says_so(heard: bool) -> None:
    cluster = running(dict.fromkeys(NAMES, GuardPolicy()))
    first, lost = active(cluster), dc_of(cluster)

    def watch(host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        if host is lost and any(isinstance(message, Reject) for message in sent(effects)):
            cluster.watch.remove(watch)
            if heard:
                cluster.clock.after(1_000, host.crash)
            else:
                host.crash_after = 0

    cluster.watch.append(watch)
    cluster.apply(HARMFUL, "n2" if lost.name != "n2" else "n3")
    cluster.run(5_000)
    assert lost.node is None
    lost.start()
    cluster.run(60_000)
    assert active(cluster) == first
    assert_agreed(cluster)
    for host in cluster.hosts.values():
        assert host.node is not None
        assert host.node.replica.rejected is not None
        assert [one.code for one in host.node.replica.rejected.answer.findings] == ["needs-consent"]


@pytest.mark.parametrize("strict", NAMES)
def test_where_nodes_demand_different_things_the_dc_decides_and_all_follow(strict: str) -> None:
    policies = {name: GuardPolicy() if name == strict else GuardPolicy(hold=()) for name in NAMES}
    cluster = running(policies)
    first = active(cluster)
    holds = dc_of(cluster).name == strict
    second = cluster.apply(HARMFUL, "n2")
    cluster.run(30_000)
    assert active(cluster) == (first if holds else {second})
    assert_agreed(cluster)


@pytest.mark.parametrize("as_dc", [True, False], ids=["the DC", "another"])
def test_what_one_member_distrusts_becomes_active_nowhere(as_dc: bool) -> None:
    """It was about to become active when that member's process ended, again and again."""
    cluster = running(dict.fromkeys(NAMES, GuardPolicy()))
    first = active(cluster)
    host = next(one for one in cluster.hosts.values() if one.node is not None and one.node.is_dc is as_dc)
    silent = next(one for one in cluster.hosts.values() if one is not host)
    silent.pause()
    wanted = configuration("a", "b", "c", fencing=True, prefer=PREFER)
    second = cluster.apply(wanted, host.name)
    cluster.run(1_000)
    assert host.node is not None
    assert second in host.node.replica.own.prepared
    host.crash()
    start = host.tell
    host.tell = lambda event: start(  # type: ignore[method-assign]
        ev.Started(event.now, event.boot, "the process ended three times within a minute")
        if isinstance(event, ev.Started)
        else event
    )
    host.start()
    cluster.run(1_000)
    silent.resume()
    cluster.run(90_000)
    assert active(cluster) == first
    assert_agreed(cluster)
    later = cluster.apply(wanted, "n1", commit="e" * 40)
    cluster.run(30_000)
    assert active(cluster) == first, f"{later} has the same content"
    last = cluster.apply(configuration("a", "b", "d", fencing=True, prefer=PREFER), "n2")
    cluster.run(30_000)
    assert active(cluster) == {last}
    assert_agreed(cluster)
