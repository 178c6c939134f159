"""What chance shows too rarely, as scripts: each is what one rule of the design is for; `test_broken_rules` breaks it."""

from __future__ import annotations

import base64
import hashlib

import pytest
from test_findings import all_agree, all_have, configuration, dc, nodes, primitive, running, settled

from reconciler.cib.observations import AttributeSet, transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, Envelope, seal
from reconciler.controller.fencing.record import Ordered
from reconciler.controller.members import node_state
from reconciler.controller.messages import Observe
from reconciler.model.resource import Agent, Primitive
from reconciler.simulator.cluster import SimulatedCluster


def rejections(cluster: SimulatedCluster, commit: str) -> list[str]:
    told = [emit for host in cluster.hosts.values() for emit in host.emitted if emit.type == "rejected"]
    return [str(emit.fields["reason"]) for emit in told if emit.fields["proposal"] == commit]


def test_who_can_not_keep_a_commit_refuses_it_and_stays() -> None:
    """Who accepts what is not on its disk finds out at the activation, and has to leave then."""
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    cluster.run(3_000)
    cluster.hosts["n2"].disk.full = True
    second = cluster.apply(configuration(primitive("a"), primitive("b")), "n1")
    assert cluster.until(lambda: bool(rejections(cluster, second)), 10_000), "all hear of the refusal"
    cluster.run(10_000)
    assert len(nodes(cluster)) == 3, "nobody had to leave for it"
    assert all_have(cluster, first)
    assert all("can't keep it" in reason for reason in rejections(cluster, second))


def test_who_can_not_keep_that_it_started_something_leaves_it_to_the_others() -> None:
    """Restarted, it would know of the start before only, and stop the service with the parameters of that."""
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("a", value="1"), prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    cluster.run(3_000)
    second = cluster.apply(configuration(primitive("a", value="2"), prefer={"a": "n1"}), "n2")
    assert cluster.until(lambda: all_have(cluster, second))
    cluster.world.witnessed.clear()
    cluster.hosts["n1"].disk.failing = True
    assert cluster.until(lambda: "start" in [one.task for one in cluster.world.witnessed], 10_000)
    cluster.run(3_000)
    begun = cluster.world.where("a")
    cluster.hosts["n1"].crash()
    cluster.hosts["n1"].disk.failing = False
    cluster.run(3_000)
    cluster.hosts["n1"].start()
    cluster.run(10_000)
    third = cluster.apply(configuration(primitive("a", value="3"), prefer={"a": "n1"}), "n2")
    assert cluster.until(lambda: all_have(cluster, third) and settled(cluster, "a"))
    assert cluster.world.faults == []
    assert begun == ["n2"], "the others have it without waiting for the disk"


def test_what_was_accepted_in_a_former_view_says_nothing_in_the_next() -> None:
    """n3 accepts, loses its disk and comes back before n2 has answered: what it accepted it does not have any more."""
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    cluster.run(3_000)
    third = cluster.hosts["n3"]
    cluster.hosts["n2"].disk.slow_us = 2_000_000
    accepted: list[str] = []
    cluster.watch.append(
        lambda host, event, effects: accepted.extend(
            emit.fields["by"] for emit in effects if isinstance(emit, ev.Emit) and emit.type == "accepted"
        )
    )
    second = cluster.apply(configuration(primitive("a"), primitive("b")), "n1")
    assert cluster.until(lambda: {"n1", "n3"} <= set(accepted), 5_000)
    assert "n2" not in accepted
    third.power_off()
    third.disk.replace()
    third.power_on()
    assert cluster.until(lambda: nodes(cluster)[0].replica.commit == second, 30_000)
    cluster.run(10_000)
    assert all_have(cluster, second)
    told = [emit.fields["what"] for host in cluster.hosts.values() for emit in host.emitted if emit.type == "daemon"]
    assert "diverged" not in told, (
        "who can't carry out what the others activate is not counted among those who accept it"
    )
    assert all_agree(cluster)


def test_an_answer_of_a_device_that_comes_late_says_nothing_of_who_came_back() -> None:
    """The device acts at once and answers after a minute: by then its target has booted, and runs what it did before."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.world.anonymous = frozenset({"power"})
    cluster.start()
    device = Primitive("power", Agent("stonith", "fence_lab"))
    commit = cluster.apply(configuration(device, primitive("a"), prefer={"a": "n3"}, stonith_enabled="true"), "n1")
    assert cluster.until(lambda: all_have(cluster, commit) and cluster.world.where("a") == ["n3"])
    cluster.run(5_000)
    cluster.answer_late_us = 30_000_000
    third = cluster.hosts["n3"]
    third.power_off()

    def is_ordered() -> bool:
        node = cluster.hosts["n1"].node
        return node is not None and isinstance(node.replica.shared.fencing.records.get("n3"), Ordered)

    assert cluster.until(is_ordered, 30_000)
    third.power_on()
    assert cluster.until(lambda: cluster.world.where("a") == ["n3"], 25_000), (
        "it is back, and needs no fencing any more"
    )
    cluster.run(60_000)
    assert cluster.world.where("a") == ["n3"]
    assert cluster.world.doubles == []
    assert all_agree(cluster)


def test_what_is_under_way_when_the_dc_dies_is_not_begun_once_more() -> None:
    cluster = running("n1", "n2", "n3")
    decider = dc(cluster)
    before, after = (name for name in cluster.hosts if name != decider.name)
    cluster.apply(configuration(primitive("a"), prefer={"a": before}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == [before])
    cluster.run(3_000)
    begun: list[str] = []
    cluster.watch.append(
        lambda host, event, effects: begun.extend(
            f"{effect.call.operation} on {host.name}"
            for effect in effects
            if isinstance(effect, ev.RunAgent) and effect.call.operation in ("start", "stop")
        )
    )
    cluster.hanging.add((before, "a", "stop"))
    cluster.apply(configuration(primitive("a"), prefer={"a": after}), before)
    assert cluster.until(lambda: begun == [f"stop on {before}"], 10_000)
    decider.power_off()
    cluster.run(60_000)
    assert begun == [f"stop on {before}"], "it is awaited, and once it has failed nothing more is done"


def test_pieces_that_are_not_those_of_their_digest_are_taken_by_nobody() -> None:
    cluster = running("n1", "n2", "n3")
    commit = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, commit) and settled(cluster, "a"))
    cluster.run(3_000)
    node = cluster.hosts["n2"].node
    assert node is not None
    envelope = Envelope(node.replica.shared.cluster, node.replica.partition.view, "n2", _says("forged"))
    whole = seal(envelope)
    digest = hashlib.sha256(seal(Envelope(envelope.cluster, envelope.view, "n2", _says("meant")))).hexdigest()
    for place, part in enumerate((whole[:100], whole[100:])):
        piece = Chunk(digest, place, 2, base64.b64encode(part).decode())
        cluster.network.send("n2", seal(Envelope(envelope.cluster, envelope.view, "n2", piece)))
    cluster.run(3_000)
    assert [transient(node_state(one.replica.cib, "n2")).get("word") for one in nodes(cluster)] == [None] * 3
    assert all_agree(cluster)


def _says(word: str) -> Observe:
    return Observe((AttributeSet("n2", "word", word),), "", 0)


def cut_off_and_full(*, policy: str) -> SimulatedCluster:
    """n3 runs two services, can't write any more, and then is cut off."""
    cluster = running("n1", "n2", "n3")
    services = configuration(primitive("a"), primitive("b"), prefer={"a": "n3", "b": "n3"}, no_quorum_policy=policy)
    first = cluster.apply(services, "n1")
    assert cluster.until(lambda: all_have(cluster, first) and cluster.world.on("n3") == ["a", "b"])
    cluster.run(3_000)
    cluster.hosts["n3"].disk.full = True
    cluster.network.cut([["n1", "n2"], ["n3"]])
    return cluster


@pytest.mark.parametrize("hangs", [False, True], ids=["its stops work", "one of them hangs"])
def test_who_is_cut_off_and_can_not_promise_stops_what_it_runs_before_it_ends(hangs: bool) -> None:
    """It used to end at once, and let it run: without fencing the others start it once the grace is over."""
    cluster = cut_off_and_full(policy="stop")
    if hangs:
        cluster.hanging.add(("n3", "b", "stop"))
    third = cluster.hosts["n3"]
    assert cluster.until(lambda: third.left is not None, 28_000), "before the grace of the others is over"
    assert "can't promise" in (third.left or "")
    assert cluster.world.on("n3") == (["b"] if hangs else [])
    cluster.run(60_000)
    assert settled(cluster, "a")
    assert [double.resource for double in cluster.world.doubles] == (["b"] if hangs else [])


def test_where_members_without_quorum_go_on_who_can_not_promise_just_ends() -> None:
    cluster = cut_off_and_full(policy="ignore")
    assert cluster.until(lambda: cluster.hosts["n3"].left is not None, 10_000)
    assert cluster.world.on("n3") == ["a", "b"]


def test_who_can_not_promise_among_others_ends_and_lets_run_what_nobody_starts_elsewhere() -> None:
    """That its machine is there the others see, and wait for it, however long."""
    cluster = running("n1", "n2", "n3", "n4")
    first = cluster.apply(configuration(primitive("a"), prefer={"a": "n3"}), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and cluster.world.on("n3") == ["a"])
    cluster.run(3_000)
    cluster.hosts["n3"].disk.full = True
    cluster.hosts["n4"].power_off()
    assert cluster.until(lambda: cluster.hosts["n3"].left is not None, 10_000)
    cluster.run(120_000)
    assert cluster.world.where("a") == ["n3"]
