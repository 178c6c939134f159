"""Agents that a former daemon was calling when it died: they go on, and nobody may act on their resources before they end.

They are those that the former daemon noted down, with number and time of start, and no others: a service that an agent started looks
like an agent in every other way, and must never be taken for one.
Source: the design of the cluster, safety rules 1 and 8.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

from reconciler.agents import procfs
from reconciler.agents.calls import Call, read_table, tables
from reconciler.agents.cgroup import CallGroup

_LOOK_AGAIN_S = 0.02
_LOOKS_AFTER_KILL = 25
_LOOK_AT_ALL_AGAIN_S = 0.5


def find_leftovers(run_directory: str, own: str | None) -> list[Call]:
    """The calls that former daemons with this run directory had going, and that still go on; `own` is our table's path."""
    return [call for path in _former(run_directory, own) for call in read_table(path) if _goes_on(call)]


async def outlive_leftovers(run_directory: str, own: str | None) -> list[Call]:
    """Wait until they have ended; those that pass their own deadline are killed. Answers with those there were.

    One whose first process was never noted down is waited for until its deadline, and nothing of it is killed: what still carries its
    mark may be the service that it started.
    """
    former = _former(run_directory, own)
    found = find_leftovers(run_directory, own)
    await asyncio.gather(*map(_outlive, found))
    for path in former:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    return found


def _former(run_directory: str, own: str | None) -> list[str]:
    return [path for path in tables(run_directory) if path != own]


async def _outlive(call: Call) -> None:
    pause_s = _LOOK_AGAIN_S if call.pid is not None else _LOOK_AT_ALL_AGAIN_S
    while _goes_on(call) and time.monotonic() < call.ends_by_s:
        await asyncio.sleep(pause_s)
    if call.pid is None:
        return
    while _goes_on(call):
        pins = _kill(call, call.pid)
        try:
            for _ in range(_LOOKS_AFTER_KILL):
                if _goes_on(call) or not all(map(procfs.is_over, pins)):
                    await asyncio.sleep(_LOOK_AGAIN_S)
        finally:
            for pin in pins:
                os.close(pin)


def _goes_on(call: Call) -> bool:
    """Whether the call's first process runs, and is not another that was given its number."""
    if call.pid is not None:
        stat = procfs.process_stat(call.pid)
        return stat is not None and stat.started == call.started and stat.state not in "ZX"
    stats = ((pid, procfs.process_stat(pid)) for pid in procfs.marked(call.mark))
    return any(stat is not None and stat.session == pid and stat.state not in "ZX" for pid, stat in stats)


def _kill(call: Call, pid: int) -> list[int]:
    """Kill what the call has started, as its own daemon would have done: it has not ended, so nothing of it is a service yet.

    Returns pidfds to see by whether that has ended, which the caller closes.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    if call.group is not None:
        CallGroup(call.group).kill()
    return procfs.kill_marked(call.mark)
