"""Agents written for one test, and runners that run them: with a control group for each call where the machine has them, and without."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control_groups import remove_control_groups
from machine import delegated

from reconciler.agents.cgroup import CgroupTree
from reconciler.agents.executor import AgentRunner, RunnerSettings, SecretResolver
from reconciler.agents.installed import Roots
from reconciler.model.operation import AgentCall, AgentResult
from reconciler.model.resource import Agent

SYSTEM_OCF = "/usr/lib/ocf"


@pytest.fixture(params=["cgroup", "process group"])
def cgroups(request: pytest.FixtureRequest) -> bool:
    """Whether calls get control groups: both ways are tested where both exist."""
    if request.param == "cgroup":
        delegated("tests", request.node.nodeid).close()
    return bool(request.param == "cgroup")


@pytest.fixture
def tree(cgroups: bool, tmp_path: Path) -> Iterator[CgroupTree | None]:
    """A tree of this test's own where calls get control groups, None where they don't."""
    made = delegated("tests", str(tmp_path)) if cgroups else None
    yield made
    remove_control_groups("tests", str(tmp_path))


@pytest.fixture
def ocf_root(tmp_path: Path) -> Path:
    """An OCF root of our own, where tests put their agents."""
    root = tmp_path / "ocf"
    (root / "resource.d" / "test").mkdir(parents=True)
    (root / "lib").mkdir()
    return root


@pytest.fixture
def agent(ocf_root: Path) -> Callable[..., Agent]:
    """Writes an agent from the body of a shell script."""

    def write(body: str, name: str = "probe", shebang: str = "#!/bin/sh") -> Agent:
        path = ocf_root / "resource.d" / "test" / name
        path.write_text(f"{shebang}\n{textwrap.dedent(body)}")
        path.chmod(0o755)
        return Agent("ocf", name, "test")

    return write


@pytest.fixture
def settings(tmp_path: Path, ocf_root: Path, cgroups: bool) -> Iterator[RunnerSettings]:
    """A node of its own in this test's directory; what a failed test left running of it is killed."""
    made = RunnerSettings(
        node="node1",
        run_directory=str(tmp_path / "run"),
        roots=Roots(
            ocf=(str(ocf_root), SYSTEM_OCF), lsb=(str(tmp_path / "init.d"),), stonith=(str(tmp_path / "sbin"),)
        ),
        state_directory=str(tmp_path / "state"),
        cgroups=cgroups,
    )
    yield made
    remove_control_groups(made.node, made.run_directory)


@pytest.fixture
def run(settings: RunnerSettings) -> Callable[..., AgentResult]:
    """Runs one operation from start to end in a loop of its own."""

    def call(
        agent: Agent,
        operation: str = "monitor",
        resource: str = "r1",
        timeout_ms: int = 20_000,
        resolver: SecretResolver | None = None,
        meta: dict[str, str] | None = None,
        **parameters: str,
    ) -> AgentResult:
        async def go() -> AgentResult:
            runner = AgentRunner(settings, resolver)
            try:
                return await runner.run(AgentCall(resource, agent, operation, 0, timeout_ms, parameters, meta or {}))
            finally:
                runner.close()

        return asyncio.run(go())

    return call
