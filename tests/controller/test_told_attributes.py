"""What a daemon tells of its node as node attributes: all members learn it, once, and it is told on until they do."""

from __future__ import annotations

from reconciler.cib.observations import transient
from reconciler.controller import events as ev
from reconciler.controller.members import node_state
from reconciler.simulator.cluster import SimulatedCluster


def tell(cluster: SimulatedCluster, node: str, **values: str | None) -> None:
    host = cluster.hosts[node]
    host.tell(ev.AttributesTold(host.now, values))


def known(cluster: SimulatedCluster, of: str) -> list[str | None]:
    """What each member knows of it."""
    nodes = [host.node for host in cluster.hosts.values() if host.node is not None]
    return [transient(node_state(node.replica.shared.cib, of)).get("#word") for node in nodes]


def test_all_members_learn_what_one_tells_and_that_it_is_gone() -> None:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    tell(cluster, "n2", **{"#word": "a"})
    cluster.run(1_000)
    assert known(cluster, "n2") == ["a"] * 3
    told = [e.fields["value"] for e in cluster.hosts["n3"].emitted if e.type == "attribute"]
    tell(cluster, "n2", **{"#word": "a"})
    cluster.run(1_000)
    assert [e.fields["value"] for e in cluster.hosts["n3"].emitted if e.type == "attribute"] == told == ["a"], "once"
    tell(cluster, "n2", **{"#word": None})
    cluster.run(1_000)
    assert known(cluster, "n2") == [None] * 3


def test_who_is_cut_off_tells_it_when_it_is_back() -> None:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    cluster.network.cut([["n2"], ["n1", "n3"]])
    cluster.run(500)
    tell(cluster, "n2", **{"#word": "a"})
    cluster.run(5_000)
    cluster.network.heal()
    assert cluster.until(lambda: known(cluster, "n2") == ["a"] * 3, 60_000)
