"""The planner of most lives: what it answers for single states, and that the scheduler would come to the same placements."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import NodeObserved, observe
from reconciler.controller.standing import PRESENT
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.planner import is_simple, plan

SERVICE = Primitive("a", Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))
DEVICE = Primitive("power", Agent("stonith", "fence_lab"))


def configured(*resources: Primitive, fencing: bool = False) -> Configuration:
    return Configuration(options=plain({"stonith-enabled": "true" if fencing else "false"}), resources=resources)


def cluster_of(configuration: Configuration, *, toy: bool = True) -> SimulatedCluster:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1, planner=plan if toy else None)
    cluster.start()
    cluster.apply(configuration, "n1")
    assert cluster.until(lambda: bool(cluster.world.where("a")))
    cluster.run(2_000)
    return cluster


def tasks(cluster: SimulatedCluster, host: str = "n1") -> list[tuple[str, str | None]]:
    node = cluster.hosts[host].node
    assert node is not None
    return [(one.key, one.node) for one in plan(node.replica.cib, Instant(0)).actions]


@pytest.mark.parametrize("toy", [True, False])
def test_both_planners_run_a_service_once_and_look_after_it(toy: bool) -> None:
    cluster = cluster_of(configured(SERVICE), toy=toy)
    (where,) = cluster.world.where("a")
    del cluster.world.running[where, "a"]
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 20_000)


def test_it_looks_everywhere_before_it_starts_and_watches_what_it_started() -> None:
    cluster = SimulatedCluster(("n1", "n2"), 1, planner=plan)
    cluster.start()
    node = cluster.hosts["n1"].node
    assert node is not None
    cib = replace(node.replica.cib, configuration=configured(SERVICE))
    planned = plan(cib, Instant(0)).actions
    by_id = {one.id: one.key for one in planned}
    assert [one.key for one in planned] == ["a_monitor_0", "a_monitor_0", "a_start_0", "a_monitor_10000"]
    assert [by_id[one] for one in planned[2].triggers] == ["a_monitor_0", "a_monitor_0"]
    assert [by_id[one] for one in planned[3].triggers] == ["a_start_0"]


def test_what_is_at_rest_needs_nothing() -> None:
    assert tasks(cluster_of(configured(SERVICE))) == []


def test_it_fences_who_is_lost_before_it_starts_what_ran_there() -> None:
    cluster = cluster_of(configured(DEVICE, SERVICE, fencing=True))
    (where,) = cluster.world.where("a")
    node = cluster.hosts["n1"].node
    assert node is not None
    lost = NodeObserved(where, where, PRESENT | {"in_ccm": "false", "crmd": "offline", "join": "down"})
    cib = replace(node.replica.cib, status=observe(node.replica.cib.status, (lost,)))
    planned = plan(cib, Instant(0)).actions
    assert [one.task for one in planned] == ["stonith", "start", "monitor"]
    assert planned[1].triggers == (planned[0].id,)
    assert plan(replace(cib, have_quorum=False), Instant(0)).actions == (), "nobody is fenced without quorum"


def test_without_quorum_it_stops_what_runs() -> None:
    cluster = cluster_of(configured(SERVICE))
    (where,) = cluster.world.where("a")
    node = cluster.hosts["n1"].node
    assert node is not None
    planned = plan(replace(node.replica.cib, have_quorum=False), Instant(0)).actions
    assert [(one.key, one.node) for one in planned] == [("a_stop_0", where)]


def test_it_knows_what_it_does_not_understand() -> None:
    assert is_simple(configured(DEVICE, SERVICE))
    assert not is_simple(replace(configured(SERVICE), constraints=(Location("l", resource="a", node="n1", score="1"),)))
    assert not is_simple(replace(configured(), resources=(Clone("c", SERVICE),)))
