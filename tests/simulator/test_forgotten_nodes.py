"""Nodes that are taken out of a cluster: the others agree on it, over restarts, and go on deciding among themselves."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from reconciler.controller import events as ev
from reconciler.controller.forgetting import Unforgettable, why_kept
from reconciler.controller.shared import unforgettable
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.faults import Fault, Trouble
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import Scenario, scenario

FILES = Primitive("files", Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))


@pytest.fixture
def cluster() -> SimulatedCluster:
    made = SimulatedCluster(("n1", "n2", "n3"), 1)
    made.start()
    made.apply(Configuration(options=plain({"stonith-enabled": "false"}), resources=(FILES,)), "n1")
    assert made.until(lambda: len(made.world.where("files")) == 1)
    made.run(15_000)
    return made


def forget(cluster: SimulatedCluster, name: str, at: str) -> None:
    cluster.hosts[at].tell(ev.ForgetAsked(cluster.hosts[at].now, name))
    cluster.run(2_000)


def leave(cluster: SimulatedCluster, name: str) -> None:
    host = cluster.hosts[name]
    host.tell(ev.StopAsked(host.now))
    assert cluster.until(lambda: host.node is None, 60_000)
    cluster.run(2_000)


def known(cluster: SimulatedCluster, at: str) -> tuple[set[str], set[str], set[str]]:
    node = cluster.hosts[at].node
    assert node is not None
    shared = node.replica.shared
    return set(shared.votes), set(shared.nodes), {one.name for one in shared.cib.status.nodes}


def test_who_has_left_is_forgotten_on_all_and_after_a_restart(cluster: SimulatedCluster) -> None:
    leave(cluster, "n3")
    forget(cluster, "n3", "n1")
    left = {"n1", "n2"}
    assert [known(cluster, name) for name in ("n1", "n2")] == [(left, left, left)] * 2
    cluster.hosts["n2"].crash()
    cluster.run(500)
    cluster.hosts["n2"].start()
    assert cluster.until(lambda: cluster.hosts["n2"].node is not None and known(cluster, "n2") == (left, left, left))
    cluster.run(60_000)
    assert cluster.hosts["n1"].node is not None
    assert cluster.hosts["n1"].node.members == ("n1", "n2")


def test_who_is_only_lost_is_not_forgotten(cluster: SimulatedCluster) -> None:
    cluster.network.cut([["n1", "n2"], ["n3"]])
    cluster.run(2_000)
    forget(cluster, "n3", "n1")
    forget(cluster, "n1", "n3")
    assert "n3" in known(cluster, "n1")[0]
    assert "n1" in known(cluster, "n3")[0]


def test_who_comes_back_under_a_name_that_was_forgotten_is_one_of_them_again(cluster: SimulatedCluster) -> None:
    leave(cluster, "n3")
    forget(cluster, "n3", "n2")
    cluster.hosts["n3"].start()
    everybody = {"n1", "n2", "n3"}
    assert cluster.until(lambda: known(cluster, "n1") == (everybody, everybody, everybody), 60_000)
    cluster.run(30_000)
    digests = {host.node.replica.shared.chain for host in cluster.hosts.values() if host.node is not None}
    assert len(digests) == 1


class ForgetfulLife(Life):
    """A life in which operators take nodes out of the cluster at every turn, those that may be forgotten as a rule."""

    def __init__(self, scene: Scenario) -> None:
        super().__init__(scene)
        self.chance = Random(scene.seed)
        self.forgotten = 0

    def _perform(self, fault: Fault) -> None:
        super()._perform(fault)
        for _ in range(2):
            self._forget()

    def _forget(self) -> None:
        asked = [host for host in self.cluster.hosts.values() if host.node is not None and not host.is_frozen]
        pairs = [(host, name) for host in asked for name in self.cluster.hosts]
        may = [(host, name) for host, name in pairs if host.node and not unforgettable(host.node.replica.shared, name)]
        if not pairs or self.chance.random() < 0.3:
            return
        host, name = self.chance.choice(may if may and self.chance.random() < 0.8 else pairs)
        self.forgotten += (host, name) in may
        host.tell(ev.ForgetAsked(host.now, name))
        self._run_to(self.cluster.clock.now_us + self.chance.choice((0, 1_000, 50_000, 2_000_000)))


def lived(seed: int) -> Scenario:
    """A drawn life in which no disk is lost.

    The hosts' corosync goes on listing who was forgotten, so that it comes back without a vote until a quorate view takes it in. Where the
    disk of another one is lost then, most votes are lost, and an operator is waited for.
    """
    drawn = scenario(seed, toy=True)
    lost = (Trouble.REPLACE_DISK, Trouble.RESTORE_DISK)
    return replace(drawn, faults=tuple(fault for fault in drawn.faults if fault.trouble not in lost))


def broken_lives(seeds: range) -> tuple[list[tuple[int, str]], int]:
    """The lives that broke a rule, with the rule; and how many nodes were forgotten in all of them."""
    lives = [ForgetfulLife(lived(seed)) for seed in seeds]
    verdicts = [(life.scenario.seed, life.live().broken) for life in lives]
    return [(seed, broken) for seed, broken in verdicts if broken is not None], sum(one.forgotten for one in lives)


def test_no_life_is_worse_for_nodes_that_are_forgotten() -> None:
    broken, forgotten = broken_lives(range(60))
    assert broken == []
    assert forgotten >= 10


def test_where_nodes_are_forgotten_that_may_run_something_lives_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(*arguments: Any, may_decide: bool) -> Unforgettable | None:
        why = why_kept(*arguments, may_decide=may_decide)
        return None if why is Unforgettable.NOT_DOWN else why

    monkeypatch.setattr("reconciler.controller.shared.why_kept", lenient)
    broken, _ = broken_lives(range(30))
    assert any("while it runs on" in rule for _, rule in broken)
