"""A cluster whose only way to fence are the watchdogs of its hosts, with the real corosync: a lost one counts once it certainly is reset.

The devices are doubles: what they reset loses its power. The services say from outside when they run twice. The tests go on
from each other.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from machine import leave_out

from .bed import HOSTS, bed, lacking, wait_until
from .cluster import AT_HOME, NODES
from .test_self_fencing import SelfFencingCluster, wait_at_home

pytestmark = pytest.mark.timeout(400)
HANDOVER_S = 30
WITHIN_S = HANDOVER_S + 4 * 5 + 22
"""What each host promises, and so what the others wait for."""
LONGEST_S = 15 + WITHIN_S + 40
"""Until a lost one is to be fenced, until it counts as fenced, and until its service runs elsewhere on a busy machine."""
OPTIONS = "{have-watchdog: true, fencing-watchdog-timeout: -1, no-quorum-policy: stop}"


class WatchedCluster(SelfFencingCluster):
    """Its devices have the shortest times, and nobody asks the kernel."""

    timeout_s = 5

    def keys(self, host: str) -> dict[str, object]:
        return {"watchdog": self.devices[host].path, "timeout": f"{self.timeout_s}s", "handover": f"{HANDOVER_S}s"}

    def count(self) -> bool:
        """Whether every host says of all that they would count as fenced by their watchdogs."""
        counted = {host: {"resets_within_s": float(WITHIN_S), "uncounted": None} for host in HOSTS}
        return all(self.status(host).get("watchdogs") == counted for host in HOSTS)

    def wait_well(self) -> None:
        wait_at_home(self)
        wait_until(self.count, "all watchdogs count", 30)
        self.resets.clear()

    def back(self, host: str) -> None:
        """A host that the others count as reset is booted, and all is as it was."""
        self.bed.do("poweroff", host)
        self.bed.do("heal")
        self.bed.do("poweron", host)
        self.wait_well()
        assert self.twice == []

    def taken_over(self, since: float) -> float:
        """The service of h3 runs elsewhere; how long after a moment."""
        wait_until(lambda: self.runs_on("s3") in ("h1", "h2"), "the others have started it", LONGEST_S)
        return time.monotonic() - since


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCluster]:
    if (why := lacking()) is not None:
        leave_out(why)
    with bed() as made:
        found = WatchedCluster(made, tmp_path_factory.mktemp("watched"))
        with contextlib.closing(found):
            services = "".join(map(found.service, AT_HOME))
            found.up(f"cluster: {{name: bed, options: {OPTIONS}}}\n{NODES}primitives:{services}")
            yield found


def test_hosts_promise_what_their_devices_keep(cluster: WatchedCluster) -> None:
    cluster.wait_well()
    own = cluster.status("h1")["watchdog"]
    assert (own["fed"], own["resets_within_s"], own["unpromised"]) == (True, WITHIN_S, None)
    assert "would not count" not in " ".join(cluster.status("h2")["warnings"])


def test_who_hangs_is_reset_and_its_service_runs_elsewhere_once_that_is_certain(cluster: WatchedCluster) -> None:
    """Its service runs on until the reset; the others can't know when that was."""
    cluster.wait_well()
    cluster.bed.run("h3", "pkill", "-STOP", "-f", "run --config")
    began = time.monotonic()
    wait_until(lambda: cluster.resets == ["h3"], "its watchdog has reset it", 10)
    reset = time.monotonic()
    took_s = cluster.taken_over(began)
    print(f"reset after {reset - began:.1f} s, taken over {took_s:.1f} s after it hung")
    assert took_s >= WITHIN_S
    cluster.back("h3")


def test_a_corosync_that_hangs_is_no_way_to_run_twice(cluster: WatchedCluster) -> None:
    cluster.wait_well()
    cluster.bed.run("h3", "pkill", "-STOP", "-x", "corosync")
    began = time.monotonic()
    took_s = cluster.taken_over(began)
    print(f"taken over {took_s:.1f} s after corosync hung, reset: {cluster.resets}")
    assert took_s >= WITHIN_S
    cluster.back("h3")


def test_who_names_its_watchdog_no_longer_lets_go_of_it_once_nobody_counts_on_it(cluster: WatchedCluster) -> None:
    cluster.wait_well()
    device = cluster.devices["h3"]
    cluster.bed.run("h3", "sed", "-i", "/^self-fencing:/d", "/etc/reconciler/node.yaml")
    cluster.bed.run("h3", "pkill", "-TERM", "-f", "run --config")
    wait_until(lambda: device.timeout_s == HANDOVER_S, "it waits for the next daemon", 15)
    cluster.start_daemon("h3")
    wait_until(lambda: device.timeout_s == cluster.timeout_s, "it is fed as was promised", 15)
    kept = "goes on guarding this machine, with timeout 5 s and handover 30 s"
    wait_until(lambda: any(kept in text for text in cluster.status("h3").get("warnings", [])), "that is said", 15)
    wait_until(lambda: not device.running, "it is stopped", 60)
    unpromised = "it has not told that a watchdog resets it in its present boot"
    assert cluster.status("h1")["watchdogs"]["h3"] == {"resets_within_s": None, "uncounted": unpromised}
    cluster.wait_agreed()
    assert (cluster.resets, cluster.twice) == ([], [])
