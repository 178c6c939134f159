"""A want of the machine is told as the node's, waited out, and never answered as a failure of the resource."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.agents import procfs
from reconciler.agents.cgroup import CgroupTree
from reconciler.agents.command import AgentCommand
from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.launch import Limits
from reconciler.agents.liveness import LivenessWatch
from reconciler.agents.process import ProcessRunner
from reconciler.agents.shortage import shortage_of
from reconciler.agents.systemd_bus import BusError
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus
from reconciler.model.resource import Agent

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """At most so many more files can be opened: the limit is on their numbers, so those below the highest one are all taken."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    filling = [os.dup(0)]
    while filling[-1] < highest:
        filling.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (filling[-1] + 1 + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in filling:
            os.close(descriptor)


def results_of(
    settings: RunnerSettings, agent: Agent, more: int, calls: int = 5
) -> tuple[list[AgentResult], list[str | None]]:
    """How calls end that are made while too few files can be opened, and end half a second later; and what was told."""

    async def go() -> tuple[list[AgentResult], list[str | None]]:
        runner = AgentRunner(settings)
        told: list[str | None] = []
        runner.shortage.told = told.append
        with few_descriptors(more):
            waiting = [
                asyncio.create_task(runner.run(AgentCall(f"r{n}", agent, "monitor", 0, 5000))) for n in range(calls)
            ]
            await asyncio.sleep(0.5)
        found = await asyncio.gather(*waiting)
        assert runner.shortage.present is None
        runner.close()
        return found, told

    return asyncio.run(go())


@pytest.mark.parametrize("more", range(14))
def test_too_few_descriptors_fail_no_call(settings: RunnerSettings, agent: Callable[..., Agent], more: int) -> None:
    """Whatever it is that can't be opened: the pipe, the pidfd, the control group, the journal of attributes."""
    found, told = results_of(settings, agent("sleep 0.05; exit 0"), more)
    assert {(one.code, one.status) for one in found} == {(0, OperationStatus.DONE)}, found
    assert told[::2] in ([], ["agents can't be called at present: Too many open files"])
    assert told[1::2] == [None] * (len(told) // 2)
    if more < 3:
        assert told


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.ENFILE])
def test_no_process_and_no_memory_are_waited_out(
    settings: RunnerSettings, agent: Callable[..., Agent], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    left = [3]
    real = subprocess.Popen.__init__

    def popen(self, *args, **named):  # type: ignore[no-untyped-def]
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))
        real(self, *args, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", popen)
    found, told = results_of(settings, agent("exit 0"), 100, calls=1)
    assert [(one.code, one.status) for one in found] == [(0, OperationStatus.DONE)]
    assert told == [f"agents can't be called at present: {os.strerror(number)}", None]


def test_a_call_that_waits_can_be_cancelled() -> None:
    async def go() -> None:
        runner = ProcessRunner()
        with few_descriptors(0):
            task = asyncio.create_task(runner.run(AgentCommand(("/bin/true",), ENVIRONMENT)))
            await asyncio.sleep(0.2)
            assert runner.shortage.present is not None
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert runner.shortage.present is None
        assert runner.running == set()

    asyncio.run(go())


def test_a_call_that_hangs_is_killed_without_a_descriptor_to_spare(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"setsid sh -c 'echo $$ >>{pids}; exec sleep 600' & echo $$ >>{pids}; sleep 600"

    async def go() -> None:
        runner = ProcessRunner(grace_ms=100)
        task = asyncio.create_task(runner.run(AgentCommand(("/bin/sh", "-c", script), ENVIRONMENT, 1000)))
        while len(pids.read_text().split() if pids.exists() else ()) < 2:
            await asyncio.sleep(0.01)
        with few_descriptors(0):
            ended = await task
        assert ended.timed_out

    asyncio.run(go())
    end = time.monotonic() + 10  # What was killed takes a moment to go.
    while any(procfs.is_alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_is_a_want_of_the_machine() -> None:
    assert shortage_of(OSError(errno.EMFILE, "")) == errno.EMFILE
    wrapped = BusError("connect")
    wrapped.__cause__ = OSError(errno.ENOMEM, "")
    assert shortage_of(wrapped) == errno.ENOMEM
    for other in (None, OSError(errno.ENOENT, ""), ValueError(), BusError("connect")):
        assert shortage_of(other) is None


def test_no_more_descriptors_than_allowed_are_used_to_watch(settings: RunnerSettings) -> None:
    """And where there are fewer, the ends of the others are noticed all the same."""
    process = Agent("ocf", "process", "reconciler")

    async def go() -> None:
        runner = AgentRunner(settings)
        gone: list[str] = []
        watch = LivenessWatch(gone.append, runner.mark, runner.cgroups, runner.processes.running, most_descriptors=5)
        calls = [AgentCall(f"r{n}", process, "start", parameters={"command": "exec sleep 600"}) for n in range(12)]
        assert {result.code for result in await asyncio.gather(*map(runner.run, calls))} == {0}
        before = len(os.listdir("/proc/self/fd"))
        for call in calls:
            watch.watch(call.resource, call.parameters)
        for _ in range(500):
            if all(watch.is_watched(call.resource) for call in calls):
                break
            await asyncio.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) - before == 5
        for call in calls:
            pid = int((Path(settings.state_directory or "") / f"process-{call.resource}.pid").read_text().split()[0])
            os.kill(pid, 9)
        for _ in range(1000):
            if len(gone) == 12:
                break
            await asyncio.sleep(0.01)
        assert sorted(gone) == sorted(call.resource for call in calls)
        watch.close()
        runner.close()

    asyncio.run(go())


def test_what_is_started_has_the_limits_of_the_machine_and_not_ours(tree: CgroupTree | None) -> None:
    """A daemon that closes all its descriptors one by one takes an hour over a billion; and what uses the memory has to end first."""
    report = "ulimit -Sn; cat /proc/self/oom_score_adj; echo $((1 + 1)) $PATH"

    async def go(environment: dict[str, str]) -> list[str]:
        runner = ProcessRunner(cgroups=tree, limits=Limits(descriptors=77, oom_score=5))
        ended = await runner.run(AgentCommand(("/bin/sh", "-c", report), environment))
        return ended.output.decode().split("\n")[:3]

    assert asyncio.run(go(ENVIRONMENT)) == ["77", "5", "2 /usr/bin:/bin"]
    assert asyncio.run(go({**ENVIRONMENT, "a-b": "c"})) == ["77", "5", "2 /usr/bin:/bin"]


def test_own_limit_is_raised_to_the_hard_one_and_the_former_is_known() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = min(before[1], 4096) if before[1] != resource.RLIM_INFINITY else 4096
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))
from reconciler.agents.launch import raise_own_limits
print(raise_own_limits().descriptors, *resource.getrlimit(resource.RLIMIT_NOFILE), raise_own_limits().descriptors)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["100", str(hard), str(hard), "None"]
