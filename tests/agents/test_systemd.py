"""Units of systemd, against a stand-in for it on a private bus."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine import needs

from reconciler.agents import systemd
from reconciler.agents.systemd import SystemdUnits
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.resource import Agent

pytestmark = needs("dbus-daemon")

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


class Bus:
    """A private bus, and systemd's stand-in on it."""

    def __init__(self, directory: Path) -> None:
        self.address = f"unix:path={directory}/bus"
        (directory / "bus.conf").write_text(CONFIGURATION.format(path=f"{directory}/bus"))
        words = ["dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork", "--print-address"]
        self.daemon = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.daemon.stdout is not None
        assert self.daemon.stdout.readline()
        self.systemd = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, str(Path(__file__).with_name("fake_systemd.py")), self.address]
        self.systemd = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.systemd.stdout is not None
        assert self.systemd.stdout.readline() == b"ready\n"
        return self.systemd

    def close(self) -> None:
        for process in (self.systemd, self.daemon):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path)
    yield bus
    bus.close()


def call(unit: str, operation: str, timeout_ms: int = 5000) -> AgentCall:
    return AgentCall("r", Agent("systemd", unit), operation, timeout_ms=timeout_ms)


@pytest.fixture
def run(bus: Bus) -> Callable[..., list[AgentResult]]:
    """Runs operations one after the other over one connection."""

    def steps(*calls: AgentCall) -> list[AgentResult]:
        async def go() -> list[AgentResult]:
            units = SystemdUnits(bus.address)
            try:
                return [await units.run(one) for one in calls]
            finally:
                units.close()

        return asyncio.run(go())

    return steps


def outcome(results: list[AgentResult]) -> list[tuple[int, OperationStatus]]:
    return [(result.code, result.status) for result in results]


DONE, ERROR = OperationStatus.DONE, OperationStatus.ERROR


@pytest.mark.parametrize("unit", ["good", "good.socket", "good@one", "early", "slow"])
def test_life_of_a_unit(run: Callable[..., list[AgentResult]], unit: str) -> None:
    operations = ("monitor", "start", "monitor", "start", "reload", "stop", "monitor", "stop")
    results = run(*(call(unit, operation) for operation in operations))
    assert [result.code for result in results] == [7, 0, 0, 0, 0, 0, 7, 0]
    assert {result.status for result in results} == {DONE}


def test_job_that_fails(run: Callable[..., list[AgentResult]]) -> None:
    start, monitor = run(call("failing", "start"), call("failing", "monitor"))
    assert (start.code, "ended with 'failed'" in start.exit_reason) == (ResultCode.ERROR, True)
    assert (monitor.code, monitor.exit_reason) == (ResultCode.NOT_RUNNING, "failing.service is failed")


def test_unit_that_ends_at_once_is_no_success(run: Callable[..., list[AgentResult]]) -> None:
    (start,) = run(call("short", "start"))
    assert (start.code, start.exit_reason) == (ResultCode.ERROR, "short.service is inactive after start")


def test_unit_that_failed_while_stopping_is_stopped(run: Callable[..., list[AgentResult]]) -> None:
    assert outcome(run(call("endsfailed", "start"), call("endsfailed", "stop"))) == [(0, DONE), (0, DONE)]


def test_unit_that_is_not_there(run: Callable[..., list[AgentResult]]) -> None:
    results = run(call("missing", "start"), call("missing", "stop"), call("missing", "monitor"))
    assert [result.code for result in results] == [ResultCode.NOT_INSTALLED, ResultCode.OK, ResultCode.NOT_RUNNING]


def test_refusal_says_why(run: Callable[..., list[AgentResult]]) -> None:
    (result,) = run(call("masked", "start"))
    assert (result.code, result.status) == (ResultCode.ERROR, ERROR)
    assert "masked.service is masked" in result.exit_reason


def test_units_have_no_roles(run: Callable[..., list[AgentResult]]) -> None:
    assert outcome(run(call("good", "promote"))) == [(ResultCode.UNIMPLEMENTED, DONE)]


@pytest.mark.parametrize(("unit", "timeout_ms"), [("hang", 300), ("hang", 2500), ("stuck", 300)])
def test_deadline(run: Callable[..., list[AgentResult]], unit: str, timeout_ms: int) -> None:
    begin = time.monotonic()
    results = run(call(unit, "start", timeout_ms), call("good", "start"))
    assert outcome(results) == [(ResultCode.ERROR, OperationStatus.TIMED_OUT), (ResultCode.OK, DONE)]
    assert time.monotonic() - begin < 5


def test_end_of_a_job_that_is_never_told(run: Callable[..., list[AgentResult]]) -> None:
    assert outcome(run(call("untold", "start"), call("untold", "monitor"))) == [(0, DONE), (0, DONE)]


def test_many_at_once(bus: Bus) -> None:
    async def go() -> list[AgentResult]:
        units = SystemdUnits(bus.address)
        calls = (call(f"{kind}{n}", "start") for n in range(100) for kind in ("good", "early"))
        try:
            return await asyncio.gather(*(units.run(one) for one in calls))
        finally:
            units.close()

    assert {(result.code, result.status) for result in asyncio.run(go())} == {(0, DONE)}


def test_bus_that_goes_away_and_comes_back(bus: Bus, tmp_path: Path) -> None:
    async def go() -> list[AgentResult]:
        units = SystemdUnits(bus.address)
        results = [await units.run(call("good", "start"))]
        waiting = asyncio.create_task(units.run(call("hang", "start")))
        await asyncio.sleep(0.2)
        bus.close()
        results += [await waiting, await units.run(call("good", "monitor"))]
        os.unlink(tmp_path / "bus")
        bus.__init__(tmp_path)  # type: ignore[misc]
        results.append(await units.run(call("good", "start")))
        units.close()
        return results

    lost = (ResultCode.ERROR, OperationStatus.NOT_CONNECTED)
    assert outcome(asyncio.run(go())) == [(0, DONE), lost, lost, (0, DONE)]


def test_systemd_that_dies_during_a_call(bus: Bus, run: Callable[..., list[AgentResult]]) -> None:
    (result,) = run(call("crash", "start", 2000))
    assert result.code == ResultCode.ERROR
    assert result.status in (ERROR, OperationStatus.TIMED_OUT)
    bus.systemd.wait()
    bus.start()
    assert outcome(run(call("good", "start"))) == [(0, DONE)]


def test_machine_without_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(systemd, "_BOOTED", str(tmp_path / "none"))
    result = asyncio.run(SystemdUnits().run(call("good", "monitor")))
    assert (result.code, result.status) == (ResultCode.NOT_INSTALLED, OperationStatus.NOT_INSTALLED)
