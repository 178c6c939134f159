"""What a node tells of its own watchdog device, and when others may count on that."""

from __future__ import annotations

from reconciler.controller import events as ev

from .among import cluster_of, node_of


def test_what_a_node_promises_is_known_on_it_and_can_be_taken_back() -> None:
    cluster = cluster_of("n1", "n2", "n3")
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    assert node.self_resets == {}
    host.tell(ev.WatchdogPromised(60_000, host.now))
    cluster.run(100)
    assert node.self_resets == node_of(cluster, "n3").self_resets == {"n2": 60_000}
    host.tell(ev.WatchdogPromised(0, host.now))
    cluster.run(100)
    assert node.self_resets == {}
