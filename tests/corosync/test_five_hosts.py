"""Five hosts with real corosync: a change, two of them lost at once, and a cut of three from two.

The tests go on from each other, on one bed. What a change costs is printed: messages and processor time of the daemons.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import leave_out

from .bed import bed, cgroup, lacking, wait_until
from .cluster import FENCING, Cluster, nodelist, of_the_guide

pytestmark = pytest.mark.timeout(300)
FIVE = ("h1", "h2", "h3", "h4", "h5")
AT_HOME = {f"s{number}": host for number, host in enumerate(FIVE, 1)}


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if (why := lacking()) is not None:
        leave_out(why)
    with bed(len(FIVE)) as made:
        cluster = Cluster(made, tmp_path_factory.mktemp("five"), FIVE)
        cluster.up(configuration(cluster))
        yield cluster


def configuration(cluster: Cluster, *more: str) -> str:
    homes = "".join(f"\n    on-{host}: {{resource: {name}, node: {host}, score: 50}}" for name, host in AT_HOME.items())
    nodes = ", ".join(f"{host}: {{}}" for host in FIVE)
    device = FENCING.replace("h1 h2 h3", " ".join(FIVE))
    services = "".join(map(cluster.service, (*AT_HOME, *more)))
    return f"cluster: {{name: bed}}\n{device}\nnodes: {{{nodes}}}\nconstraints:\n  locations:{homes}\nprimitives:{services}"


def wait_at_home(cluster: Cluster) -> float:
    took = wait_until(
        lambda: cluster.at_rest(*FIVE) and all(cluster.runs_on(name) == host for name, host in AT_HOME.items()),
        "all five are members, and each has its service",
        90,
        0.2,
    )
    assert cluster.twice == []
    return took


def told(cluster: Cluster) -> dict[str, int]:
    """How many messages each daemon was told so far."""
    return {host: cluster.client(host).get("/v1/metrics")["counters"]["messages"] for host in FIVE}


def processor_s(host: str) -> float:
    """The processor time of a host's daemon."""
    ticks = os.sysconf("SC_CLK_TCK")
    for pid in (cgroup(host) / "cgroup.procs").read_text().split():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if "run" in words and "--config" in words:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                return (int(fields[11]) + int(fields[12])) / ticks
        except OSError:
            continue
    raise AssertionError(f"no daemon on {host}")


def test_the_guides_list_of_hosts_is_what_is_made_for_three() -> None:
    assert nodelist(("h1", "h2", "h3")) in of_the_guide("totem {")


def test_a_commit_that_one_of_five_sees_is_applied_on_all(five: Cluster) -> None:
    wait_at_home(five)
    dc = five.dc("h1")
    assert dc in FIVE
    before, spent = told(five), {host: processor_s(host) for host in FIVE}
    commit = five.commit(configuration(five, "s6"))
    began = time.monotonic()
    five.fetch("h2")
    wait_until(lambda: five.runs_on("s6") is not None, "the new service runs")
    runs_s = time.monotonic() - began
    wait_until(lambda: five.at_rest(*FIVE, commit=commit), "it is active everywhere")
    messages = {host: count - before[host] for host, count in told(five).items()}
    spent = {host: processor_s(host) - spent[host] for host in FIVE}
    print(f"one service more: it ran after {runs_s:.2f} s; messages {messages}; processor seconds {spent} (DC {dc})")
    assert five.runs_on("s6") in FIVE


def test_two_of_five_that_lose_their_power_at_once_are_fenced_and_their_services_run_on_the_three(
    five: Cluster,
) -> None:
    wait_at_home(five)
    began = time.monotonic()
    for host in ("h4", "h5"):
        five.bed.do("poweroff", host)
    three = ("h1", "h2", "h3")
    wait_until(lambda: all(five.runs_on(name) in three for name in AT_HOME), "all run on the three", 60, 0.05)
    print(f"two lost: their services run elsewhere after {time.monotonic() - began:.2f} s")
    print(f"all five are back after {wait_at_home(five):.1f} s")


def test_of_three_cut_off_from_two_the_three_go_on_and_nothing_runs_twice(five: Cluster) -> None:
    wait_at_home(five)
    five.bed.do("partition", "h1,h4,h5 | h2,h3")
    with_quorum = ("h1", "h4", "h5")
    wait_until(lambda: all(five.runs_on(name) in with_quorum for name in AT_HOME), "all run on the three", 60, 0.05)
    assert five.members("h1") == list(with_quorum)
    five.bed.do("heal")
    wait_at_home(five)
