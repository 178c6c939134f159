"""Commits whose objects some members lack: they get them from others, whoever of those is lost or sends what is no good."""

from __future__ import annotations

from test_findings import all_agree, all_have, configuration, nodes, once, primitive, running, settled
from test_rare_faults import rejections

from reconciler.controller.envelope import Chunk, unseal
from reconciler.controller.messages import Accept, CommitPack, Message, Propose, WantCommit
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host


def pair_and_holders(*holders: str) -> tuple[SimulatedCluster, str]:
    """Four nodes, and the name of the next commit, whose objects only these have."""
    cluster = running("n1", "n2", "n3", "n4")
    first = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    commit = f"{len(cluster.commits) + 1:040x}"
    for host in cluster.hosts.values():
        if host.name not in holders:
            host.lacks.add(commit)
    return cluster, commit


def offer(cluster: SimulatedCluster, host: str, *, made_here: bool = False) -> None:
    cluster.apply(configuration(primitive("a"), primitive("b")), host, made_here=made_here)


def noting(cluster: SimulatedCluster) -> list[Message]:
    """What is sent of commits from now on."""
    told, send = list[Message](), cluster.network.send

    def note(node: str, payload: bytes) -> None:
        message = unseal(payload).message
        if isinstance(message, Propose | CommitPack | WantCommit):
            told.append(message)
        send(node, payload)

    cluster.network.send = note  # type: ignore[method-assign]  # The one place where all that is sent goes by.
    return told


def packs_told(cluster: SimulatedCluster) -> list[str]:
    told = [emit for host in cluster.hosts.values() for emit in host.emitted if emit.type == "daemon"]
    return [str(emit.fields["text"]) for emit in told if emit.fields["what"] == "pack"]


def test_who_lacks_the_objects_of_a_commit_gets_them_from_who_has_them() -> None:
    cluster, commit = pair_and_holders("n2")
    offer(cluster, "n2")
    assert cluster.until(lambda: all_have(cluster, commit), 5_000)
    assert all(host.lacks == set() for host in cluster.hosts.values())
    assert all_agree(cluster)


def test_who_gets_a_damaged_pack_asks_somebody_else() -> None:
    cluster, commit = pair_and_holders("n2", "n3")
    cluster.hosts["n2"].spoils_packs = True
    offer(cluster, "n2")
    assert cluster.until(lambda: all_have(cluster, commit), 5_000)
    assert any("it is damaged" in text for text in packs_told(cluster))


def test_when_who_was_asked_is_lost_another_one_is_asked() -> None:
    cluster, commit = pair_and_holders("n2", "n3")
    once(cluster, lambda host, message: isinstance(message, WantCommit), lambda host: cluster.hosts["n2"].power_off())
    offer(cluster, "n2")
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and all_have(cluster, commit), 20_000)
    assert all_agree(cluster)


def test_a_commit_whose_objects_are_lost_with_their_only_holder_is_refused_by_all() -> None:
    cluster, commit = pair_and_holders("n2")
    once(cluster, lambda host, message: isinstance(message, WantCommit), lambda host: cluster.hosts["n2"].power_off())
    offer(cluster, "n2")
    assert cluster.until(lambda: len(rejections(cluster, commit)) >= 3, 70_000), "the proposal ends"
    assert not any(node.replica.shared.proposals for node in nodes(cluster))
    assert not any(node.replica.commit == commit for node in nodes(cluster))


def test_what_was_made_on_a_node_nobody_has_to_ask_for() -> None:
    cluster, commit = pair_and_holders("n2")
    told = noting(cluster)
    offer(cluster, "n2", made_here=True)
    assert cluster.until(lambda: all_have(cluster, commit) and all_agree(cluster), 5_000)
    assert [type(message) for message in told] == [CommitPack, Propose]
    assert all(host.lacks == set() for host in cluster.hosts.values())


def test_what_was_made_on_a_node_and_comes_damaged_is_asked_of_others() -> None:
    cluster, commit = pair_and_holders("n2", "n3")
    cluster.hosts["n2"].spoils_packs = True
    offer(cluster, "n2", made_here=True)
    assert cluster.until(lambda: all_have(cluster, commit) and all_agree(cluster), 5_000)
    assert any("it is damaged" in text for text in packs_told(cluster))


def test_when_who_made_a_commit_is_lost_after_it_was_sent_it_becomes_active_all_the_same() -> None:
    cluster, commit = pair_and_holders("n2")

    def accepts(host: Host, message: Message | Chunk) -> bool:
        return isinstance(message, Accept) and host.name != "n2"

    once(cluster, accepts, lambda host: cluster.hosts["n2"].power_off())
    offer(cluster, "n2", made_here=True)
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and all_have(cluster, commit), 20_000)
    assert all_agree(cluster)
