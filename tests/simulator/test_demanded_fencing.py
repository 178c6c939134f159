"""An operator has a node fenced, in whole clusters: it is done or given up, and what was done comes back as any other."""

from __future__ import annotations

import pytest
from test_fencing_lives import cluster_with, record_of, record_of_history, told

from reconciler.controller import events as ev
from reconciler.controller.fencing.record import Down, FenceCause, Wanted
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.faults import Trouble
from reconciler.simulator.life import Life
from reconciler.simulator.scenario import scenario


def ask(cluster: SimulatedCluster, target: str, at: str, action: str = "reboot") -> None:
    host = cluster.hosts[at]
    host.tell(ev.FenceAsked(host.now, target, action, "ann"))


def ends(cluster: SimulatedCluster) -> list[tuple[str, bool]]:
    return [(line.target, line.succeeded) for line in record_of_history(cluster) if line.what == "ask"]


@pytest.mark.parametrize("at", ["n1", "n2", "n3"])
def test_a_node_is_rebooted_what_it_ran_is_recovered_and_it_comes_back(at: str) -> None:
    cluster = cluster_with()
    boot = cluster.hosts["n2"].boot
    ask(cluster, "n2", at)
    assert cluster.until(lambda: not cluster.hosts["n2"].on, 10_000)
    assert cluster.until(lambda: cluster.world.where("a") in (["n1"], ["n3"]), 10_000), "it is recovered meanwhile"
    assert cluster.until(lambda: cluster.hosts["n2"].on and record_of(cluster, "n2") is None, 60_000)
    assert cluster.hosts["n2"].boot != boot
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 30_000)
    assert ends(cluster) == [("n2", True)]
    assert cluster.world.faults == []
    assert told(cluster, cluster.hosts["n1"], "asked") == ["ann asked for n2 to be fenced: it is down"]


def test_who_is_switched_off_stays_off() -> None:
    cluster = cluster_with()
    ask(cluster, "n2", "n1", "off")
    assert cluster.until(lambda: isinstance(record_of(cluster, "n2"), Down), 10_000)
    cluster.run(60_000)
    assert not cluster.hosts["n2"].on
    assert ends(cluster) == [("n2", True)]
    cluster.hosts["n2"].power_on()
    cluster.hosts["n2"].start()
    assert cluster.until(lambda: record_of(cluster, "n2") is None, 60_000)


def test_a_dc_that_is_fenced_is_followed_by_another() -> None:
    cluster = cluster_with()
    dc = next(name for name, host in cluster.hosts.items() if host.node is not None and host.node.is_dc)
    left = next(name for name in cluster.hosts if name != dc)
    ask(cluster, dc, dc)
    assert cluster.until(lambda: not cluster.hosts[dc].on, 10_000)
    assert cluster.until(lambda: cluster.hosts[dc].on and record_of(cluster, dc, left) is None, 90_000)
    assert cluster.world.faults == []


def test_where_devices_fail_it_is_given_up_and_the_node_goes_on() -> None:
    cluster = cluster_with()
    cluster.fencing_fails = True
    ask(cluster, "n2", "n1")
    assert cluster.until(lambda: bool(ends(cluster)), 300_000)
    assert ends(cluster) == [("n2", False)]
    assert record_of(cluster, "n2") is None
    assert cluster.world.where("a") == ["n2"]
    cluster.fencing_fails = False
    cluster.run(600_000)
    assert cluster.hosts["n2"].on, "nobody does it later"
    assert cluster.world.where("a") == ["n2"]


def test_who_was_lost_meanwhile_is_fenced_on() -> None:
    cluster = cluster_with()
    cluster.fencing_fails = True
    ask(cluster, "n2", "n1")
    assert cluster.until(lambda: record_of(cluster, "n2") is not None, 5_000)
    cluster.hosts["n2"].power_off()
    assert cluster.until(lambda: bool(ends(cluster)), 300_000)
    assert cluster.until(lambda: isinstance(record_of(cluster, "n2"), Wanted), 60_000)
    assert cluster.world.where("a") == []
    cluster.fencing_fails = False
    assert cluster.until(lambda: cluster.world.where("a") in (["n1"], ["n3"]), 400_000)


def test_a_node_that_is_cut_off_has_nobody_fenced_also_not_later() -> None:
    cluster = cluster_with()
    cluster.fencing_fails = True  # That nobody fences n3 before it is asked.
    cluster.network.cut([["n3"], ["n1", "n2"]])
    cluster.run(30_000)
    ask(cluster, "n1", "n3")
    cluster.run(5_000)
    node = cluster.hosts["n3"].node
    assert node is not None
    assert "n1" not in {
        name for name, one in node.replica.shared.fencing.records.items() if one.cause is FenceCause.ASKED
    }
    cluster.fencing_fails = False
    cluster.network.heal()
    boot = cluster.hosts["n1"].boot
    cluster.run(120_000)
    assert cluster.hosts["n1"].boot == boot


def test_lives_in_which_operators_demand_it_come_to_rest() -> None:
    drawn = map(scenario, range(60))
    lives = [lived for lived in drawn if any(one.trouble is Trouble.DEMAND for one in lived.faults)]
    assert len(lives) > 5
    for lived in lives:
        verdict = Life(lived).live()
        assert verdict.broken is None, f"seed {lived.seed}: {verdict.broken}\n{verdict.story}"


def test_who_left_in_order_may_be_fenced_too_and_is_back_after_its_boot() -> None:
    cluster = cluster_with()
    host = cluster.hosts["n2"]
    host.tell(ev.StopAsked(host.now))
    assert cluster.until(lambda: host.node is None, 60_000)
    cluster.run(5_000)
    assert record_of(cluster, "n2") is None
    ask(cluster, "n2", "n3")
    assert cluster.until(lambda: ends(cluster) == [("n2", True)], 20_000)
    assert cluster.until(lambda: host.on, 60_000)
    host.start()
    assert cluster.until(lambda: record_of(cluster, "n2") is None, 60_000)
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 60_000)
    assert cluster.world.faults == []


@pytest.mark.parametrize("count", [2, 4])
def test_several_demands_are_met_one_after_the_other(count: int) -> None:
    """Where not all at once are fenced (`concurrent-fencing` is false), nobody's demand is lost."""
    cluster = cluster_with()
    for target in ("n2", "n3", "n2", "n3")[:count]:
        ask(cluster, target, "n1")
    assert cluster.until(lambda: sorted(ends(cluster)) == [("n2", True), ("n3", True)], 120_000)
    assert cluster.until(lambda: all(record_of(cluster, one) is None for one in ("n2", "n3")), 120_000)
    assert cluster.world.faults == []
