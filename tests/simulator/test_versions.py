"""Members of two versions in one view: all speak what all understand, and the oldest version decides."""

from __future__ import annotations

import json

from test_cuts import configuration

from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.messages import Cleanup
from reconciler.simulator.cluster import Cluster

NOW, NEWER, STRANGE = (2, 2), (2, 3), (3, 3)
"""What this version speaks, one that speaks one more, and one that does not speak ours any more."""


def cluster_of(*protocols: tuple[int, int]) -> tuple[Cluster, list[int]]:
    """Hosts whose versions speak these, and the protocols in which they speak from now on."""
    names = [f"n{number}" for number in range(1, 1 + len(protocols))]
    cluster = Cluster(names, 1)
    for host, spoken_there in zip(cluster.hosts.values(), protocols, strict=True):
        host.protocols = spoken_there
    spoken: list[int] = []
    cluster.watch.append(
        lambda host, event, effects: spoken.extend(
            json.loads(effect.data)["v"] for effect in effects if isinstance(effect, ev.Send)
        )
    )
    return cluster, spoken


def members(cluster: Cluster) -> set[tuple[str, ...]]:
    return {host.node.members for host in cluster.hosts.values() if host.node is not None}


def test_a_view_of_two_versions_speaks_the_older_and_is_led_by_it() -> None:
    cluster, spoken = cluster_of(NEWER, NOW, NEWER)
    cluster.start()
    commit = cluster.apply(configuration("a", fencing=False, prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    assert members(cluster) == {("n1", "n2", "n3")}
    assert set(spoken) == {2}
    assert all(host.node is not None and host.node.dc == "n2" for host in cluster.hosts.values())
    assert all(host.node is not None and host.node.replica.commit == commit for host in cluster.hosts.values())


def test_once_the_last_one_is_newer_all_speak_the_newer_and_read_what_they_wrote_before() -> None:
    cluster, spoken = cluster_of(NEWER, NOW, NEWER)
    cluster.start()
    first = cluster.apply(configuration("a", fencing=False, prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    newer = cluster.hosts["n2"]
    newer.crash()
    newer.protocols = NEWER
    newer.start()
    cluster.run(5_000)
    spoken.clear()
    second = cluster.apply(configuration("a", "b", fencing=False, prefer={"a": "n1"}), "n2")
    assert cluster.until(lambda: len(cluster.world.where("b")) == 1, 30_000)
    assert set(spoken) == {3}
    history = [one.commit for one in newer.node.replica.activations] if newer.node else []
    assert history == [first, second]
    assert cluster.world.faults == []


def test_who_speaks_nothing_that_the_others_speak_is_turned_away() -> None:
    cluster, _ = cluster_of(NOW, NOW, STRANGE)
    cluster.start()
    cluster.apply(configuration("a", fencing=False, prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    assert ("n1", "n2") in members(cluster)
    assert "protocol" in (cluster.hosts["n3"].left or ""), "and does not come again and again"


def test_what_is_above_the_protocol_of_the_view_is_skipped_by_those_who_read_it_as_well() -> None:
    cluster, _ = cluster_of(NEWER, NOW, NEWER)
    cluster.start()
    cluster.run(2_000)
    chains: dict[str, int] = {}
    for host in cluster.hosts.values():
        node = host.node
        assert node is not None
        message = Cleanup(("a",), 1)
        data = seal(Envelope(node.replica.shared.cluster, node.replica.partition.view, "n1", message, 3))
        before = node.skipped
        node.step(ev.Delivered(host.now, "n1", data))
        chains[node.replica.shared.chain] = node.skipped - before
    assert list(chains.values()) == [1], "all alike, and counted"
