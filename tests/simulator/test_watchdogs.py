"""A host with a watchdog device: its node feeds it only where it can do no harm."""

from __future__ import annotations

import pytest
from test_cuts import configuration

from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.watchdog import SimulatedWatchdog

TIMEOUT_MS = 10_000


def watched(
    policy: str, *, fencing: bool = True, timeout_ms: int = TIMEOUT_MS
) -> tuple[SimulatedCluster, SimulatedWatchdog]:
    """Three hosts, the first of which has a watchdog and runs the only resource."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    watchdog = SimulatedWatchdog(cluster.clock, cluster.hosts["n1"], timeout_ms)
    cluster.run(30_000)
    assert not watchdog.armed, "no process: whoever boots has nothing to feed it"
    cluster.start()
    cluster.apply(configuration("a", fencing=fencing, prefer={"a": "n1"}, no_quorum_policy=policy), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    cluster.run(30_000)
    assert watchdog.armed
    assert watchdog.fired == 0
    return cluster, watchdog


def cut_off_from_the_others(cluster: SimulatedCluster) -> None:
    cluster.devices_slow_us = 600_000_000  # No fence device is in its way.
    cluster.network.cut([["n1"], ["n2", "n3"]])


@pytest.mark.parametrize("policy", ["freeze", "ignore"])
def test_who_has_lost_the_quorum_and_runs_something_is_switched_off(policy: str) -> None:
    """What the policy lets run on is no reason to feed a watchdog."""
    cluster, watchdog = watched(policy)
    cut_off_from_the_others(cluster)
    cluster.run(TIMEOUT_MS + 3_000)
    assert (watchdog.fired, cluster.world.on("n1")) == (1, [])
    cluster.run(60_000)
    assert watchdog.fired == 1, "it boots, runs nothing, and waits"


def test_who_has_stopped_what_it_ran_lives_on() -> None:
    cluster, watchdog = watched("stop")
    cut_off_from_the_others(cluster)
    cluster.run(60_000)
    assert (watchdog.fired, cluster.world.on("n1")) == (0, [])


def test_who_can_not_stop_what_it_runs_is_switched_off() -> None:
    cluster, watchdog = watched("stop")
    cluster.hanging.add(("n1", "a", "stop"))
    cut_off_from_the_others(cluster)
    assert cluster.until(lambda: watchdog.fired == 1, TIMEOUT_MS + 3_000)
    assert cluster.world.on("n1") == []


def test_a_process_that_stands_still_or_is_gone_feeds_nothing() -> None:
    cluster, watchdog = watched("stop")
    cluster.devices_slow_us = 600_000_000
    cluster.hosts["n1"].pause()
    assert cluster.until(lambda: watchdog.fired == 1, TIMEOUT_MS + 3_000)
    cluster, watchdog = watched("stop")
    cluster.devices_slow_us = 600_000_000
    cluster.hosts["n1"].crash()
    assert cluster.until(lambda: watchdog.fired == 1, TIMEOUT_MS + 3_000)
    assert cluster.world.on("n1") == []


def test_a_disk_that_does_not_answer_any_more_feeds_nothing() -> None:
    """Who waits for it does not take in that it was cut off."""
    cluster, watchdog = watched("freeze")
    cluster.devices_slow_us = 600_000_000
    cluster.hosts["n1"].disk.slow_us = 600_000_000
    cluster.apply(configuration("a", "b", fencing=True, prefer={"a": "n1"}, no_quorum_policy="freeze"), "n1")
    cluster.run(5_000)
    cluster.network.cut([["n1"], ["n2", "n3"]])
    assert cluster.until(lambda: watchdog.fired == 1, TIMEOUT_MS + 3_000)


def test_members_that_come_and_go_end_nobody() -> None:
    cluster, watchdog = watched("freeze")
    for name in ("n2", "n3"):
        cluster.hosts[name].crash()
        cluster.run(5_000)
        cluster.hosts[name].start()
        cluster.run(30_000)
    assert (watchdog.fired, cluster.world.where("a")) == (0, ["n1"])


def test_nobody_counts_as_fenced_for_having_a_watchdog() -> None:
    """What the host ran starts elsewhere only once a device has said so, or the host is back and says so itself."""
    cluster, watchdog = watched("freeze")
    cluster.fencing_fails = True
    cluster.network.cut([["n1"], ["n2", "n3"]])
    assert cluster.until(lambda: watchdog.fired == 1, TIMEOUT_MS + 3_000)
    cluster.run(15_000)
    assert cluster.world.where("a") == []
    cluster.network.heal()
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 120_000)
    assert [double for double in cluster.world.doubles if double.resource == "a"] == []
