"""A cluster of two real hosts: one of them is enough, and who loses the other has it fenced first; a cold start waits for both."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .bed import wait_until
from .machines import Machines, installed

pytestmark = pytest.mark.timeout(300)
HOSTS = ("h1", "h2")
HEAD = """\
cluster: {name: bed}
fencing:
  devices:
    # Cut off from each other, both want to fence: who is to survive has its own fencing delayed.
    power-h1: {agent: "stonith:fence_testbed", params: {pcmk_host_list: h1, pcmk_host_check: static-list, pcmk_delay_base: 3s}}
    power-h2: {agent: "stonith:fence_testbed", params: {pcmk_host_list: h2, pcmk_host_check: static-list}}
constraints:
  locations:
    on-h2: {resource: s1, node: h2, score: 50}"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    yield from installed(tmp_path_factory.mktemp("machines"), HOSTS, HEAD, HOSTS)


def flags(machines: Machines, host: str) -> str:
    """What corosync says of the quorum."""
    lines = machines.bed.run(host, "corosync-quorumtool", "-s", check=False).splitlines()
    return next((line.partition(":")[2] for line in lines if line.startswith("Flags:")), "")


def test_two_hosts_are_made_a_cluster_of_two(machines: Machines) -> None:
    told = machines.did("init", "h1=10.77.0.1", "h2=10.77.0.2", "--set", "logging.to_syslog=no")
    assert "two_node is switched on" in told
    assert "wait_for_all" in told
    machines.wait_members(*HOSTS)
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h2")], "the service runs", 30)
    assert "2Node" in flags(machines, "h1")
    assert "two_node, wait_for_all" in machines.cluster("status", "--member", "h1").stdout


def test_of_two_that_lose_each_other_the_one_that_is_to_survive_does(machines: Machines) -> None:
    machines.bed.do("partition", "h1 | h2")
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h1")], "it has taken over", 60)
    assert "a fence agent has ended device=power-h2 target=h2" in machines.log("h1")
    assert "a fence agent has ended" not in machines.log("h2")
    machines.bed.do("heal")
    machines.start("h2")  # It was switched on by the fence device.
    machines.wait_members(*HOSTS)


def test_a_host_without_power_is_fenced_before_its_service_runs_elsewhere(machines: Machines) -> None:
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h2")], "the service is where it is preferred", 60)
    machines.bed.do("poweroff", "h2")
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h1")], "the other has the service", 60)
    assert "a fence agent has ended device=power-h2 target=h2" in machines.log("h1")
    assert machines.status("h1")["quorate"]
    machines.start("h2")  # It was switched on by the fence device.
    machines.wait_members(*HOSTS)


def test_a_cold_start_of_one_alone_waits_for_the_other(machines: Machines) -> None:
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h2")], "the service is where it is preferred", 60)
    for host in HOSTS:
        machines.bed.do("poweroff", host)
    ran = machines.ran_on()
    machines.bed.do("poweron", "h1")
    machines.start("h1")
    wait_until(lambda: machines.status("h1").get("members") == ["h1"], "it is alone", 30)
    assert "WaitForAll" in flags(machines, "h1")
    time.sleep(10)
    assert not machines.status("h1")["quorate"]
    assert machines.ran_on() == ran, "nothing is started"
    assert machines.cluster("status", "--member", "h1").returncode == 1
    machines.bed.do("poweron", "h2")
    machines.start("h2")
    machines.wait_members(*HOSTS)
    wait_until(lambda: machines.ran_on()[-1:] == [("start", "h2")], "the service runs again", 30)
    assert [line for line in machines.ran_on() if line[0] == "TWICE"] == []
