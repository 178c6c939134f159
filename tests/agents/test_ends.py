"""The end of what is watched is told, with a descriptor and without one."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from control_groups import in_control_groups

from reconciler.agents import ends as ends_module
from reconciler.agents.cgroup import CgroupTree
from reconciler.agents.ends import Ends


class Told:
    """What was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def of(self, name: str) -> Callable[[], None]:
        return lambda: self.names.append(name)

    async def until(self, *names: str, seconds: float = 15) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self.names != list(names):
            assert loop.time() - begun < seconds, self.names
            await asyncio.sleep(0.005)
        return loop.time() - begun


def watch(story: Callable[[Ends, Told], Awaitable[None]], most: int | None = None) -> None:
    async def go() -> None:
        before = len(os.listdir("/proc/self/fd"))
        ends = Ends(most)
        try:
            await story(ends, Told())
        finally:
            ends.close()
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(go())


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["/bin/sleep", "600"])


@pytest.mark.parametrize(("most", "descriptors"), [(None, 2), (1, 1), (0, 0)])
def test_the_end_of_a_process_is_told_once(most: int | None, descriptors: int) -> None:
    async def story(ends: Ends, told: Told) -> None:
        one, two = sleeper(), sleeper()
        ends.process(one.pid, told.of("one"))
        stop = ends.process(two.pid, told.of("two"))
        assert ends.descriptors == descriptors
        one.kill()
        await told.until("one")
        assert stop is not None
        stop()
        stop()
        two.kill()
        await asyncio.sleep(1.3)
        assert told.names == ["one"], "nobody wants to know of the other"
        one.wait()
        two.wait()
        assert ends.process(one.pid, told.of("one")) is None
        assert ends.descriptors == 0

    watch(story, most)


def test_what_is_not_wanted_at_once_takes_no_descriptor() -> None:
    async def story(ends: Ends, told: Told) -> None:
        one = sleeper()
        ends.process(one.pid, told.of("one"), at_once=False)
        assert ends.descriptors == 0
        await asyncio.sleep(1.2)
        assert told.names == []
        one.kill()
        await told.until("one")
        one.wait()

    watch(story)


def test_a_number_that_was_given_again_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(ends: Ends, told: Told) -> None:
        one = sleeper()
        ends.process(one.pid, told.of("one"))
        stat = ends_module.procfs.process_stat(one.pid)
        assert stat is not None
        monkeypatch.setattr(ends_module.procfs, "process_stat", lambda pid: stat._replace(started=stat.started + 1))
        await told.until("one")
        monkeypatch.undo()
        one.kill()
        one.wait()

    watch(story, 0)


@in_control_groups
@pytest.mark.parametrize("most", [None, 0])
def test_an_emptied_control_group_is_told_once(tree: CgroupTree, most: int | None) -> None:
    async def story(ends: Ends, told: Told) -> None:
        groups = [tree.create(name) for name in ("a", "b", "c")]
        processes = [sleeper() for _ in groups]
        for group, process in zip(groups, processes, strict=True):
            Path(group.entry).write_text(str(process.pid))
        stops = [ends.group(group, told.of(name)) for group, name in zip(groups, "abc", strict=True)]
        assert ends.descriptors == (1 if most is None else 0), "one for all of them together"
        processes[1].kill()
        took = await told.until("b")
        assert took < 0.9 or most == 0, "at once"
        stops[2]()
        processes[2].kill()
        await asyncio.sleep(1.3)
        assert told.names == ["b"]
        processes[0].kill()
        await told.until("b", "a")
        for process in processes:
            process.wait()

    watch(story, most)


@in_control_groups
def test_a_control_group_that_is_empty_or_gone_already_is_told(tree: CgroupTree) -> None:
    async def story(ends: Ends, told: Told) -> None:
        empty, gone = tree.create("empty"), tree.create("gone")
        gone.remove()
        ends.group(empty, told.of("empty"))
        await told.until("empty")
        ends.group(gone, told.of("gone"))
        await told.until("empty", "gone")

    watch(story)


@in_control_groups
def test_lost_events_have_every_group_looked_at(tree: CgroupTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's queue was full: the event says only that there were others."""
    real = os.read

    def read(descriptor: int, size: int) -> bytes:
        data = real(descriptor, size)
        return ends_module._EVENT.pack(-1, 0x4000, 0, 0) if len(data) == ends_module._EVENT.size else data

    async def story(ends: Ends, told: Told) -> None:
        group, process = tree.create("a"), sleeper()
        Path(group.entry).write_text(str(process.pid))
        ends.group(group, told.of("a"))
        await asyncio.sleep(0.05)
        monkeypatch.setattr(os, "read", read)
        process.kill()
        await told.until("a")
        process.wait()

    watch(story)
