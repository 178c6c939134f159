"""Hosts that end their own machine, with the real corosync: by the kernel, which is a file here, and by a double of a watchdog device.

What a watchdog resets loses its power, as a machine does. The tests go on from each other, on one bed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon.watchdog_double import WatchdogDouble
from machine import leave_out

from .bed import HOSTS, Bed, bed, cgroup, lacking, python, wait_until
from .cluster import AT_HOME, NODES, Cluster

pytestmark = pytest.mark.timeout(300)
TIMEOUT_S = 8
DOUBLE = Path(__file__).parents[1] / "daemon" / "watchdog_double.py"


def configuration(cluster: Cluster, policy: str) -> str:
    """A service at home on each host, and no fence device: who goes on without quorum is replaced by nobody."""
    services = "".join(map(cluster.service, AT_HOME))
    options = f"{{fencing-enabled: false, no-quorum-policy: {policy}}}"
    return f"cluster: {{name: bed, options: {options}}}\n{NODES}primitives:{services}"


class SelfFencingCluster(Cluster):
    """Each host has a watchdog device of its own, and a file that stands for the kernel's trigger."""

    timeout_s = TIMEOUT_S

    def __init__(self, bed: Bed, directory: Path) -> None:
        super().__init__(bed, directory)
        self.resets: list[str] = []
        self.devices = {host: self._device(host) for host in HOSTS}

    def _device(self, host: str) -> WatchdogDouble:
        self.trigger(host).touch()

        def reset() -> None:
            self.bed.do("poweroff", host)
            self.resets.append(host)

        return WatchdogDouble(self.directory / f"{host}.dog", reset)

    def trigger(self, host: str) -> Path:
        return self.directory / f"{host}.sysrq"

    @property
    def daemon(self) -> str:
        return f"{python()} -P {DOUBLE} run --config /etc/reconciler/node.yaml"

    def boots(self, host: str, daemon: str) -> None:
        told = ", ".join(f"{key}: {value}" for key, value in self.keys(host).items())
        self.bed.run(host, "sh", "-c", f"echo 'self-fencing: {{{told}}}' >>/etc/reconciler/node.yaml")
        super().boots(host, daemon)

    def keys(self, host: str) -> dict[str, object]:
        """What node.yaml says below `self-fencing`."""
        return {
            "watchdog": self.devices[host].path,
            "timeout": f"{self.timeout_s}s",
            "sysrq": "reboot",
            "sysrq-trigger": self.trigger(host),
        }

    def fetch(self, host: str) -> None:
        self.bed.run(host, "pkill", "-HUP", "-f", "run --config")

    def close(self) -> None:
        for device in self.devices.values():
            device.close()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SelfFencingCluster]:
    if (why := lacking()) is not None:
        leave_out(why)
    directory = tmp_path_factory.mktemp("self-fencing")
    with bed() as made:
        found = SelfFencingCluster(made, directory)
        with contextlib.closing(found):
            found.up(configuration(found, "freeze"))
            yield found


def wait_at_home(cluster: SelfFencingCluster) -> None:
    cluster.wait_agreed()
    wait_until(
        lambda: all(one.running and one.timeout_s == cluster.timeout_s for one in cluster.devices.values()), "all armed"
    )


def back(cluster: SelfFencingCluster, host: str) -> None:
    """The host that has lost its power is among the others again."""
    cluster.bed.do("heal")
    cluster.bed.do("poweron", host)
    wait_at_home(cluster)


def test_hosts_that_are_well_are_left_alone(cluster: SelfFencingCluster) -> None:
    wait_at_home(cluster)
    time.sleep(TIMEOUT_S + 2)
    assert cluster.resets == []


def test_who_is_cut_off_and_goes_on_is_reset_and_nobody_takes_that_for_granted(cluster: SelfFencingCluster) -> None:
    cluster.bed.do("partition", "h1,h2 | h3")
    took_s = wait_until(lambda: cluster.resets == ["h3"], "its watchdog has reset it", TIMEOUT_S + 8)
    assert not cluster.runs_at("s3", "h3")
    print(f"reset {took_s:.1f} s after it was cut off")
    time.sleep(10)
    assert cluster.runs_on("s3") is None, "the others do not know that"
    assert (cluster.runs_on("s1"), cluster.runs_on("s2"), cluster.resets) == ("h1", "h2", ["h3"])
    back(cluster, "h3")
    assert cluster.twice == []


def test_a_daemon_that_hangs_has_its_host_reset(cluster: SelfFencingCluster) -> None:
    cluster.resets.clear()
    cluster.bed.run("h3", "pkill", "-STOP", "-f", "run --config")
    wait_until(lambda: cluster.resets == ["h3"], "its watchdog has reset it", TIMEOUT_S + 4)
    back(cluster, "h3")


def test_a_host_whose_processes_all_stand_still_is_reset(cluster: SelfFencingCluster) -> None:
    cluster.resets.clear()
    (cgroup("h3") / "cgroup.freeze").write_text("1")
    wait_until(lambda: cluster.resets == ["h3"], "its watchdog has reset it", TIMEOUT_S + 4)
    back(cluster, "h3")


def test_who_stops_what_it_runs_in_time_lives(cluster: SelfFencingCluster) -> None:
    cluster.resets.clear()
    commit = cluster.commit(configuration(cluster, "stop"))
    cluster.fetch("h1")
    wait_until(lambda: cluster.at_rest(*HOSTS, commit=commit), "the cluster is at rest", 60)
    cluster.bed.do("partition", "h1,h2 | h3")
    wait_until(lambda: not cluster.runs_at("s3", "h3"), "it has stopped what it ran", 20)
    time.sleep(TIMEOUT_S + 2)
    assert cluster.resets == []
    cluster.bed.do("heal")
    wait_at_home(cluster)


def test_who_has_lost_the_quorum_and_is_to_fence_itself_asks_the_kernel(cluster: SelfFencingCluster) -> None:
    """The kernel is a file and does nothing, so that the watchdog does it within its shortest time."""
    cluster.resets.clear()
    commit = cluster.commit(configuration(cluster, "fence"))
    cluster.fetch("h1")
    wait_until(lambda: cluster.at_rest(*HOSTS, commit=commit), "the cluster is at rest", 60)
    cluster.bed.do("partition", "h1,h2 | h3")
    wait_until(lambda: cluster.trigger("h3").read_text() == "b", "it asks the kernel", 10)
    took_s = wait_until(lambda: cluster.resets == ["h3"], "its watchdog has reset it", 4)
    print(f"reset {took_s:.1f} s after the kernel was asked")
    assert [cluster.trigger(host).read_text() for host in ("h1", "h2")] == ["", ""]
    back(cluster, "h3")
    assert cluster.twice == []
