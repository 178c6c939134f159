"""What a node did wrong as soon as there was a second one, finding by finding, each as a script over the simulated network.

The letters are those of the scenarios in which it was found: the test of scenario S3b begins with `test_s3b_`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import needs_beside

from reconciler.analysis.recording import Launched
from reconciler.cib.canonical import digest
from reconciler.cib.observations import transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import Chunk, Envelope, seal, unseal
from reconciler.controller.members import node_state
from reconciler.controller.messages import Accept, Activate, AgentOrder, Heard, Message, Observe, Reported, Run
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

FINDINGS = Path(__file__).parents[3] / "shared" / "design" / "multi-node-findings.md"


def primitive(id: str, interval: str = "10s", **params: str) -> Primitive:
    agent = Agent("ocf", "Dummy", "reconciler")
    return Primitive(id, agent, params=plain(params), operations=(Operation("monitor", interval),))


def configuration(*resources: Primitive, prefer: dict[str, str] | None = None, **options: str) -> Configuration:
    """Without fencing, unless options say otherwise; `prefer` says which node a resource likes best."""
    written = {"stonith-enabled": "false"} | {name.replace("_", "-"): value for name, value in options.items()}
    constraints = tuple(
        Location(f"{resource}-on-{node}", resource=resource, node=node, score="100")
        for resource, node in (prefer or {}).items()
    )
    return Configuration(options=plain(written), resources=resources, constraints=constraints)


def running(*names: str, others: tuple[str, ...] = (), seed: int = 1) -> SimulatedCluster:
    """A cluster whose nodes know each other; `others` are hosts whose process does not run yet."""
    cluster = SimulatedCluster((*names, *others), seed)
    cluster.start(*names)
    return cluster


def nodes(cluster: SimulatedCluster):
    return [host.node for host in cluster.hosts.values() if host.node is not None]


def all_have(cluster: SimulatedCluster, commit: str) -> bool:
    return all(node.replica.commit == commit for node in nodes(cluster))


def all_agree(cluster: SimulatedCluster) -> bool:
    return len({digest(node.replica.shared) for node in nodes(cluster)}) == 1


def dc(cluster: SimulatedCluster) -> Host:
    return next(host for host in cluster.hosts.values() if host.node is not None and host.node.is_dc)


def message_of(effect: ev.Effect) -> Message | Chunk | None:
    return unseal(effect.data).message if isinstance(effect, ev.Send) else None


def once(
    cluster: SimulatedCluster, wanted: Callable[[Host, Message | Chunk], bool], then: Callable[[Host], None]
) -> None:
    """When a node first sends such a message, something happens before the message has left the host."""
    done = []

    def watcher(host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        for effect in effects:
            message = message_of(effect)
            if message is not None and not done and wanted(host, message):
                done.append(True)
                then(host)

    cluster.watch.append(watcher)


def settled(cluster: SimulatedCluster, *resources: str) -> bool:
    return all(len(cluster.world.where(resource)) == 1 for resource in resources)


def test_three_nodes_run_what_was_committed() -> None:
    cluster = running("n1", "n2", "n3")
    commit = cluster.apply(configuration(primitive("a"), primitive("b")), "n2")
    assert cluster.until(lambda: all_have(cluster, commit) and settled(cluster, "a", "b"))
    cluster.run(5_000)
    assert all_agree(cluster)
    assert cluster.world.faults == []


def test_s2_who_joins_a_running_pair_gets_what_they_have() -> None:
    cluster = running("n1", "n2", others=("n3",))
    first = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, first), 10_000)
    cluster.start("n3")
    assert cluster.until(lambda: all_have(cluster, first), 10_000), "it learns the configuration"
    second = cluster.apply(configuration(primitive("a"), primitive("b")), "n1")
    assert cluster.until(lambda: all_have(cluster, second), 10_000), "and takes part in the next one"


def test_s3_what_ran_on_a_lost_node_runs_elsewhere() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), prefer={"a": "n2"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"])
    cluster.hosts["n2"].power_off()
    assert cluster.until(lambda: settled(cluster, "a"), 60_000)


def test_s3b_what_was_under_way_on_a_lost_node_holds_nothing_up() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.hanging.add(("n2", "a", "start"))
    cluster.apply(configuration(primitive("a"), prefer={"a": "n2"}), "n1")
    assert cluster.until(lambda: "a" in cluster.hosts["n2"].busy and cluster.hosts["n2"].busy["a"].operation == "start")
    cluster.hosts["n2"].power_off()
    assert cluster.until(lambda: settled(cluster, "a"), 100_000)


def test_s4_an_order_from_before_a_freeze_is_obeyed_by_nobody() -> None:
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("b")), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "b"))
    cluster.run(3_000)

    def starts_a(host: Host, message: Message | Chunk) -> bool:
        return isinstance(message, Run) and any(
            (order.launched.resource, order.launched.task) == ("a", "start") for order in message.orders
        )

    once(cluster, starts_a, lambda host: cluster.network.freeze(host.name))
    cluster.apply(configuration(primitive("a"), primitive("b"), prefer={"a": "n3"}), "n2")
    assert cluster.until(lambda: bool(cluster.network.frozen), 10_000), "the DC stands still"
    (frozen,) = cluster.network.frozen
    assert cluster.until(lambda: settled(cluster, "a"), 60_000), "another DC starts it"
    cluster.network.thaw(frozen)
    cluster.run(20_000)
    assert cluster.world.faults == []
    assert settled(cluster, "a")


def test_s5_an_old_result_of_the_same_number_ends_nothing() -> None:
    """A late answer to a former DC's order counted as that to the stop under way: the start went elsewhere while the stop still ran."""
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), prefer={"a": "n2"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"])
    cluster.run(3_000)
    cluster.hanging.add(("n2", "a", "stop"))
    cluster.apply(configuration(primitive("a"), prefer={"a": "n3"}), "n1")
    busy = cluster.hosts["n2"].busy
    assert cluster.until(lambda: "a" in busy and busy["a"].operation == "stop", 10_000)
    node = dc(cluster).node
    assert node is not None
    transition = node.coordinator.transition
    assert transition is not None
    (stop,) = [number for number, (action, _) in transition.running.items() if action.task == "stop"]
    late = Reported(node.replica.term - 1, transition.number, stop, "b", "start", 0, "n3", 0, 0, False, "", 5, (), 0)
    sender = Envelope(node.replica.shared.cluster, node.replica.partition.view, "n3", late)
    cluster.network.send("n3", seal(sender))
    cluster.run(2_000)
    assert dc(cluster).node.coordinator.transition is transition
    assert stop in transition.running, "the stop is still awaited"
    assert cluster.world.where("a") == ["n2"]


def test_s6_who_joins_amid_an_activation_has_it_too() -> None:
    cluster = running("n1", "n2", others=("n3",))
    once(cluster, lambda host, message: isinstance(message, Accept), lambda host: cluster.hosts["n3"].start())
    commit = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and all_have(cluster, commit), 20_000)


def test_s7_an_activation_that_is_lost_with_its_dc_blocks_none_after_it() -> None:
    cluster = running("n1", "n2", "n3")
    once(cluster, lambda host, message: isinstance(message, Activate), lambda host: host.power_off())
    cluster.apply(configuration(primitive("a")), "n2")
    assert cluster.until(lambda: len(nodes(cluster)) == 2, 10_000)
    cluster.run(5_000)
    second = cluster.apply(configuration(primitive("a"), primitive("b")), nodes(cluster)[0].name)
    assert cluster.until(lambda: all_have(cluster, second), 20_000)


def test_s8_a_disk_that_refuses_an_activation_leaves_nobody_behind() -> None:
    cluster = running("n1", "n2", "n3")

    def refuse(host: Host) -> None:
        cluster.hosts["n2"].disk.failing = True

    once(cluster, lambda host, message: isinstance(message, Activate), refuse)
    first = cluster.apply(configuration(primitive("a")), "n1")
    cluster.run(10_000)
    cluster.hosts["n2"].disk.failing = False
    cluster.hosts["n2"].start()
    cluster.run(5_000)
    assert all_have(cluster, first)
    second = cluster.apply(configuration(primitive("a"), primitive("b")), "n1")
    assert cluster.until(lambda: all_have(cluster, second), 20_000)
    assert all_agree(cluster)


def test_s9_a_result_that_was_lost_on_its_way_is_told_again() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), prefer={"a": "n3"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n3"])
    cluster.run(12_000)

    def lose(host: Host) -> None:
        cluster.network.cut([["n1", "n2"], ["n3"]])
        cluster.clock.after(3_700_000, cluster.network.heal)

    once(cluster, lambda host, m: isinstance(m, Reported) and m.failed and m.interval_ms > 0, lose)
    del cluster.world.running["n3", "a"]
    cluster.run(90_000)
    assert settled(cluster, "a")
    assert cluster.world.faults == []


def test_s10_an_id_that_a_commit_gives_a_node_changes_nothing() -> None:
    cluster = running("n1")
    cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: settled(cluster, "a"))
    named = replace(configuration(primitive("a"), primitive("b")), nodes=(NodeDefinition("n1", id="1"),))
    cluster.apply(named, "n1")
    assert cluster.until(lambda: settled(cluster, "a", "b"), 20_000)
    cluster.run(10_000)
    assert nodes(cluster)[0].coordinator.converged
    assert cluster.world.faults == []


def test_s11_an_agent_that_changes_its_mind_within_a_round_trip_is_believed() -> None:
    """It said 10, then 5, then 10 before the 5 was delivered: that was no news by what was delivered, and 5 stayed for good."""
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a", interval="1s"), prefer={"a": "n2"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"])

    def told() -> list[str | None]:
        return [transient(node_state(node.replica.cib, "n2")).get("level") for node in nodes(cluster)]

    cluster.world.attributes["n2", "a"] = {"level": "10"}
    assert cluster.until(lambda: told() == ["10"] * 3, 5_000)
    host, sent = cluster.hosts["n2"], []
    cluster.watch.append(lambda one, event, effects: sent.extend(map(message_of, effects)) if one is host else None)
    cluster.network.slow_us = 8_000_000
    cluster.world.attributes["n2", "a"] = {"level": "5"}
    assert cluster.until(lambda: any(type(message) is Observe for message in sent), 5_000)
    cluster.world.attributes["n2", "a"] = {"level": "10"}
    cluster.run(1_500)
    assert told() == ["10"] * 3, "the 5 is still on its way"
    cluster.network.slow_us = 0
    cluster.run(30_000)
    assert told() == ["10"] * 3


def test_s12_who_was_cut_off_and_comes_back_has_what_the_others_have() -> None:
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("a"), prefer={"a": "n1"}), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    cluster.network.cut([["n1"], ["n2", "n3"]])
    cluster.run(10_000)
    second = cluster.apply(configuration(primitive("a"), primitive("b")), "n2")
    both = [cluster.hosts["n2"], cluster.hosts["n3"]]
    assert cluster.until(lambda: all(host.node.replica.commit == second for host in both), 20_000)
    cluster.network.heal()
    assert cluster.until(lambda: all_have(cluster, second), 20_000)
    cluster.run(60_000)
    assert all_agree(cluster)
    assert cluster.world.faults == []
    assert settled(cluster, "a", "b")


def test_s13_who_is_told_that_it_is_alone_before_it_is_told_of_quorum_activates_nothing() -> None:
    cluster = running("n1", "n2", "n3")
    first = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all_have(cluster, first))
    cluster.network.stale_verdicts = True
    cluster.network.cut([["n1"], ["n2", "n3"]])
    alone = cluster.hosts["n1"]
    assert cluster.until(lambda: len(alone.node.members) == 1, 10_000)
    cluster.apply(configuration(primitive("a"), primitive("b")), "n1")
    cluster.run(20_000)
    assert alone.node.replica.commit == first


def test_s14_any_node_can_be_stopped_not_only_the_dc() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), prefer={"a": "n2"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"])
    cluster.run(2_000)
    cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)
    assert cluster.until(lambda: settled(cluster, "a"), 10_000)
    assert cluster.world.faults == []


def test_s15_a_node_that_can_not_stop_something_is_fenced_as_planned() -> None:
    """A planned fencing had nobody to carry it out: "nothing here can carry it out"."""
    cluster = running("n1", "n2", "n3")
    cluster.world.anonymous = frozenset({"power"})
    device = Primitive("power", Agent("stonith", "fence_lab"))
    cluster.apply(configuration(device, primitive("a"), prefer={"a": "n2"}, stonith_enabled="true"), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"])
    cluster.run(3_000)
    cluster.world.failing["n2", "a", "stop"] = 1
    cluster.apply(configuration(device, primitive("a"), prefer={"a": "n3"}, stonith_enabled="true"), "n1")
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 30_000), "it is switched off"
    assert cluster.until(lambda: cluster.world.where("a") == ["n3"], 10_000)
    refused = [e for host in cluster.hosts.values() for e in host.emitted if e.fields.get("status") == "not-possible"]
    assert refused == []
    assert cluster.world.doubles == []


def test_s17_a_commit_that_is_examined_while_somebody_joins_comes_to_an_end() -> None:
    cluster = running("n1", "n2", others=("n3",))
    once(cluster, lambda host, message: type(message).__name__ == "Propose", lambda host: cluster.hosts["n3"].start())
    commit = cluster.apply(configuration(primitive("a")), "n1")
    cluster.run(70_000)
    ended = [emit for host in cluster.hosts.values() for emit in host.emitted if emit.type in ("activated", "rejected")]
    assert {emit.fields["proposal"] for emit in ended} == {commit}
    assert all_agree(cluster)


def test_a_commit_that_was_lost_with_its_view_is_proposed_in_the_next_one() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.network.cut([["n1", "n2"], ["n3"]])
    commit = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: all(node.replica.commit == commit for node in nodes(cluster)[:2]), 20_000)


def test_s19_while_one_looks_for_what_it_ran_another_decides() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), primitive("b"), prefer={"a": "n1", "b": "n2"}), "n1")
    assert cluster.until(lambda: settled(cluster, "a", "b"))
    cluster.run(15_000)
    cluster.hanging.add(("n1", "a", "monitor"))
    cluster.hosts["n1"].crash()
    cluster.run(100)
    cluster.hosts["n1"].start()
    del cluster.world.running["n2", "b"]
    assert cluster.until(lambda: settled(cluster, "b"), 15_000)


def test_who_waits_on_any_node_learns_that_nothing_is_left_to_do() -> None:
    cluster = running("n1", "n2", "n3")
    commit = cluster.apply(configuration(primitive("a")), "n3")
    assert cluster.until(lambda: all(node.converged and node.replica.commit == commit for node in nodes(cluster)))
    cluster.run(1_000)
    assert all(node.converged for node in nodes(cluster))
    told = [[emit for emit in host.emitted if emit.type == "converged"] for host in cluster.hosts.values()]
    assert len({str(emits[-1].fields) for emits in told}) == 1
    assert told[0][-1].fields["commit"] == commit


def test_who_stood_still_starts_nothing_by_a_word_that_only_it_has_heard() -> None:
    """It thaws, and delivers to itself what it sends, for some moments longer than it takes to begin something."""
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), prefer={"a": "n3"}), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n3"])
    cluster.run(3_000)
    dc_host = dc(cluster)
    node = dc_host.node
    assert node is not None
    others = [name for name in cluster.hosts if name != dc_host.name]
    order = AgentOrder(
        1, 20_000, Launched("a", "start", dc_host.name, dc_host.name, Agent("ocf", "Dummy", "x"), "1:9:0:u")
    )
    effects = node.step(
        ev.Delivered(
            dc_host.now,
            dc_host.name,
            seal(Envelope("", node.replica.partition.view, dc_host.name, Run(node.replica.term, 9, (order,), 1))),
        )
    )
    assert not any(isinstance(effect, ev.RunAgent) for effect in effects)
    heard = [Heard(name, node.replica.term, 9, 1) for name in (dc_host.name, *others)]
    begun = []
    for message in heard:
        data = seal(Envelope("", node.replica.partition.view, message.node, message))
        told = node.step(ev.Delivered(dc_host.now, message.node, data))
        begun.append(any(isinstance(effect, ev.RunAgent) for effect in told))
    assert begun == [False, True, False], "two of three votes are most"


@pytest.mark.parametrize("fencing", [False, True])
def test_what_was_begun_is_known_to_whoever_comes_after(fencing: bool) -> None:
    """All but one of those who had heard of a start die before it is on their disks, and the node that carried it out is not there."""
    cluster = running("n1", "n2", "n3")
    cluster.world.anonymous = frozenset({"power"})
    device = (Primitive("power", Agent("stonith", "fence_lab")),) if fencing else ()
    options = {"stonith_enabled": "true"} if fencing else {}
    first = cluster.apply(configuration(*device, primitive("a"), prefer={"a": "n1"}, **options), "n1")
    assert cluster.until(lambda: all_have(cluster, first) and settled(cluster, "a"))
    cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 10_000)
    cluster.run(1_000)
    liked = {"a": "n1", "c": "n1"}
    cluster.apply(configuration(*device, primitive("a"), primitive("c"), prefer=liked, **options), "n1")
    assert cluster.until(lambda: cluster.world.where("c") == ["n1"], 10_000)
    witness = cluster.hosts["n3"]
    del witness.disk.records[witness.disk.durable :]
    witness.power_off()
    cluster.hosts["n1"].crash()
    witness.power_on()
    cluster.hosts["n2"].start()
    cluster.run(60_000)
    assert cluster.world.doubles == []


def test_what_is_not_configured_any_more_and_could_not_be_stopped_is_looked_up_after_a_cleanup() -> None:
    """Forgotten as well as removed, it would run for ever, unseen."""
    cluster = running("n1", "n2", "n3")
    cluster.apply(configuration(primitive("a"), primitive("b"), prefer={"a": "n2", "b": "n1"}), "n1")
    assert cluster.until(lambda: settled(cluster, "a", "b"))
    cluster.run(5_000)
    cluster.world.failing["n2", "a", "stop"] = 1
    second = cluster.apply(configuration(primitive("b"), prefer={"b": "n1"}), "n1")
    assert cluster.until(lambda: all_have(cluster, second))
    cluster.run(30_000)
    assert cluster.world.where("a") == ["n2"], "it could not be stopped"
    cluster.world.failing.clear()
    host = cluster.hosts["n1"]
    host.tell(ev.CleanupAsked(host.now, ("a",)))
    assert cluster.until(lambda: cluster.world.where("a") == [], 30_000)
    cluster.run(10_000)
    histories = {one.id for state in nodes(cluster)[0].replica.cib.status.nodes for one in state.history}
    assert "a" not in histories, "and is forgotten then"
    assert cluster.world.faults == []


def test_who_comes_back_does_not_take_the_place_of_the_dc() -> None:
    cluster = running("n1", "n2", "n3")
    cluster.run(5_000)
    first = dc(cluster)
    for _ in range(2):
        first.crash()
        cluster.run(5_000)
        other = dc(cluster).name
        first.start()
        cluster.run(10_000)
        assert dc(cluster).name == other != first.name
        assert len(nodes(cluster)) == 3


@needs_beside(FINDINGS)
def test_every_scenario_has_its_script() -> None:
    named = set(re.findall(r"\[(S\d+b?)\b", FINDINGS.read_text(encoding="utf-8")))
    tested = {name.split("_")[1].upper().replace("B", "b") for name in globals() if re.match(r"test_s\d+b?_", name)}
    assert len(named) == 17
    assert named == tested
