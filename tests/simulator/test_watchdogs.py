"""A host with a watchdog device: its node feeds it only where it can do no harm."""

from __future__ import annotations

import pytest
from test_cuts import configuration

from reconciler.controller import events as ev
from reconciler.controller.envelope import OLDEST, PROTOCOL
from reconciler.controller.fencing.record import Ordered
from reconciler.controller.node import Node
from reconciler.controller.quorum.votes import Votequorum
from reconciler.controller.watchdogs import Uncounted
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, FencingLevel
from reconciler.model.constraint import Location
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


# Nodes that count as fenced by their own


def counted(
    *,
    names: tuple[str, ...] = ("n1", "n2", "n3"),
    longest: str = "-1",
    policy: str = "stop",
    handover_ms: int = 15_000,
    boot_ms: int = 900_000,
) -> tuple[SimulatedCluster, dict[str, SimulatedWatchdog]]:
    """Hosts that have watchdogs and nothing else that fences, the first of which runs the only resource."""
    cluster = SimulatedCluster(names, 1)
    watchdogs = {
        name: SimulatedWatchdog(cluster.clock, host, 5_000, handover_ms, boot_ms, promises=True)
        for name, host in cluster.hosts.items()
    }
    cluster.start()
    cluster.apply(by_watchdog(longest, policy), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    cluster.run(30_000)
    assert all(one.armed for one in watchdogs.values())
    return cluster, watchdogs


def by_watchdog(longest: str, policy: str = "stop", **more: str) -> Configuration:
    made = configuration("a", fencing=True, prefer={"a": "n1"}, no_quorum_policy=policy)
    options = {name: value for block in made.options for name, value in block.values.items()}
    resources = tuple(one for one in made.resources if one.id == "a")
    return replace(
        made,
        options=plain({**options, "stonith-watchdog-timeout": longest, "have-watchdog": "true", **more}),
        resources=resources,
    )


def others(cluster: SimulatedCluster) -> Node:
    node = cluster.hosts["n2"].node
    assert node is not None
    return node


def lose(cluster: SimulatedCluster, how: str) -> None:
    host = cluster.hosts["n1"]
    match how:
        case "cut off, and can't stop it":
            cluster.hanging.add(("n1", "a", "stop"))
            cluster.network.cut([["n1"], ["n2", "n3"]])
        case "its process stands still":
            host.pause()
        case "its process is gone":
            host.crash()
        case "its fabric stands still":
            cluster.network.freeze("n1")
            host.deaf = True
        case "the host stands still":
            cluster.network.freeze("n1")
        case _:
            host.power_off()


@pytest.mark.parametrize(
    "how",
    [
        "cut off, and can't stop it",
        "its process stands still",
        "its process is gone",
        "its fabric stands still",
        "the host stands still",
        "its power is gone",
    ],
)
def test_who_is_lost_is_reset_by_its_watchdog_and_replaced_after_that(how: str) -> None:
    cluster, watchdogs = counted()
    lost_ms = cluster.clock.now_ms
    lose(cluster, how)
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 300_000)
    assert watchdogs["n1"].fired == (0 if how == "its power is gone" else 1)
    assert cluster.world.doubles == []
    assert cluster.clock.now_ms - lost_ms >= watchdogs["n1"].within_ms, "nobody looks whether it was sooner"
    record = others(cluster).replica.shared.fencing.history[-1]
    assert (record.target, record.device, record.succeeded) == ("n1", "watchdog", True)


def test_nobody_is_replaced_before_its_time_is_over() -> None:
    cluster, watchdogs = counted()
    lose(cluster, "its fabric stands still")
    cluster.run(watchdogs["n1"].within_ms)
    assert watchdogs["n1"].fired == 1
    assert cluster.world.where("a") == []


def test_who_is_cut_off_and_stops_what_it_ran_is_replaced_and_boots_once_it_hears_of_that() -> None:
    cluster, watchdogs = counted()
    cluster.network.cut([["n1"], ["n2", "n3"]])
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 300_000)
    assert watchdogs["n1"].fired == 0, "nothing of it runs"
    boot = cluster.hosts["n1"].boot
    cluster.network.heal()
    assert cluster.until(lambda: cluster.hosts["n1"].boot > boot, 30_000)
    assert cluster.until(lambda: others(cluster).replica.shared.fencing.records == {}, 60_000)
    assert others(cluster).members == ("n1", "n2", "n3")


def test_who_is_back_in_time_goes_on_and_is_not_waited_for_any_more() -> None:
    cluster, watchdogs = counted()
    lose(cluster, "its fabric stands still")
    cluster.run(15_000)
    assert others(cluster).replica.shared.fencing.is_open("n1")
    cluster.hosts["n1"].deaf = False
    cluster.network.thaw("n1")
    cluster.run(watchdogs["n1"].within_ms + 30_000)
    assert (watchdogs["n1"].fired, cluster.world.where("a")) == (0, ["n1"])
    assert others(cluster).replica.shared.fencing.records == {}


def test_who_can_not_stop_something_ends_its_machine_when_it_is_to_be_fenced() -> None:
    cluster, _ = counted()
    cluster.hanging.add(("n1", "a", "stop"))
    boot = cluster.hosts["n1"].boot
    cluster.apply(
        replace(by_watchdog("-1"), constraints=(Location("far", resource="a", node="n2", score="INFINITY"),)), "n2"
    )
    assert cluster.until(lambda: cluster.hosts["n1"].boot > boot, 120_000)
    cluster.hanging.clear()
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 300_000)
    assert cluster.world.doubles == []


@pytest.mark.parametrize(
    ("longest", "policy", "why"),
    [
        ("0", "stop", Uncounted.UNSET),
        ("10s", "stop", Uncounted.TOO_SHORT),
        ("-1", "freeze", Uncounted.BEGINS),
        ("-1", "ignore", Uncounted.BEGINS),
        ("-1", "demote", Uncounted.BEGINS),
        ("60s", "stop", None),
        ("-1", "fence", None),
    ],
)
def test_when_a_watchdog_counts(longest: str, policy: str, why: Uncounted | None) -> None:
    cluster, watchdogs = counted(longest=longest, policy=policy)
    assert others(cluster).self_resets == dict.fromkeys(("n1", "n2", "n3"), watchdogs["n1"].within_ms)
    assert others(cluster).watchdog_counts("n1") == (None if why is None else why.value)
    cluster.hosts["n1"].pause()
    cluster.run(200_000)
    assert cluster.world.where("a") == (["n2"] if why is None else [])
    texts = [one.fields["text"] for one in cluster.hosts["n2"].emitted if one.fields.get("what") == "unreachable"]
    told = any(text.endswith(f"its watchdog does not count: {why.value}") for text in texts if why is not None)
    assert told == (why not in (None, Uncounted.UNSET))


def test_of_two_nodes_none_counts() -> None:
    cluster = SimulatedCluster(("n1", "n2"), 1, Votequorum.of({"n1": 1, "n2": 1}, two_node=True))
    for host in cluster.hosts.values():
        SimulatedWatchdog(cluster.clock, host, 5_000, 15_000, 900_000, promises=True)
    cluster.start()
    cluster.apply(by_watchdog("-1"), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"])
    cluster.run(10_000)
    assert others(cluster).watchdog_counts("n1") == Uncounted.NOT_EXCLUSIVE.value
    cluster.hosts["n1"].pause()
    cluster.run(300_000)
    assert cluster.world.where("a") == []


def test_a_view_that_changes_has_it_waited_for_anew() -> None:
    """Whoever comes from another view may have been there with the one that is waited for."""
    cluster, watchdogs = counted(names=("n1", "n2", "n3", "n4", "n5"))
    cluster.hosts["n1"].pause()
    cluster.run(40_000)
    assert isinstance(others(cluster).replica.shared.fencing.records["n1"], Ordered)
    cluster.hosts["n5"].upgrade()
    cluster.hosts["n5"].start()
    cluster.run(5_000)
    begun_ms = cluster.clock.now_ms - 5_000
    assert cluster.until(lambda: others(cluster).replica.shared.fencing.is_down("n1"), 120_000)
    assert cluster.clock.now_ms - begun_ms >= watchdogs["n1"].within_ms


def test_commits_meanwhile_are_no_reason_to_wait_anew() -> None:
    """A pipeline that commits more often than a watchdog takes kept a lost node's services down for ever."""
    cluster, watchdogs = counted()
    lost_ms = cluster.clock.now_ms
    cluster.hosts["n1"].power_off()
    for number in range(8):
        cluster.run(10_000)
        cluster.apply(by_watchdog("-1", **{"cluster-delay": f"{61 + number}s"}), "n2")
    assert cluster.world.where("a") == ["n2"]
    assert watchdogs["n1"].within_ms > 20_000, "several of them fall into one wait"
    assert cluster.clock.now_ms - lost_ms < 2 * watchdogs["n1"].within_ms


NO_WATCHDOG = FencingLevel("1", ("power",), target="n1")


@pytest.mark.parametrize(
    "after", [by_watchdog("10min"), replace(by_watchdog("60s"), fencing_levels=(NO_WATCHDOG,))], ids=["time", "levels"]
)
def test_a_commit_that_changes_what_the_wait_is_judged_by_has_it_begin_anew(after: Configuration) -> None:
    cluster, watchdogs = counted(longest="60s")
    cluster.hosts["n1"].power_off()
    assert cluster.until(lambda: others(cluster).replica.shared.fencing.is_open("n1"), 60_000)
    cluster.run(30_000)
    cluster.apply(after, "n2")
    cluster.run(120_000)
    assert others(cluster).replica.shared.fencing.is_open("n1")
    assert cluster.world.where("a") == []
    assert watchdogs["n1"].within_ms < 60_000


@pytest.mark.parametrize("told", [(47_000, 0), (0, 47_000)])
def test_the_last_word_of_a_node_counts_though_another_one_is_under_way(told: tuple[int, int]) -> None:
    """A promise that was taken back while it was on its way stood for ever, and somebody could have counted on it."""
    cluster, _ = counted()
    host = cluster.hosts["n1"]
    host.tell(ev.WatchdogPromised(told[1], host.now))
    cluster.run(5_000)
    for within_ms in told:
        host.tell(ev.WatchdogPromised(within_ms, host.now))
    cluster.run(5_000)
    assert others(cluster).self_resets.get("n1", 0) == told[1]


def test_who_ran_nothing_and_counts_as_reset_boots_once_its_next_process_hears_of_that() -> None:
    """Its process had promised, was ended, and stopped the device, as nothing ran: nobody would have reset the machine."""
    cluster, watchdogs = counted()
    host = cluster.hosts["n3"]
    boot = host.boot
    host.upgrade()
    cluster.run(watchdogs["n3"].within_ms + 60_000)
    assert others(cluster).replica.shared.fencing.is_down("n3")
    assert (host.boot, watchdogs["n3"].fired) == (boot, 0)
    host.start()
    assert cluster.until(lambda: host.boot > boot, 30_000)
    assert cluster.until(lambda: others(cluster).members == ("n1", "n2", "n3"), 60_000)


def test_a_process_that_does_not_know_of_the_device_takes_the_promise_back_before_it_says_what_it_runs() -> None:
    cluster, watchdogs = counted()
    host = cluster.hosts["n1"]
    host.on_start.clear()
    told: list[str] = []
    cluster.watch.append(
        lambda host, event, effects: told.extend(
            type(cluster.unseal(one.data).message).__name__
            for one in effects
            if isinstance(one, ev.Send) and host.name == "n1"
        )
    )
    host.crash()
    host.start()
    cluster.run(2_000)
    first = [name for name in told if name in ("SelfReset", "Report")]
    assert first == ["SelfReset", "Report"]
    assert others(cluster).self_resets == dict.fromkeys(("n2", "n3"), watchdogs["n2"].within_ms)


def test_members_of_an_earlier_version_know_of_no_watchdog() -> None:
    cluster, _ = counted()
    earlier = cluster.hosts["n3"]
    earlier.crash()
    earlier.protocols = (OLDEST, OLDEST)
    cluster.run(3_000)
    earlier.disk.replace()
    earlier.start()
    cluster.run(10_000)
    assert others(cluster).members == ("n1", "n2", "n3")
    assert others(cluster).self_resets == {}
    assert "earlier" in (others(cluster).watchdog_counts("n1") or "")
    cluster.hosts["n1"].pause()
    cluster.run(120_000)
    assert cluster.world.where("a") == []
    earlier.crash()
    earlier.protocols = (OLDEST, PROTOCOL)
    earlier.start()
    cluster.hosts["n1"].power_on()
    assert cluster.until(lambda: len(others(cluster).self_resets) == 3, 120_000), (
        "once all are newer they tell it again"
    )


def test_a_quiet_cluster_feeds_all_its_watchdogs() -> None:
    cluster, watchdogs = counted()
    cluster.run(600_000)
    assert [one.fired for one in watchdogs.values()] == [0, 0, 0]


def test_one_member_that_stands_still_keeps_the_others_from_nothing() -> None:
    """Most of the votes have to answer, not all: with the shortest device of all."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    watchdogs = [SimulatedWatchdog(cluster.clock, host, 2_000, promises=True) for host in cluster.hosts.values()]
    cluster.start()
    cluster.apply(configuration("a", "b", fencing=False, prefer={"a": "n2", "b": "n3"}), "n1")
    cluster.run(30_000)
    cluster.hosts["n1"].pause()
    cluster.run(120_000)
    assert [one.fired for one in watchdogs[1:]] == [0, 0]


def test_what_was_promised_before_a_boot_says_nothing_after_it() -> None:
    """A node whose device is not armed (any more) is not reset by it."""
    cluster, _ = counted()
    host = cluster.hosts["n1"]
    host.on_start.clear()
    host.power_off()
    cluster.run(5_000)
    host.power_on()
    cluster.run(500)
    assert "n1" not in others(cluster).self_resets


def test_who_was_back_is_waited_for_anew_when_it_is_lost_again() -> None:
    cluster, watchdogs = counted()
    lose(cluster, "its fabric stands still")
    cluster.run(15_000)
    cluster.hosts["n1"].deaf = False
    cluster.network.thaw("n1")
    cluster.run(25_000)
    lose(cluster, "its fabric stands still")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"], 300_000)
    assert (watchdogs["n1"].fired, cluster.world.doubles) == (1, [])
