"""`reconciler cluster` on five hosts, from nothing: a cluster is made, grows, shrinks, and a replaced machine comes back.

The command runs beside the hosts, as on somebody's own machine, and reaches them as it would by ssh. The tests go on from each other.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bed import DISKS, wait_until
from .machines import Machines, installed

pytestmark = pytest.mark.timeout(300)
HOSTS = ("h1", "h2", "h3")
ALL = (*HOSTS, "h4", "h5")
HEAD = """\
cluster: {name: bed, options: {fencing-enabled: false, no-quorum-policy: freeze}}
constraints:
  locations:
    on-h4: {resource: s1, node: h4, score: 50}"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    yield from installed(tmp_path_factory.mktemp("machines"), ALL, HEAD, HOSTS)


def test_a_cluster_is_made_of_three_hosts_that_are_none(machines: Machines) -> None:
    words = ("init", "h1=10.77.0.1", "h2=10.77.0.2", "h3=10.77.0.3", "--set", "logging.to_syslog=no")
    shown = machines.cluster(*words, "--show", "--json")
    assert shown.returncode == 0, shown.stderr
    steps = [(one["stage"], one["host"]) for one in json.loads(shown.stdout)["steps"]]
    assert steps[:4] == [("write", "h1"), ("write", "h2"), ("write", "h3"), ("start", "h1")]
    assert "node1" in machines.conf("h1"), "it was only shown"
    assert machines.cluster(*words).returncode == 3, "nobody was there to confirm it"
    machines.did(*words)
    machines.wait_members(*HOSTS)
    assert len({machines.conf(host) for host in HOSTS}) == 1
    assert machines.bed.run("h3", "stat", "-c", "%a %U %s", "/etc/corosync/authkey").split() == ["400", "root", "256"]
    agrees = json.loads(machines.cluster("status", "--member", "h2", "--json").stdout)
    assert (agrees["agree"], agrees["faults"]) == (True, [])
    assert [(one["sees"], one["members"]) for one in agrees["nodes"]] == [([*HOSTS], [*HOSTS])] * 3
    again = machines.cluster(*words, "--yes")
    assert (again.returncode, "is in a cluster already" in again.stderr) == (3, True)


def test_a_fourth_is_one_command_and_takes_part_at_once(machines: Machines) -> None:
    machines.did("add", "h4=10.77.0.4", "--member", "h1")
    machines.wait_members(*HOSTS, "h4")
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h4")], "the service is where it is preferred", 30)
    assert machines.cluster("status", "--member", "h4").returncode == 0


def test_who_is_removed_stops_what_it_runs_and_leaves_nothing(machines: Machines) -> None:
    machines.did("remove", "h4", "--member", "h1")
    machines.wait_members(*HOSTS)
    lines = machines.ran_on()
    assert ("TWICE", "h4") not in lines
    assert lines[-1] in [("start", host) for host in HOSTS]
    left = machines.bed.run(
        "h4", "sh", "-c", "ls -A /etc/corosync /var/lib/reconciler /var/lib/corosync; pidof corosync", check=False
    )
    assert "corosync.conf" not in left
    assert "authkey" not in left
    assert "journal" not in left
    assert all("h4" not in machines.conf(host) for host in HOSTS)
    # Its vote is gone, too: two of three are enough, and go on.
    machines.bed.do("poweroff", "h3")
    wait_until(lambda: machines.status("h1").get("members") == ["h1", "h2"], "the others go on", 30)
    wait_until(lambda: bool(machines.status("h1")["quorate"]), "with quorum", 10)


def test_what_would_cost_the_quorum_is_refused_in_numbers(machines: Machines) -> None:
    refused = machines.cluster("add", "h4=10.77.0.4", "--member", "h1", "--skip-offline", "--yes")
    assert refused.returncode == 3
    assert "h1, h2 would have 2 votes of 4, and a quorum would be 3 (now 2 of 3)" in refused.stderr
    unreachable = machines.cluster("add", "h4=10.77.0.4", "--member", "h1", "--yes")
    assert (unreachable.returncode, "h3" in unreachable.stderr) == (5, True)
    refused = machines.cluster("remove", "h2", "--member", "h1", "--skip-offline", "--yes")
    assert refused.returncode == 3
    assert "without h2, h1 would have 1 vote of 3, and a quorum is 2" in refused.stderr
    assert machines.cluster("status", "--member", "h1").returncode == 5


def test_a_machine_that_was_replaced_comes_back_under_its_name(machines: Machines) -> None:
    for part in ("etc", "var"):
        shutil.rmtree(DISKS / "h3" / part / "up")
        (DISKS / "h3" / part / "up").mkdir()
    shutil.rmtree(DISKS / "h3" / "var" / "lib" / "corosync", ignore_errors=True)
    machines.bed.do("poweron", "h3")
    assert "h3 has no" in machines.cluster("status", "--member", "h1").stdout
    machines.did("recover", "h3", "--member", "h1")
    machines.wait_members(*HOSTS)
    assert machines.cluster("status", "--member", "h1").returncode == 0


def test_a_change_that_stops_half_way_is_seen_and_can_be_taken_back_or_finished(machines: Machines) -> None:
    before = machines.conf("h1")
    where = "/etc/corosync"
    machines.bed.run("h2", "mount", "--bind", where, where)
    machines.bed.run("h2", "mount", "-o", "remount,ro,bind", where)
    half = machines.cluster("add", "h4=10.77.0.4", "--member", "h1", "--yes")
    assert half.returncode == 5
    assert "h2: write /etc/corosync/corosync.conf: failed" in half.stderr
    assert "No corosync has read it" in half.stderr
    seen = machines.cluster("status", "--member", "h1")
    assert seen.returncode == 1
    assert "corosync.conf of h2 is not that of h1" in seen.stdout
    assert "h1: h4 is in the file, and not in what runs" in seen.stdout
    assert machines.cluster("remove", "h3", "--member", "h1", "--yes").returncode == 3
    machines.did("recover", "--from", "h2")
    assert {machines.conf(host) for host in HOSTS} == {before}
    assert machines.cluster("status", "--member", "h1").returncode == 0
    machines.bed.run("h4", "rm", f"{where}/corosync.conf", f"{where}/authkey")
    machines.bed.run("h2", "umount", where)
    assert machines.are_members(*HOSTS), "nobody has noticed"


def test_by_hand_a_node_is_added_by_scripts_that_each_host_runs(machines: Machines, tmp_path: Path) -> None:
    directory = tmp_path / "by-hand"
    told = machines.bed.run("h1", "reconciler", "cluster", "add", "h4=10.77.0.4", "--by-hand", str(directory))
    steps = [line.split() for line in told.splitlines() if ": sh h" in line]
    assert [step[4] for step in steps][:1] == ["h1.sh"]
    for step in steps:
        done = machines.bed.run(step[2].rstrip(":"), "sh", str(directory / step[4]), step[5])
        assert f"step {step[5]} is done" in done
    assert machines.cluster("status", "--member", "h4").returncode == 0
    assert "h4" in machines.conf("h2")
    machines.did("remove", "h4", "--member", "h1")
    time.sleep(1)
    machines.wait_members(*HOSTS)


def test_two_hosts_that_are_lost_one_after_the_other_cost_the_others_nothing(machines: Machines) -> None:
    """With five nodes a ring takes longer than with the three that were there when these came up; the second is lost while it forms."""
    machines.did("add", "h4=10.77.0.4", "h5=10.77.0.5", "--member", "h1")
    machines.wait_members(*ALL)
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h4")], "the service is where it is preferred", 30)
    before = {host: machines.log(host) for host in HOSTS}
    machines.bed.do("poweroff", "h5")
    time.sleep(4.5)
    machines.bed.do("poweroff", "h4")
    wait_until(lambda: machines.status("h1").get("members") == list(HOSTS), "the three go on", 60)
    wait_until(lambda: machines.status("h1")["quorate"], "with quorum", 10)
    for host in HOSTS:
        assert "quorate=false" not in machines.log(host)[len(before[host]) :], f"{host} took itself for alone"


def test_lost_machines_are_removed_once_somebody_says_that_they_are_off(machines: Machines) -> None:
    words = ("remove", "h4", "--lost", "--skip-offline", "--member", "h1")
    assert "the cluster takes it for unclean" in machines.cluster(*words, "--yes").stderr
    for host in ("h4", "h5"):
        machines.bed.run("h1", "reconciler", "fence", "confirm", host, "--yes")
    wait_until(lambda: machines.ran_on()[-1][1] in HOSTS, "the service runs again", 30)
    machines.did(*words)
    machines.did("remove", "h5", "--lost", "--member", "h1")
    machines.wait_members(*HOSTS)
    assert machines.cluster("status", "--member", "h1").returncode == 0


def test_in_the_end_the_service_never_ran_twice(machines: Machines) -> None:
    assert [line for line in machines.ran_on() if line[0] == "TWICE"] == []
