"""Noticing at once that a started resource may have died, without asking its agent all the time.

Watched are the processes that the others of the service came from: those a call left behind in its control group, those that carry
the resource's mark in their environment, and those that a pid file names. When one of them ends, or the group is empty, the
resource is reported, once; the agent stays the judge, by a monitor that the daemon then runs. For resources without processes
(an address, a mount) nothing is watched and nothing is reported.

A resource takes one descriptor at most, for its first process. Where there is none, and for its further processes, a second may pass.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Container, Mapping

from reconciler.agents import procfs
from reconciler.agents.cgroup import CallGroup, CgroupTree
from reconciler.agents.ends import Ends, Stop
from reconciler.agents.orphans import reap_orphan

OnGone = Callable[[str], None]
"""`on_gone(resource)`: something of the resource has ended; it is no longer watched."""

_PID_FILE_PARAMETERS = ("pidfile", "pid_file", "pid", "pidfile_path")
# Looking through /proc for the processes of one resource costs as much as for those of a hundred.
_TOGETHER_S = 0.2
_LOOK_AGAIN_S = 0.005
_REAPED_WITHIN_S = 1.0
"""How long its own parent may take to reap a process that has ended, before it is reported all the same."""
_LONGEST_PID_FILE = 64
_MOST_WATCHED = 64
"""Of one resource: a service with more outermost processes than this is noticed by the others of them."""


class LivenessWatch:
    """Watches resources that run on this node; all calls in the loop's thread."""

    def __init__(
        self,
        on_gone: OnGone,
        mark: Callable[[str], str],
        cgroups: CgroupTree | None = None,
        running: Container[int] = frozenset(),
        most_descriptors: int | None = None,
    ) -> None:
        """`mark`, `cgroups` and `running` (first processes of calls) are those of the `AgentRunner` that starts the resources.

        `most_descriptors` is for what is watched at once, None for half of what this process may have; the rest is looked at once
        a second.
        """
        self._running = running
        self._ends = Ends(most_descriptors)
        self._on_gone = on_gone
        self._mark = mark
        self._cgroups = cgroups
        self._watched: dict[str, _Watched] = {}
        self._wanted: dict[str, Mapping[str, str]] = {}
        self._look: asyncio.TimerHandle | None = None

    def watch(self, resource: str, parameters: Mapping[str, str] | None = None) -> None:
        """Watch a resource that was just found running (by a start or a monitor), anew if it was watched.

        Without control groups its processes are looked for a moment later, together with those of others that start now.
        """
        self.forget(resource)
        if self._cgroups is not None:
            self._watch(resource, self._in_groups(resource, self._cgroups), parameters or {})
            return
        self._wanted[resource] = parameters or {}
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_TOGETHER_S, self._watch_wanted)

    def is_watched(self, resource: str) -> bool:
        """Whether anything of the resource is watched now."""
        return resource in self._watched

    def forget(self, resource: str) -> None:
        """Watch it no longer: it is about to be stopped."""
        self._wanted.pop(resource, None)
        if (watched := self._watched.pop(resource, None)) is not None:
            watched.close()

    def close(self) -> None:
        """Watch nothing any more."""
        if self._look is not None:
            self._look.cancel()
        for resource in sorted({*self._watched, *self._wanted}):
            self.forget(resource)
        self._ends.close()

    def _watch_wanted(self) -> None:
        self._look = None
        wanted, self._wanted = self._wanted, {}
        running = procfs.by_mark(self._mark(""))
        for resource, parameters in wanted.items():
            self._watch(resource, running.get(resource, []), parameters)

    def _watch(self, resource: str, pids: list[int], parameters: Mapping[str, str]) -> None:
        named = [pid for name in _PID_FILE_PARAMETERS if (pid := _read_pid(parameters.get(name))) is not None]
        watched = _Watched(resource, self._gone, self._running, self._ends)
        pids = [pid for pid in pids if not self._is_of_a_call(pid)]
        watched.add_processes(list(dict.fromkeys([*named, *procfs.outermost(pids)]))[:_MOST_WATCHED])
        for group in self._cgroups.left_behind(resource) if self._cgroups is not None else ():
            watched.add_group(group)
        if watched.count:
            self._watched[resource] = watched

    def _gone(self, resource: str) -> None:
        self.forget(resource)
        self._on_gone(resource)

    def _is_of_a_call(self, pid: int) -> bool:
        """Whether the process belongs to an agent that is at work, and so will end without meaning anything."""
        stat = procfs.process_stat(pid)
        return stat is not None and stat.session in self._running

    def _in_groups(self, resource: str, cgroups: CgroupTree) -> list[int]:
        return sorted({pid for group in cgroups.left_behind(resource) for pid in group.processes()})


class _Watched:
    """What is watched of one resource; the first end of any of it is reported."""

    def __init__(self, resource: str, on_gone: OnGone, running: Container[int], ends: Ends) -> None:
        self.count = 0
        self._ends = ends
        self._running = running
        self._resource = resource
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._pids: list[int] = []
        self._stops: list[Stop] = []
        self._over = False

    def add_processes(self, pids: list[int]) -> None:
        """Watch these processes, the first at once; one that is gone already is reported as soon as the loop runs."""
        for place, pid in enumerate(pids):
            self.count += 1
            stop = self._ends.process(pid, self._ended, at_once=place == 0)
            if stop is None:
                self._loop.call_soon(self.gone)
            else:
                self._stops.append(stop)
                self._pids.append(pid)

    def add_group(self, group: CallGroup) -> None:
        """Watch this control group as well."""
        self._stops.append(self._ends.group(group, self._ended))
        self.count += 1

    def _ended(self) -> None:
        self._report(self._loop.time() + _REAPED_WITHIN_S)

    def _report(self, end: float) -> None:
        """Report when what has ended was reaped, too: many agents take a process that is only ended for a living one."""
        if self._over:
            return
        if self._loop.time() < end and any(self._is_unreaped(pid) for pid in self._pids):
            self._loop.call_later(_LOOK_AGAIN_S, self._report, end)
        else:
            self.gone()

    def _is_unreaped(self, pid: int) -> bool:
        stat = procfs.process_stat(pid)
        return stat is not None and stat.state == "Z" and not reap_orphan(pid, self._running)

    def gone(self) -> None:
        """Report, once."""
        if not self._over:
            self.close()
            self._on_gone(self._resource)

    def close(self) -> None:
        """Give back what was opened."""
        self._over = True
        for stop in self._stops:
            stop()
        self._stops.clear()


def _read_pid(path: str | None) -> int | None:
    """The process that a pid file names; None when there is no such file or no such process."""
    if not path or not os.path.isabs(path):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            text = file.read(_LONGEST_PID_FILE).split(maxsplit=1)
    except OSError:
        return None
    pid = int(text[0]) if text and text[0].isdigit() else 0
    return pid if pid > 1 and procfs.is_alive(pid) else None
