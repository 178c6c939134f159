"""The daemon over real corosync on three hosts: what becomes of a cluster when hosts, processes and networks fail.

The services notice themselves, outside of the hosts, when one of them runs twice. The tests go on from each other, on one bed.
"""

from __future__ import annotations

import re
import time

import pytest

from .bed import HOSTS, python, wait_until
from .breakable import configuration
from .cluster import AT_HOME, Cluster

pytestmark = pytest.mark.timeout(300)


def at_home(cluster: Cluster) -> bool:
    return cluster.at_rest(*HOSTS) and all(cluster.runs_on(name) == host for name, host in AT_HOME.items())


def wait_at_home(cluster: Cluster) -> None:
    wait_until(lambda: at_home(cluster), "all hosts are members, and each has its service", 60)
    assert cluster.twice == []


def last(cluster: Cluster, host: str, text: str) -> str:
    """When a host's log last said so; nothing where it never did. The hosts have one clock."""
    times = [" ".join(line.split()[:2]) for line in cluster.log(host).splitlines() if text in line]
    return max(times, default="")


def pids(cluster: Cluster, name: str) -> set[str]:
    return {line[4] for line in cluster.lines() if line[1:3] == ["start", name]}


def test_a_commit_that_one_host_sees_is_applied_on_all(cluster: Cluster) -> None:
    wait_at_home(cluster)
    assert len({cluster.dc(host) for host in HOSTS} & set(HOSTS)) == 1
    commit = cluster.commit(configuration(cluster, "s4", counting="0"))
    cluster.fetch("h2")
    wait_until(lambda: cluster.at_rest(*HOSTS, commit=commit), "it is active everywhere")
    assert cluster.runs_on("s4") in HOSTS


def test_what_ran_on_a_host_without_power_runs_elsewhere_once_it_is_fenced(cluster: Cluster) -> None:
    wait_at_home(cluster)
    cluster.bed.do("poweroff", "h3")
    wait_until(lambda: cluster.runs_on("s3") in ("h1", "h2"), "it runs elsewhere", 40)
    fenced = last(cluster, "h1", "a fence agent has ended device=power target=h3")
    fenced = max(fenced, last(cluster, "h2", "a fence agent has ended device=power target=h3"))
    started = max(last(cluster, host, "key=s3_start_0") for host in ("h1", "h2"))
    assert "" < fenced < started
    wait_at_home(cluster)


def test_who_is_cut_off_is_fenced_and_comes_back(cluster: Cluster) -> None:
    wait_at_home(cluster)
    cluster.bed.do("partition", "h1,h2 | h3")
    wait_until(lambda: cluster.runs_on("s3") in ("h1", "h2"), "it runs elsewhere", 40)
    assert cluster.members("h1") == ["h1", "h2"]
    cluster.bed.do("heal")
    wait_at_home(cluster)


def test_a_dc_that_is_killed_is_another_one_at_once_and_its_services_run_on(cluster: Cluster) -> None:
    wait_at_home(cluster)
    dc = cluster.dc("h3")
    assert dc is not None
    service = f"s{dc[1]}"
    before = pids(cluster, service)
    cluster.kill(dc, "daemon")
    other = next(host for host in HOSTS if host != dc)
    wait_until(lambda: cluster.dc(other) not in (None, dc), "another decides", 10)
    assert cluster.runs_on(service) == dc
    cluster.start_daemon(dc)
    wait_at_home(cluster)
    assert pids(cluster, service) == before, "nobody started it again"


def test_who_stood_still_comes_back_and_what_it_runs_ran_on(cluster: Cluster) -> None:
    wait_at_home(cluster)
    commit = cluster.commit(configuration(cluster, "s4", fencing=False, counting="0"))
    cluster.fetch("h1")
    wait_until(
        lambda: cluster.at_rest(*HOSTS, commit=commit), "there is no fencing any more, nor a stop for want of quorum"
    )
    before = pids(cluster, "s3")
    cluster.bed.do("freeze", "h3")
    wait_until(lambda: cluster.members("h1") == ["h1", "h2"], "the others go on without it", 20)
    cluster.bed.do("thaw", "h3")
    wait_at_home(cluster)
    assert pids(cluster, "s3") == before
    assert "this node did nothing for" in cluster.log("h3")


def test_a_daemon_that_stands_still_is_excluded_and_comes_back_as_somebody_new(cluster: Cluster) -> None:
    """Its host is there, and corosync keeps it in the group for ever; the others say that it is lost, and it hears that when it goes on."""
    wait_at_home(cluster)
    before = pids(cluster, "s3")
    cluster.bed.run("h3", "pkill", "-STOP", "-f", "reconciler run --config")
    wait_until(lambda: cluster.members("h1") == ["h1", "h2"], "the others go on without it", 40)
    cluster.bed.run("h3", "pkill", "-CONT", "-f", "reconciler run --config")
    wait_at_home(cluster)
    # It joins at once, or once its disk has answered what it was asked before it stood still.
    assert re.search(
        r'(joins it anew reason="|was excluded by the others \()it did not answer in time', cluster.log("h3")
    )
    assert pids(cluster, "s3") == before


ASK = """
import os
from reconciler.fabric.corosync.connection import Connection
from reconciler.fabric.corosync.library import Corosync, CorosyncError
corosync = Corosync()
WHO
try:
    Connection(corosync).join("errors", "h1")
except CorosyncError as error:
    print(f"{error} ({error.advice})")
"""


@pytest.mark.parametrize(
    ("host", "who", "text"),
    [
        (
            "h1",
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)",
            "refuses this user (11) (run the daemon as root",
        ),
        (
            "h2",
            "",
            "this node is called h1, and corosync's nodelist calls this host h2 (write `node: h2` into node.yaml",
        ),
        ("h1", "", ""),
    ],
)
def test_who_may_not_be_a_member_is_told_why_and_what_to_do(cluster: Cluster, host: str, who: str, text: str) -> None:
    told = cluster.bed.run(host, python(), "-c", ASK.replace("WHO", who))
    assert text in told
    assert bool(told) == bool(text)


def test_a_daemon_with_another_name_than_corosyncs_does_not_start(cluster: Cluster) -> None:
    config = cluster.directory / "other.yaml"
    config.write_text("node: db9\nfabric: {kind: corosync}\nstate: /var/lib/other\nrun: /run/other\n")
    command = f"{python()} -P -m reconciler run --config {config} 2>&1; echo ended with $?"
    told = cluster.bed.run("h1", "timeout", "20", "sh", "-c", command)
    assert "this node is called db9, and corosync's nodelist calls this host h1" in told
    assert "[identity]" in told
    assert "ended with 1" in told


def test_without_corosync_a_node_cares_for_what_runs_says_what_to_do_and_comes_back(cluster: Cluster) -> None:
    wait_at_home(cluster)
    before = pids(cluster, "s2")
    cluster.kill("h2", "corosync")
    wait_until(lambda: cluster.members("h2") == ["h2"], "it is alone", 5)
    status = cluster.status("h2")
    assert not status["quorate"]
    assert any("start corosync on this host" in text for text in status["warnings"])
    cluster.bed.corosync("h2")
    wait_at_home(cluster)
    assert pids(cluster, "s2") == before
    assert cluster.status("h2")["warnings"] == []


def test_a_corosync_that_stands_still_counts_as_gone(cluster: Cluster) -> None:
    wait_at_home(cluster)
    began = time.monotonic()
    cluster.bed.run("h2", "pkill", "-STOP", "-x", "corosync")
    wait_until(lambda: cluster.members("h2") == ["h2"], "it is alone", 15)
    assert time.monotonic() - began > 1.5, "a ring that forms anew takes its time"
    assert any("corosync does not answer" in text for text in cluster.status("h2")["warnings"])
    cluster.bed.run("h2", "pkill", "-CONT", "-x", "corosync")
    wait_at_home(cluster)
