"""Nodes that are taken out of a cluster: the others agree on it, over restarts, and go on deciding among themselves."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster

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
