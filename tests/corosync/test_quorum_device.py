"""A quorum device comes to two hosts that run, and goes again, while their service runs on; a third host casts its vote.

The tests go on from each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import needs

from .bed import wait_until
from .machines import Machines, installed

pytestmark = [
    pytest.mark.timeout(300),
    *(needs(program) for program in ("corosync-qnetd", "corosync-qdevice")),
]
HOSTS = ("h1", "h2")
DEVICE = "10.77.0.3"
HEAD = """\
cluster: {name: bed, options: {fencing-enabled: false, no-quorum-policy: freeze}}
constraints:
  locations:
    on-h1: {resource: s1, node: h1, score: 50}"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    yield from installed(tmp_path_factory.mktemp("machines"), (*HOSTS, "h3"), HEAD, HOSTS)


def tool(machines: Machines, host: str) -> str:
    return machines.bed.run(host, "corosync-quorumtool", "-s", check=False)


def votes(machines: Machines, host: str) -> int:
    lines = [line for line in tool(machines, host).splitlines() if line.startswith("Total votes:")]
    return int(lines[0].split()[2]) if lines else 0


def make_certificates(machines: Machines, directory: Path) -> None:
    """As `corosync-qdevice-net-certutil -Q` does it by ssh, which the hosts of the bed do not have."""
    nodes, server = "/etc/corosync/qdevice/net/nssdb", "/etc/corosync/qnetd/nssdb"
    run = machines.bed.run
    run("h3", "sh", "-c", f"rm -rf {server} && corosync-qnetd-certutil -i && cp {server}/qnetd-cacert.crt {directory}")
    for host in HOSTS:
        run(host, "corosync-qdevice-net-certutil", "-i", "-c", f"{directory}/qnetd-cacert.crt")
    run("h1", "corosync-qdevice-net-certutil", "-r", "-n", "site")
    run("h1", "cp", f"{nodes}/qdevice-net-node.crq", f"{directory}/crq")
    run("h3", "corosync-qnetd-certutil", "-s", "-c", f"{directory}/crq", "-n", "site")
    run("h3", "cp", f"{server}/cluster-site.crt", f"{directory}/cluster-site.crt")
    run("h1", "corosync-qdevice-net-certutil", "-M", "-c", f"{directory}/cluster-site.crt")
    run("h1", "cp", f"{nodes}/qdevice-net-node.p12", f"{directory}/p12")
    run("h2", "corosync-qdevice-net-certutil", "-m", "-c", f"{directory}/p12")


def test_a_device_comes_while_the_service_runs(machines: Machines, tmp_path: Path) -> None:
    machines.did("init", "h1=10.77.0.1", "h2=10.77.0.2", "--set", "logging.to_syslog=no")
    machines.wait_members(*HOSTS)
    wait_until(lambda: machines.ran_on() == [("start", "h1")], "the service runs", 30)
    words = ("add-device", DEVICE, "--member", "h1")
    before = machines.conf("h1")
    refused = machines.cluster(*words, "--yes")
    assert (refused.returncode, "certificate for the quorum device is not there" in refused.stderr) == (3, True)
    make_certificates(machines, tmp_path)
    machines.bed.run("h3", "sh", "-c", "install -d /run/corosync-qnetd && corosync-qnetd")
    shown = machines.cluster(*words, "--show")
    assert "+    device {" in shown.stdout
    assert machines.cluster(*words).returncode == 3, "nobody was there to confirm it"
    assert {machines.conf(host) for host in HOSTS} == {before}
    machines.did(*words)
    assert [votes(machines, host) for host in HOSTS] == [3, 3]
    assert "2Node" not in tool(machines, "h1")
    assert len({machines.conf(host) for host in HOSTS}) == 1
    machines.wait_members(*HOSTS)
    assert machines.cluster("status", "--member", "h1").returncode == 0
    assert "Nothing is to be done" in machines.did(*words)
    assert machines.ran_on() == [("start", "h1")]


def test_with_the_device_one_of_two_goes_on_and_the_device_stays(machines: Machines) -> None:
    machines.bed.do("poweroff", "h2")
    wait_until(lambda: machines.status("h1").get("members") == ["h1"], "the other is lost", 30)
    wait_until(lambda: bool(machines.status("h1")["quorate"]), "it has quorum", 30)
    assert votes(machines, "h1") == 2
    refused = machines.cluster("remove-device", "--member", "h1", "--skip-offline", "--yes")
    assert refused.returncode == 3
    assert "without the device, h1 would have 1 vote of 3, and a quorum is 2" in refused.stderr


def test_who_comes_back_gets_its_device_by_the_same_command(machines: Machines) -> None:
    machines.bed.do("poweron", "h2")
    machines.bed.run("h2", "corosync")
    wait_until(lambda: votes(machines, "h1") == 3, "its corosync is there", 60)
    told = machines.did("add-device", DEVICE, "--member", "h1")
    assert "on h2: start corosync-qdevice" in told
    assert "on h1" not in told
    machines.bed.run(
        "h2", "sh", "-c", "echo b2 >/run/boot-id; mount --bind /run/boot-id /proc/sys/kernel/random/boot_id"
    )
    machines.bed.run(
        "h2", "sh", "-c", "setsid reconciler run --config /etc/reconciler/node.yaml >>/var/log/reconciler.log 2>&1 &"
    )
    machines.wait_members(*HOSTS)
    assert machines.cluster("status", "--member", "h1").returncode == 0


def test_by_hand_the_device_is_taken_away_and_leaves_nothing(machines: Machines, tmp_path: Path) -> None:
    directory = tmp_path / "by-hand"
    told = machines.bed.run("h1", "reconciler", "cluster", "remove-device", "--by-hand", str(directory))
    steps = [line.split() for line in told.splitlines() if ": sh h" in line]
    assert len(steps) == 9, told
    for step in steps:
        done = machines.bed.run(step[2].rstrip(":"), "sh", str(directory / step[4]), step[5])
        assert f"step {step[5]} is done" in done
    for host in HOSTS:
        assert votes(machines, host) == 2
        assert "2Node" in tool(machines, host)
        assert "device" not in machines.conf(host)
        left = machines.bed.run(
            host, "sh", "-c", "ls /etc/corosync/qdevice/net/nssdb; pidof corosync-qdevice", check=False
        )
        assert left == ""
    machines.wait_members(*HOSTS)
    assert machines.cluster("status", "--member", "h1").returncode == 0
    assert machines.ran_on() == [("start", "h1")], "the service never noticed"
