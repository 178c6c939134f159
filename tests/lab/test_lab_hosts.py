"""Switching a host of the lab off: everything of it is gone, or it is told that it is not."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from reconciler.fabric.lab import hosts
from reconciler.fabric.lab.hosts import LabHost
from reconciler.fabric.lab.supervisor import LabSupervisor
from reconciler.fabric.lab.wire import LabError


def running(host: LabHost, resource: str) -> subprocess.Popen[bytes]:
    """A process as agents of this host start it."""
    mark = f"{host.directory}/run/{resource}"
    return subprocess.Popen(["sleep", "60"], env={"PATH": "/bin:/usr/bin", "RECONCILER_RESOURCE": mark})


def made(directory: Path, name: str) -> LabHost:
    (directory / name).mkdir()
    return LabHost(name, directory / name)


def test_what_runs_on_a_host_ends_with_its_power_and_nothing_else(tmp_path: Path) -> None:
    host, other = made(tmp_path, "n1"), made(tmp_path, "n11")
    ours, others = running(host, "a"), running(other, "a")
    git = subprocess.Popen(["sh", "-c", "sleep 60; :", f"--git-dir={host.directory}/state/repository.git"])
    try:
        host.power_off()
        assert ours.wait(5) == -9
        assert git.wait(5) == -9
        assert not host.on
        assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_a_host_on_which_something_goes_on_is_not_off_nor_fenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "_KILLED_WITHIN_S", 0.1)
    monkeypatch.setattr(hosts, "_kill", lambda _: None)
    (tmp_path / "n1").mkdir()
    lab = LabSupervisor(tmp_path, ("n1",))
    host = lab.hosts["n1"]
    process = running(host, "a")
    try:
        with pytest.raises(LabError, match=str(process.pid)):
            host.power_off()
        assert "does not end" in asyncio.run(lab.fence("n1", "off"))
        assert host.on
        assert "n1" in lab.sequencer.on
    finally:
        process.kill()
        process.wait()
