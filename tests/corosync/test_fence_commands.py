"""`reconciler fence NODE` and `fence test` over real corosync, with a fence agent that is called as on any machine."""

from __future__ import annotations

import re

import pytest

from .bed import HOSTS, python, wait_until
from .breakable import BreakableCluster
from .cluster import AT_HOME

pytestmark = pytest.mark.timeout(300)


def fence(cluster: BreakableCluster, host: str, words: str) -> tuple[int, str]:
    """The command on a host: its exit code, and all that it says."""
    command = f"{python()} -P -m reconciler fence {words} --socket {cluster.directory / f'{host}.sock'}"
    told = cluster.bed.run(host, "sh", "-c", f"SUDO_USER=ann {command} 2>&1; echo $?", check=False)
    *lines, code = told.strip().splitlines()
    return int(code), "\n".join(lines)


def wait_at_home(cluster: BreakableCluster) -> None:
    def at_home() -> bool:
        return cluster.at_rest(*HOSTS) and all(cluster.runs_on(name) == host for name, host in AT_HOME.items())

    wait_until(at_home, "all hosts are members, and each has its service", 60)
    assert cluster.twice == []


def test_every_host_asks_the_device_and_who_lacks_the_agent_says_so(cluster: BreakableCluster) -> None:
    wait_at_home(cluster)
    never = "fence devices that were never tested: power from h1, h2, h3 (reconciler fence test)"
    assert never in cluster.status("h2")["warnings"]
    code, told = fence(cluster, "h1", "test")
    assert (code, told.count(" ok ")) == (0, 3), told
    wait_until(lambda: not any("never tested" in text for text in cluster.status("h2")["warnings"]), "that is said", 10)
    cluster.bed.run("h2", "mv", "/usr/sbin/fence_bed", "/usr/sbin/hidden")
    code, told = fence(cluster, "h3", "test")
    cluster.bed.run("h2", "mv", "/usr/sbin/hidden", "/usr/sbin/fence_bed")
    (failed,) = (line for line in told.splitlines() if " failed " in line)
    assert (code, failed.split()[:3]) == (1, ["power", "h2", "failed"]), told
    assert failed.endswith("fence agent fence_bed is not installed")
    assert "never" not in failed, "the success before is remembered"
    assert fence(cluster, "h3", "test h2")[0] == 0
    assert cluster.fenced() == []


def test_a_device_that_fails_is_told_and_the_host_goes_on(cluster: BreakableCluster) -> None:
    wait_at_home(cluster)
    cluster.device("failing")
    code, told = fence(cluster, "h1", "h3 --yes")
    cluster.device("ok")
    assert code == 1, told
    assert "it was told to fail" in told
    assert "h3 was not fenced: 1 device failed, in 2 tries" in told
    wait_at_home(cluster)
    assert cluster.fenced() == []


def starts(cluster: BreakableCluster) -> int:
    """How often the service of the third host was started, wherever."""
    return sum(line[1:3] == ["start", "s3"] for line in cluster.lines())


def test_a_host_is_fenced_by_demand_and_comes_back(cluster: BreakableCluster) -> None:
    wait_at_home(cluster)
    code, told = fence(cluster, "h2", "h3")
    assert (code, "  s3  goes to h" in told, "[consent]" in told) == (3, True, True), told
    before = starts(cluster)
    code, told = fence(cluster, "h2", "h3 --yes")
    assert code == 0, told
    # It may have booted before the device has answered.
    assert re.search(r"h3 is down \((by h|it has booted anew)", told)
    assert cluster.fenced() == [["ok", "h3"]], "once"
    # Where it ran in between depends on how fast the host boots.
    wait_until(lambda: starts(cluster) > before, "it was started anew", 40)
    wait_at_home(cluster)
    asked = next(line for line in cluster.client("h3").get("/v1/fencing")["history"] if line["what"] == "ask")
    assert (asked["node"], asked["by"], asked["succeeded"]) == ("h3", "ann", True)
