"""Fencing in whole clusters: who is lost is down before what it ran runs elsewhere, whoever decides, and whatever devices do."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.fencing.record import Down, Ordered, Wanted
from reconciler.controller.membership.presence import Presence
from reconciler.controller.node import Node
from reconciler.controller.telling import open_fencings
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import Devices, SimulatedCluster
from reconciler.simulator.host import Host

DEVICE = Primitive("power", Agent("stonith", "fence_lab"))
SERVICE = Primitive("a", Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))


def cluster_with(*, on: str = "n2", device: Primitive = DEVICE, **options: str) -> SimulatedCluster:
    """Three nodes with a device, and a service that likes one of them best."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    written = {"stonith-enabled": "true"} | {name.replace("_", "-"): value for name, value in options.items()}
    likes = Location("best", resource="a", node=on, score="100")
    configuration = Configuration(options=plain(written), resources=(device, SERVICE), constraints=(likes,))
    cluster.apply(configuration, "n1")
    assert cluster.until(lambda: cluster.world.where("a") == [on])
    cluster.run(2_000)
    return cluster


def record_of(cluster: SimulatedCluster, target: str, seen_by: str = "n1"):
    node = cluster.hosts[seen_by].node
    assert node is not None
    return node.replica.shared.fencing.records.get(target)


def told(cluster: SimulatedCluster, host: Host, what: str) -> list[str]:
    return [e.fields["text"] for e in host.emitted if e.type == "fencing" and e.fields["what"] == what]


def test_a_lost_node_is_fenced_before_what_it_ran_runs_elsewhere() -> None:
    cluster = cluster_with()
    cluster.network.cut([["n2"], ["n1", "n3"]])
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 60_000), "it is switched off"
    assert cluster.world.where("a") == []
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 10_000)
    assert cluster.world.faults == []
    assert isinstance(record_of(cluster, "n2"), Down)


@pytest.mark.parametrize("most", [None, "40s"])
def test_a_device_waits_as_long_as_its_order_says(most: str | None) -> None:
    delays = {"pcmk_delay_base": "20s"} | ({} if most is None else {"pcmk_delay_max": most})
    cluster = cluster_with(device=replace(DEVICE, params=plain(delays)))
    cluster.network.cut([["n2"], ["n1", "n3"]])
    assert cluster.until(lambda: isinstance(record_of(cluster, "n2"), Ordered), 60_000)
    cluster.run(20_000)
    assert cluster.hosts["n2"].on
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 5_000 if most is None else 25_000)


def test_it_comes_back_as_somebody_new_and_is_clean() -> None:
    cluster = cluster_with()
    cluster.network.cut([["n2"], ["n1", "n3"]])
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 60_000)
    cluster.network.heal()
    assert cluster.until(lambda: cluster.hosts["n2"].on and record_of(cluster, "n2") is None, 60_000)
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 30_000), "it may run there again"
    assert cluster.world.faults == []


def test_as_long_as_no_device_works_nothing_is_started_twice() -> None:
    cluster = cluster_with()
    cluster.fencing_fails = True
    cluster.network.cut([["n2"], ["n1", "n3"]])
    cluster.run(120_000)
    assert cluster.world.where("a") in ([], ["n2"]), "it may have stopped there by itself"
    assert isinstance(record_of(cluster, "n2"), Wanted | Ordered)
    assert len(record_of_history(cluster)) > 3, "it is tried again and again"
    cluster.fencing_fails = False
    assert cluster.until(lambda: cluster.world.where("a") in (["n1"], ["n3"]), 400_000)
    assert cluster.world.faults == []


def record_of_history(cluster: SimulatedCluster):
    node = cluster.hosts["n1"].node
    assert node is not None
    return node.replica.shared.fencing.history


def test_an_operator_vouches_for_a_node_that_nothing_can_fence() -> None:
    cluster = cluster_with()
    cluster.fencing_fails = True
    cluster.hosts["n2"].power_off()
    assert cluster.until(lambda: record_of(cluster, "n2") is not None, 30_000)
    cluster.run(5_000)
    assert cluster.world.where("a") == []
    host = cluster.hosts["n3"]
    host.tell(ev.ConfirmAsked(host.now, "n2", "ann"))
    assert cluster.until(lambda: cluster.world.where("a") in (["n1"], ["n3"]), 10_000)
    down = record_of(cluster, "n2")
    assert isinstance(down, Down)
    assert down.by == "ann"


def test_a_member_is_confirmed_by_nobody() -> None:
    cluster = cluster_with()
    host = cluster.hosts["n3"]
    host.tell(ev.ConfirmAsked(host.now, "n2", "ann"))
    cluster.run(2_000)
    assert record_of(cluster, "n2") is None
    assert cluster.world.where("a") == ["n2"]


def test_when_the_dc_and_its_order_are_lost_another_one_fences() -> None:
    cluster = cluster_with(on="n3")
    cluster.hosts["n3"].power_off()
    assert cluster.until(lambda: isinstance(record_of(cluster, "n3"), Ordered), 30_000)
    order = record_of(cluster, "n3").order
    cluster.hosts[order.executor].power_off()
    left = next(name for name in ("n1", "n2") if name != order.executor)
    cluster.run(10_000)
    assert isinstance(record_of(cluster, "n3", left), Wanted), "one of three decides nothing"
    cluster.hosts[order.executor].power_on()
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 60_000)
    assert cluster.world.faults == []


def test_whom_the_cluster_fenced_begins_nothing_though_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device says that it did, and did nothing."""
    cluster = cluster_with()
    monkeypatch.setattr(cluster, "fence", lambda target, action: True)
    cluster.network.cut([["n2"], ["n1", "n3"]])
    assert cluster.until(lambda: isinstance(record_of(cluster, "n2"), Down), 60_000)
    cluster.network.heal()
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)
    assert "fenced" in (cluster.hosts["n2"].left or "")


def test_a_node_whose_process_is_gone_is_fenced_once_its_grace_is_over() -> None:
    cluster = cluster_with()
    cluster.hosts["n2"].crash()
    cluster.run(10_000)
    assert record_of(cluster, "n2") is None, "it may be back"
    node = cluster.hosts["n1"].node
    assert node is not None
    assert node.replica.shared.nodes["n2"].presence is Presence.PENDING
    assert cluster.world.where("a") == ["n2"]
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 30_000)
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 10_000)
    assert cluster.world.faults == []


def test_a_node_gets_its_way_to_the_resources_before_anything_that_needs_it_runs_there() -> None:
    """By all devices that do that, and once: what is remembered on the node says so."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    ways = tuple(
        Primitive(name, Agent("stonith", "fence_lab"), meta=plain({"provides": "unfencing"}))
        for name in ("left", "right")
    )
    needy = replace(SERVICE, meta=plain({"requires": "unfencing"}))
    asked: list[tuple[str, str, str]] = []
    cluster.watch.append(
        lambda host, event, effects: asked.extend(
            (effect.order.target, effect.order.step.device, effect.order.step.action)
            for effect in effects
            if isinstance(effect, ev.CallFenceAgent)
        )
    )
    likes = Location("best", resource="a", node="n2", score="100")
    options = plain({"stonith-enabled": "true"})
    cluster.apply(Configuration(options=options, resources=(DEVICE, *ways, needy), constraints=(likes,)), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 60_000)
    assert sorted(asked) == [(node, way, "on") for node in ("n1", "n2", "n3") for way in ("left", "right")]
    assert all(host.boot == 1 for host in cluster.hosts.values()), "nobody was switched off"
    cluster.run(60_000)
    assert len(asked) == 6, "once"
    node = cluster.hosts["n1"].node
    assert node is not None
    assert node.replica.shared.fencing.records == {}
    assert cluster.world.faults == []


def test_a_node_that_no_device_could_fence_is_fenced_once_a_commit_brings_one() -> None:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    likes = Location("best", resource="a", node="n2", score="100")
    without = Configuration(options=plain({"stonith-enabled": "true"}), resources=(SERVICE,), constraints=(likes,))
    cluster.apply(without, "n1")
    cluster.run(5_000)
    cluster.network.cut([["n2"], ["n1", "n3"]])
    cluster.run(10_000)
    assert warnings(cluster) == ["n2 is to be fenced, and no device can do that"]
    cluster.fencing_fails = True
    cluster.apply(replace(without, resources=(DEVICE, SERVICE)), "n1")
    assert cluster.until(lambda: "n2 is to be fenced; last, n" in "".join(warnings(cluster)), 30_000), warnings(cluster)
    cluster.fencing_fails = False
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 90_000)
    cluster.run(60_000)
    assert warnings(cluster) == []


def warnings(cluster: SimulatedCluster) -> list[str]:
    node = cluster.hosts["n1"].node
    assert node is not None
    return list(open_fencings(node.replica.shared))


def beginning(*there: str, **options: str) -> SimulatedCluster:
    """Three nodes with a device are configured, and these are there."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start(*there)
    written = {"stonith-enabled": "true"} | {name.replace("_", "-"): value for name, value in options.items()}
    nodes = tuple(NodeDefinition(name) for name in cluster.hosts)
    cluster.apply(Configuration(nodes=nodes, options=plain(written), resources=(DEVICE, SERVICE)), "n1")
    return cluster


def was_fenced(cluster: SimulatedCluster, target: str) -> bool:
    node = cluster.hosts["n1"].node
    assert node is not None
    return any(line.target == target and line.what != "return" for line in node.replica.shared.fencing.history)


def test_who_comes_later_than_the_others_when_all_are_switched_on_is_not_fenced() -> None:
    cluster = beginning("n1", "n2")
    cluster.run(15_000)
    assert isinstance(record_of(cluster, "n3"), Wanted), "what it may run is unknown as long as it is not there"
    assert cluster.world.where("a") == [], "so nothing is started"
    cluster.start("n3")
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 10_000)
    cluster.run(30_000)
    assert record_of(cluster, "n3") is None
    assert not was_fenced(cluster, "n3")


@pytest.mark.parametrize(("deadtime", "within_ms"), [("20s", 20_000), ("5s", 5_000), ("0", 0)])
def test_who_was_never_seen_is_fenced_after_the_time_for_booting_and_then_all_is_at_rest(
    deadtime: str, within_ms: int
) -> None:
    cluster = beginning("n1", "n2", dc_deadtime=deadtime)
    if within_ms:
        cluster.run(within_ms - 500)
        assert not was_fenced(cluster, "n3")
    assert cluster.until(lambda: was_fenced(cluster, "n3"), 10_000), "the device takes a while"
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 10_000)
    cluster.hosts["n3"].power_off()  # It would come back as somebody new.
    cluster.run(30_000)
    nodes = [host.node for name, host in cluster.hosts.items() if host.node is not None and name != "n3"]
    assert [node.converged for node in nodes] == [True, True], "that it is down is known to the scheduler"


def test_who_was_there_is_fenced_at_once_however_young_the_cluster_is() -> None:
    cluster = beginning("n1", "n2", "n3")
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 10_000)
    cluster.hosts["n3"].power_off()
    assert cluster.until(lambda: was_fenced(cluster, "n3"), 5_000)


def test_when_all_lost_their_power_the_slowest_has_its_time_to_come_back() -> None:
    cluster = cluster_with(on="n3")
    for host in cluster.hosts.values():
        host.power_off()
    cluster.run(5_000)
    for name in ("n1", "n2"):
        cluster.hosts[name].power_on()
    cluster.run(15_000)
    cluster.hosts["n3"].power_on()
    assert cluster.until(lambda: cluster.world.where("a") == ["n3"], 20_000)
    cluster.run(30_000)
    assert not was_fenced(cluster, "n3")


def test_where_fencing_is_switched_off_nobody_is_to_be_fenced_any_more() -> None:
    """Else whoever switches it on again has a node fenced for what was long put right."""
    cluster = cluster_with(on="n2")
    cluster.devices = Devices.FAILING
    cluster.network.cut([["n2"], ["n1", "n3"]])
    assert cluster.until(lambda: len(record_of_history(cluster)) > 1, 60_000)
    assert record_of(cluster, "n2") is not None
    off = Configuration(options=plain({"stonith-enabled": "false"}), resources=(SERVICE,))
    commit = cluster.apply(off, "n1")
    assert cluster.until(lambda: all(node_of(cluster, one).replica.commit == commit for one in ("n1", "n3")), 20_000)
    assert cluster.until(lambda: record_of(cluster, "n2") is None, 120_000), "also what was under way then"
    assert cluster.until(lambda: cluster.world.where("a") in (["n1"], ["n3"]), 120_000), "its grace is over"
    cluster.network.heal()
    cluster.run(30_000)
    cluster.devices = Devices.WELL
    cluster.apply(Configuration(options=plain({"stonith-enabled": "true"}), resources=(DEVICE, SERVICE)), "n1")
    cluster.run(60_000)
    assert all(host.on for host in cluster.hosts.values()), "everybody is there and well: nobody is fenced for what was"


def node_of(cluster: SimulatedCluster, name: str) -> Node:
    node = cluster.hosts[name].node
    assert node is not None
    return node
