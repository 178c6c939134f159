"""The end of a service is noticed at once, whatever it is told by."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from reconciler.agents import procfs
from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.kernel import adopt_orphans
from reconciler.agents.liveness import LivenessWatch
from reconciler.agents.orphans import OrphanReaper
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent

PROCESS = Agent("ocf", "process", "reconciler")


class Watched:
    """A runner with a watch beside it, as the daemon has them."""

    def __init__(self, settings: RunnerSettings) -> None:
        self.runner = AgentRunner(settings)
        self.gone: list[str] = []
        self.watch = LivenessWatch(
            self.gone.append, self.runner.mark, self.runner.cgroups, self.runner.processes.running
        )
        self.state = Path(settings.state_directory or "")

    async def run(self, operation: str, resource: str, agent: Agent = PROCESS, **parameters: str) -> int:
        result = await self.runner.run(AgentCall(resource, agent, operation, parameters=parameters))
        return result.code

    def pid(self, resource: str) -> int:
        return int((self.state / f"process-{resource}.pid").read_text().split()[0])

    async def until(self, done: Callable[[], bool], seconds: float = 5) -> float:
        """How long it took, in seconds."""
        begin = time.monotonic()
        while not done():
            assert time.monotonic() - begin < seconds
            await asyncio.sleep(0.002)
        return time.monotonic() - begin


def tell(settings: RunnerSettings, story: Callable[[Watched], Awaitable[None]]) -> None:
    async def go() -> None:
        watched = Watched(settings)
        OrphanReaper(watched.runner.processes.running).install()
        try:
            await story(watched)
        finally:
            adopt_orphans(False)
            watched.watch.close()
            watched.runner.close()
            for resource in ("a", "b", "a:0"):
                for pid in procfs.marked(watched.runner.mark(resource)):
                    os.kill(pid, signal.SIGKILL)

    asyncio.run(go())


def test_killed_service_is_noticed_at_once(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        for resource in ("a", "b"):
            assert await watched.run("start", resource, command="exec sleep 600") == 0
            watched.watch.watch(resource)
        await watched.until(lambda: watched.watch.is_watched("a") and watched.watch.is_watched("b"))
        os.kill(watched.pid("b"), signal.SIGKILL)
        assert await watched.until(lambda: watched.gone == ["b"]) < 0.5
        assert watched.watch.is_watched("a")
        assert not watched.watch.is_watched("b")

    tell(settings, story)


def test_each_end_is_reported_once_and_after_that_only_if_watched_anew(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        command = "sleep 600 & sleep 600 & wait"
        await watched.run("start", "a", command=command)
        watched.watch.watch("a")
        await watched.until(lambda: watched.watch.is_watched("a"))
        os.kill(watched.pid("a"), signal.SIGKILL)
        await watched.until(lambda: watched.gone == ["a"])
        await watched.run("stop", "a", command=command)
        await asyncio.sleep(0.1)
        assert watched.gone == ["a"]
        await watched.run("start", "a", command=command)
        watched.watch.watch("a")
        await watched.until(lambda: watched.watch.is_watched("a"))
        os.kill(watched.pid("a"), signal.SIGKILL)
        await watched.until(lambda: watched.gone == ["a", "a"])

    tell(settings, story)


def test_stop_that_was_announced_is_not_reported(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        await watched.run("start", "a", command="exec sleep 600")
        watched.watch.watch("a")
        await watched.until(lambda: watched.watch.is_watched("a"))
        watched.watch.forget("a")
        await watched.run("stop", "a", command="exec sleep 600")
        await asyncio.sleep(0.1)
        assert watched.gone == []

    tell(settings, story)


def test_resource_without_processes_is_not_watched(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        assert await watched.run("start", "a", Agent("ocf", "Dummy", "reconciler")) == 0
        watched.watch.watch("a")
        await asyncio.sleep(0.4)
        assert not watched.watch.is_watched("a")
        assert watched.gone == []

    tell(settings, story)


def test_resources_with_similar_names_are_not_mixed_up(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        await watched.run("start", "a:0", command="exec sleep 600")
        watched.watch.watch("a")
        watched.watch.watch("a:0")
        await watched.until(lambda: watched.watch.is_watched("a:0"))
        await asyncio.sleep(0.3)
        assert not watched.watch.is_watched("a")

    tell(settings, story)


def test_service_of_an_earlier_daemon_is_found_again(settings: RunnerSettings) -> None:
    async def story(watched: Watched) -> None:
        await watched.run("start", "a", command="exec sleep 600")
        again = Watched(settings)
        again.watch.watch("a")
        await again.until(lambda: again.watch.is_watched("a"))
        os.kill(watched.pid("a"), signal.SIGKILL)
        await again.until(lambda: again.gone == ["a"])
        again.watch.close()

    tell(settings, story)


def test_process_named_by_a_pid_file(settings: RunnerSettings, tmp_path: Path) -> None:
    async def story(watched: Watched) -> None:
        process = await asyncio.create_subprocess_exec("/bin/sleep", "600")
        pidfile = tmp_path / "pid"
        pidfile.write_text(f" {process.pid}\n")
        watched.watch.watch("a", {"pidfile": str(pidfile)})
        await watched.until(lambda: watched.watch.is_watched("a"))
        process.kill()
        await watched.until(lambda: watched.gone == ["a"])
        await process.wait()

    tell(settings, story)


def test_pid_files_with_anything_else_in_them(settings: RunnerSettings, tmp_path: Path) -> None:
    async def story(watched: Watched) -> None:
        pidfile = tmp_path / "pid"
        for content in (b"", b"0", b"1", b"-5", b"x", b"\xff\xfe", b"9" * 50):
            pidfile.write_bytes(content)
            watched.watch.watch("a", {"pidfile": str(pidfile)})
            await asyncio.sleep(0.25)
            assert not watched.watch.is_watched("a"), content
        os.mkfifo(tmp_path / "fifo")
        watched.watch.watch("a", {"pidfile": str(tmp_path / "fifo")})
        watched.watch.watch("a", {"pidfile": "relative"})

    tell(settings, story)
