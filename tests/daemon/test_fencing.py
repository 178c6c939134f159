"""How fencing orders are carried out: what a fence agent is given, what its end means, and that it waits behind nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.installed import Roots
from reconciler.controller.events import CallFenceAgent
from reconciler.controller.fencing.record import FenceOrder, FenceProgress
from reconciler.controller.fencing.topology import FenceStep
from reconciler.daemon.fencing import AgentFencing
from reconciler.model.metadata import AgentMetadata, AgentParameter
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent

AGENT = Agent("stonith", "fence_test")


def described(*parameters: str) -> AgentMetadata:
    return AgentMetadata("fence_test", parameters={name: AgentParameter(name) for name in parameters})


@pytest.fixture
def runner_settings(tmp_path: Path) -> RunnerSettings:
    (tmp_path / "sbin").mkdir()
    roots = Roots(ocf=(), lsb=(), stonith=(str(tmp_path / "sbin"),))
    return RunnerSettings("n2", str(tmp_path / "run"), roots, str(tmp_path / "state"), limit=1, cgroups=False)


def call(parameters: Mapping[str, str], action: str = "off", timeout_ms: int = 20_000) -> CallFenceAgent:
    step = FenceStep("power", action, True)
    order = FenceOrder(1, "n1", 1, "boot", FenceProgress(), (step,), 1, True, "n2", "life", timeout_ms)
    return CallFenceAgent(order, AGENT, parameters)


def fenced(
    settings: RunnerSettings, script: str, wanted: CallFenceAgent, metadata: AgentMetadata | None = None
) -> tuple[bool, str]:
    program = Path(settings.roots.stonith[0]) / "fence_test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)

    async def known(_: Agent) -> AgentMetadata | None:
        return metadata

    async def go() -> tuple[bool, str]:
        runner = AgentRunner(settings)
        try:
            return await AgentFencing(runner, known)(wanted)
        finally:
            runner.close()

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("parameters", "metadata", "named"),
    [
        ({}, None, {"port": "n1"}),
        ({}, described("plug", "port"), {"plug": "n1"}),
        ({}, described("port"), {"port": "n1"}),
        ({}, described("ip"), {}),
        ({"pcmk_host_argument": "uuid"}, described("port"), {"uuid": "n1"}),
        ({"pcmk_host_argument": "none"}, described("port"), {}),
        ({"pcmk_host_map": "n2:2;N1:17,18"}, described("plug"), {"plug": "17,18"}),
        ({"plug": "4"}, described("plug"), {"plug": "4"}),
        ({"pcmk_off_action": "poweroff"}, described("ip"), {"action": "poweroff"}),
    ],
)
def test_what_a_fence_agent_is_given(
    runner_settings: RunnerSettings,
    tmp_path: Path,
    parameters: dict[str, str],
    metadata: AgentMetadata | None,
    named: dict[str, str],
) -> None:
    wanted = call({"ip": "192.0.2.1", **parameters})
    assert fenced(runner_settings, f"cat >{tmp_path}/given", wanted, metadata) == (True, "")
    given = dict(line.split("=", 1) for line in (tmp_path / "given").read_text().splitlines())
    assert given == {"action": "off", "ip": "192.0.2.1", "nodename": "n1", **named}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo connecting; echo the board says no >&2; exit 1", "the board says no"),
        ("exit 3", "the agent ended with code 3"),
        ("kill -9 $$", "ended by SIGKILL"),
        ("sleep 30", "did not finish within 300 ms"),
    ],
)
def test_only_an_agent_that_says_so_has_fenced(runner_settings: RunnerSettings, script: str, why: str) -> None:
    assert fenced(runner_settings, script, call({}, timeout_ms=300)) == (False, why)


def test_a_device_that_is_gone_or_has_no_agent_here_has_not_fenced(runner_settings: RunnerSettings) -> None:
    gone = CallFenceAgent(call({}).order, None, {})
    assert fenced(runner_settings, "exit 0", gone) == (False, "power is not configured any more")
    elsewhere = CallFenceAgent(call({}).order, Agent("stonith", "fence_other"), {})
    assert fenced(runner_settings, "exit 0", elsewhere) == (False, "fence agent fence_other is not installed")


def test_fencing_waits_for_no_operation_of_a_resource(runner_settings: RunnerSettings) -> None:
    """There is one place for operations here, and an agent that hangs has it."""
    for name, script in (("fence_hangs", "exec sleep 30"), ("fence_test", "exit 0")):
        program = Path(runner_settings.roots.stonith[0]) / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    async def unknown(_: Agent) -> None:
        return None

    async def go() -> float:
        runner = AgentRunner(runner_settings)
        hangs = asyncio.create_task(runner.run(AgentCall("r", Agent("stonith", "fence_hangs"), "start", 0, 10_000)))
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        assert await AgentFencing(runner, unknown)(call({})) == (True, "")
        took_s = time.monotonic() - begun
        hangs.cancel()
        await asyncio.gather(hangs, return_exceptions=True)
        runner.close()
        return took_s

    assert asyncio.run(go()) < 5


def test_an_agent_that_does_not_describe_itself_holds_fencing_up_for_moments_only(
    runner_settings: RunnerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.daemon.fencing._METADATA_S", 0.2)

    async def never(_: Agent) -> None:
        await asyncio.sleep(3600)

    program = Path(runner_settings.roots.stonith[0]) / "fence_test"
    program.write_text("#!/bin/sh\ngrep -q port=n1\n")
    program.chmod(0o755)

    async def go() -> tuple[bool, str]:
        runner = AgentRunner(runner_settings)
        try:
            return await AgentFencing(runner, never)(call({}))
        finally:
            runner.close()

    assert asyncio.run(go()) == (True, "")
