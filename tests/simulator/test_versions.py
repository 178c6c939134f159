"""Members of two versions in one view: all speak what all understand, and the oldest version decides."""

from __future__ import annotations

import json

from test_cuts import configuration

from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.messages import Cleanup
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.simulator.cluster import SimulatedCluster

NOW, NEWER, STRANGE = (2, 3), (2, 4), (4, 4)
"""What this version speaks, one that speaks one more, and one that does not speak ours any more."""


def cluster_of(*protocols: tuple[int, int]) -> tuple[SimulatedCluster, list[int]]:
    """Hosts whose versions speak these, and the protocols in which they speak from now on."""
    names = [f"n{number}" for number in range(1, 1 + len(protocols))]
    cluster = SimulatedCluster(names, 1)
    for host, spoken_there in zip(cluster.hosts.values(), protocols, strict=True):
        host.protocols = spoken_there
    spoken: list[int] = []
    cluster.watch.append(
        lambda host, event, effects: spoken.extend(
            json.loads(effect.data)["v"] for effect in effects if isinstance(effect, ev.Send)
        )
    )
    return cluster, spoken


def members(cluster: SimulatedCluster) -> set[tuple[str, ...]]:
    return {host.node.members for host in cluster.hosts.values() if host.node is not None}


def test_a_view_of_two_versions_speaks_the_older_and_is_led_by_it() -> None:
    cluster, spoken = cluster_of(NEWER, NOW, NEWER)
    cluster.start()
    commit = cluster.apply(configuration("a", fencing=False, prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    assert members(cluster) == {("n1", "n2", "n3")}
    assert set(spoken) == {2, 3}, "what membership speaks of is in the oldest"
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
    assert set(spoken) == {4}
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
        data = seal(Envelope(node.replica.shared.cluster, node.replica.partition.view, "n1", message, 4))
        before = node.skipped
        node.step(ev.Delivered(host.now, "n1", data))
        chains[node.replica.shared.chain] = node.skipped - before
    assert list(chains.values()) == [1], "all alike, and counted"


def compiled_otherwise(configuration: Configuration) -> Configuration:
    """What a later compiler makes of the same files: it writes a default down."""
    return replace(configuration, options=plain({**configuration.options[0].values, "batch-limit": "0"}))


def test_members_whose_compilers_are_of_another_level_take_what_the_dc_makes_of_a_commit() -> None:
    cluster, _ = cluster_of(NOW, NOW, NEWER)
    newer = cluster.hosts["n3"]
    newer.compiler, newer.compile = 2, compiled_otherwise
    cluster.start()
    for number in range(2):  # The newer one may come to its answer before the others, or after them.
        names = ("a", "b")[: number + 1]
        commit = cluster.apply(configuration(*names, fencing=False, prefer={"a": "n3"}), f"n{3 - number}")
        assert cluster.until(
            lambda commit=commit: {h.node.replica.commit for h in cluster.hosts.values()} == {commit}, 20_000
        )
    digests = {host.node.replica.digest for host in cluster.hosts.values() if host.node is not None}
    assert len(digests) == 1
    forms = {digest(host.node.replica.cib.configuration) for host in cluster.hosts.values() if host.node is not None}
    assert forms == digests, "and hold just that"
    newer.crash()
    newer.start()
    cluster.run(10_000)
    assert newer.node is not None
    assert newer.node.replica.digest in digests
    assert cluster.world.faults == []


def test_members_of_one_level_that_compile_differently_refuse() -> None:
    cluster, _ = cluster_of(NOW, NOW, NOW)
    cluster.hosts["n3"].compile = compiled_otherwise
    cluster.start()
    commit = cluster.apply(configuration("a", fencing=False, prefer={"a": "n3"}), "n1")
    cluster.run(10_000)
    assert all(host.node is not None and host.node.replica.commit is None for host in cluster.hosts.values())
    told = [emit.fields for emit in cluster.hosts["n1"].emitted if emit.type == "rejected"]
    assert [fields["proposal"] for fields in told] == [commit]
    assert "differently" in told[0]["reason"]
