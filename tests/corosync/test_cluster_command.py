"""`reconciler cluster` on four hosts, from nothing: a cluster is made, grows, shrinks, and a replaced machine comes back.

The command runs beside the hosts, as on somebody's own machine, and reaches them as it would by ssh. The tests go on from each other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from machine import leave_out

from .bed import DISKS, TESTBED, Bed, bed, lacking, python, wait_until
from .cluster import WITNESS

pytestmark = pytest.mark.timeout(300)
HOSTS = ("h1", "h2", "h3")
SHELL = f"/usr/bin/python3 -I {TESTBED / 'testbed.py'} exec {{host}}"
RUN_NODE = "setsid reconciler run --config /etc/reconciler/node.yaml >>/var/log/reconciler.log 2>&1 &"
PROGRAM = f'#!/bin/sh\nexec {python()} -P -m reconciler "$@"\n'
NODE_YAML = """\
fabric: {{kind: corosync}}
agents: {{cgroups: false}}
guards: {{allow: [fencing_disabled]}}
sources:
  site: {{directory: {site}}}
"""
SITE = """\
cluster: {{name: bed, options: {{fencing-enabled: false, no-quorum-policy: freeze}}}}
constraints:
  locations:
    on-h4: {{resource: s1, node: h4, score: 50}}
primitives:
  s1:
    agent: ocf:reconciler:process
    params: {{command: exec {python} {witness} {file} s1 $OCF_RESKEY_CRM_meta_on_node}}
    operations: {{monitor: {{interval: 5s}}}}
"""


class Machines:
    """Four hosts as they come from the installation of the packages, and the command that makes a cluster of them."""

    def __init__(self, made: Bed, directory: Path) -> None:
        self.bed = made
        self.directory = directory
        self.witness = directory / "witness"
        self.site = directory / "site"
        self.site.mkdir()
        text = SITE.format(python=python(), witness=WITNESS, file=self.witness)
        (self.site / "all.yaml").write_text(text)
        (directory / "node.yaml").write_text(NODE_YAML.format(site=self.site))
        (directory / "reconciler").write_text(PROGRAM)
        for host in (*HOSTS, "h4"):
            made.run(host, "install", "-m", "755", str(directory / "reconciler"), "/usr/sbin/reconciler")
        for host in HOSTS:
            made.run(host, "install", "-D", "-m", "644", str(directory / "node.yaml"), "/etc/reconciler/node.yaml")

    def cluster(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command; every call is kept, for whoever wants to see what people see."""
        reached = ["--shell", SHELL] if "--by-hand" not in words else []
        if words[0] in ("init", "add", "join", "recover"):
            reached += ["--start-node", RUN_NODE]
        command = [python(), "-m", "reconciler", "cluster", *words, *reached]
        done = subprocess.run(command, capture_output=True, text=True, timeout=250, stdin=subprocess.DEVNULL)
        with open(self.directory / "transcript", "a") as file:
            file.write(f"$ reconciler cluster {' '.join(words)}\n{done.stdout}{done.stderr}[{done.returncode}]\n\n")
        return done

    def did(self, *words: str) -> str:
        """The same, which has to be done."""
        done = self.cluster(*words, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self, host: str) -> dict[str, Any]:
        """What the node of a host says, nothing where there is none."""
        text = self.bed.run(host, "reconciler", "status", "--json", check=False)
        return dict(json.loads(text)) if text else {}

    def are_members(self, *hosts: str) -> bool:
        """Whether these are all of the cluster by the word of each, with quorum, nothing left to do, and nobody else known."""
        told = [self.status(host) for host in hosts]
        return all(
            one.get("members") == list(hosts)
            and one["quorate"]
            and one["converged"]
            and [node["name"] for node in one["nodes"]] == list(hosts)
            for one in told
        )

    def wait_members(self, *hosts: str) -> None:
        wait_until(lambda: self.are_members(*hosts), f"{', '.join(hosts)} are the cluster", 60)

    def conf(self, host: str) -> str:
        return self.bed.run(host, "cat", "/etc/corosync/corosync.conf", check=False)

    def ran_on(self) -> list[tuple[str, str]]:
        """What the service has witnessed: what, and on which host."""
        lines = [line.split() for line in self.witness.read_text().splitlines()] if self.witness.exists() else []
        return [(line[1], line[3]) for line in lines]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    if (why := lacking()) is not None:
        leave_out(why)
    directory = tmp_path_factory.mktemp("machines")
    with bed(4) as made:
        try:
            yield Machines(made, directory)
        finally:
            for host in (*HOSTS, "h4"):
                log = DISKS / host / "var" / "up" / "log" / "reconciler.log"
                if log.exists():
                    shutil.copy(log, directory / f"{host}.log")


def test_a_cluster_is_made_of_three_hosts_that_are_none(machines: Machines) -> None:
    words = ("init", "h1=10.77.0.1", "h2=10.77.0.2", "h3=10.77.0.3", "--set", "logging.to_syslog=no")
    shown = machines.cluster(*words, "--show")
    assert shown.returncode == 0, shown.stderr
    assert "node1" in machines.conf("h1"), "it was only shown"
    assert machines.cluster(*words).returncode == 3, "nobody was there to confirm it"
    machines.did(*words)
    machines.wait_members(*HOSTS)
    assert len({machines.conf(host) for host in HOSTS}) == 1
    assert machines.bed.run("h3", "stat", "-c", "%a %U %s", "/etc/corosync/authkey").split() == ["400", "root", "256"]
    assert machines.cluster("status", "--member", "h2").returncode == 0
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


def test_in_the_end_the_service_never_ran_twice(machines: Machines) -> None:
    assert [line for line in machines.ran_on() if line[0] == "TWICE"] == []
