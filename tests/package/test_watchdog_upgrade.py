"""A machine whose watchdog device is armed gets a new version of the package: it is not reset, and its service runs on.

The device is a double; the daemon is the one of the package, by the unit of the package.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon import watchdog_double
from daemon.watchdog_double import WatchdogDouble
from machine import leave_out

from reconciler.daemon import watchdog_device

from .conftest import as_version
from .machines import Machine, lacking, machine, wait_until

pytestmark = pytest.mark.timeout(300)
TIMEOUT_S, HANDOVER_S = 20, 90
NODE = f"""\
node: here
self-fencing: {{watchdog: /srv/shared/watchdog, timeout: {TIMEOUT_S}s, handover: {HANDOVER_S}s}}
sources:
  local: {{directory: /srv/site}}
"""
SITE = """\
cluster: {name: site, options: {fencing-enabled: false}}
nodes: {here: {}}
primitives:
  serving:
    agent: ocf:reconciler:process
    params: {command: sleep 4242}
    operations: {monitor: {interval: 1s}}
"""
WITH_THE_DOUBLE = """\
[Service]
ExecStart=
ExecStart=/usr/lib/reconciler/bin/python3 -I /srv/shared/double.py run --config /etc/reconciler/node.yaml
"""


class Noting(WatchdogDouble):
    """A device that remembers which times it was given."""

    def __init__(self, path: Path) -> None:
        self.times: list[int] = []
        super().__init__(path)

    def _answer(self, request: int, argument: bytes) -> tuple[int, bytes]:
        answer = super()._answer(request, argument)
        if request == watchdog_device.SET_TIMEOUT:
            self.times.append(self.timeout_s)
        return answer


@pytest.fixture
def guarded(package: Path, tmp_path: Path) -> Iterator[tuple[Machine, Noting]]:
    """A machine with the package, on which a service runs and a device is armed."""
    if (why := lacking()) is not None:
        leave_out(why)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "double.py").write_bytes(Path(watchdog_double.__file__).read_bytes())
    device = Noting(shared / "watchdog")
    try:
        with machine("guarded", tmp_path, shared=shared) as made:
            install(made, package)
            made.put("/etc/reconciler/node.yaml", NODE)
            made.put("/srv/site/site.yaml", SITE)
            made.put("/etc/systemd/system/reconciler.service.d/double.conf", WITH_THE_DOUBLE)
            made.run("systemctl", "daemon-reload")
            made.run("systemctl", "enable", "--now", "reconciler")
            wait_until(lambda: bool(status(made).get("active")) and is_guarded(made), "it is armed, and at rest", 60)
            yield made, device
    finally:
        device.close()


def install(on: Machine, package: Path) -> None:
    on.put(f"/tmp/{package.name}", package.read_bytes())
    on.run("apt-get", "install", "--yes", "--no-install-recommends", f"/tmp/{package.name}")


def status(on: Machine) -> dict[str, Any]:
    told = on.run("reconciler", "status", "--json", check=False)
    return dict(json.loads(told)) if told.startswith("{") else {}


def is_guarded(on: Machine) -> bool:
    """Whether the service runs, and the node feeds the device as it was asked to."""
    told = status(on)
    dog = told.get("watchdog") or {}
    fed = dog.get("fed") is True and dog.get("timeout_s") == TIMEOUT_S
    return fed and bool(told["converged"]) and len(on.process("sleep 4242")) == 1


def main_pid(on: Machine) -> str:
    return on.run("systemctl", "show", "--property", "MainPID", "--value", "reconciler")


def test_an_upgrade_hands_the_armed_device_over_and_the_service_runs_on(
    guarded: tuple[Machine, Noting], package: Path, tmp_path: Path
) -> None:
    made, device = guarded
    assert (device.running, device.timeout_s, device.opened) == (True, TIMEOUT_S, 1)
    serving, former = made.process("sleep 4242"), main_pid(made)
    device.times.clear()
    install(made, as_version(package, "9.0-1", tmp_path))
    assert main_pid(made) not in ("0", former)
    wait_until(lambda: is_guarded(made), "the next daemon feeds it", 60)
    assert device.times == [HANDOVER_S, TIMEOUT_S], "it waited for the next daemon, and was taken over"
    assert device.opened == 2
    writes = device.writes
    time.sleep(TIMEOUT_S + 2)
    assert device.writes > writes + TIMEOUT_S / 2
    assert (device.running, device.fired) == (True, 0), "the machine was never reset"
    assert made.process("sleep 4242") == serving
    assert "9.0-1" in made.run("dpkg-query", "--show", "reconciler")


def test_one_that_is_removed_leaves_the_service_and_the_machine_to_themselves_for_the_time_of_a_handover(
    guarded: tuple[Machine, Noting], package: Path
) -> None:
    """A removal looks to the daemon as an upgrade does: whoever means it for good stops what runs first."""
    made, device = guarded
    serving = made.process("sleep 4242")
    made.run("dpkg", "--remove", "reconciler")
    assert made.process("sleep 4242") == serving
    assert (device.running, device.timeout_s, device.fired) == (True, HANDOVER_S, 0)
    install(made, package)
    made.run("systemctl", "start", "reconciler")
    wait_until(lambda: is_guarded(made), "the next one takes it over", 60)
    assert made.process("sleep 4242") == serving
    assert device.fired == 0
