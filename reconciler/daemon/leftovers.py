"""Agents that a former daemon was calling when it died: they go on, and nobody may act on their resources before they end.

Such an agent is told from the service it started by its command line, which ends with the operation, and by leading a session of its own.
Source: the design of the cluster, safety rules 1 and 8.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import NamedTuple

from reconciler.agents import procfs
from reconciler.model.text import integer

_OPERATIONS = frozenset(
    {
        "start",
        "stop",
        "monitor",
        "status",
        "promote",
        "demote",
        "notify",
        "migrate_to",
        "migrate_from",
        "reload",
        "reload-agent",
        "force-reload",
        "restart",
        "validate-all",
        "meta-data",
    }
)
_LOOK_AGAIN_S = 0.02
_DEFAULT_TIMEOUT_MS = 20_000
_LARGEST_ENVIRONMENT = 4 * 1024 * 1024


class Leftover(NamedTuple):
    """A process that carries out an operation nobody waits for; `ends_by_s` is when it is late, in seconds since the start
    of the machine.
    """

    pid: int
    resource: str
    operation: str
    ends_by_s: float


def find_leftovers(run_directory: str) -> list[Leftover]:
    """The agents that a former daemon with this run directory still had running."""
    found = []
    for pid in procfs.all_processes():
        if pid != os.getpid() and (leftover := _leftover(pid, run_directory)) is not None:
            found.append(leftover)
    return found


async def outlive_leftovers(run_directory: str) -> list[Leftover]:
    """Wait until they have ended; those that pass their own deadline are killed. Answers with those there were."""
    found = find_leftovers(run_directory)
    waiting = list(found)
    while waiting:
        for late in waiting:
            if late.ends_by_s <= _uptime_s() and _is_same(late, run_directory):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(late.pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_AGAIN_S)
        waiting = [leftover for leftover in waiting if _is_same(leftover, run_directory)]
    return found


def _is_same(leftover: Leftover, run_directory: str) -> bool:
    """Whether the process still runs, and is not another that was given its number."""
    now = _leftover(leftover.pid, run_directory)
    return now is not None and (now.resource, now.operation) == (leftover.resource, leftover.operation)


def _leftover(pid: int, run_directory: str) -> Leftover | None:
    stat = procfs.process_stat(pid)
    if stat is None or stat.session != pid or stat.state in "ZX":
        return None
    environment = _read(pid, "environ")
    mark = f"RECONCILER_RESOURCE={run_directory}/".encode()
    resource = next((part[len(mark) :] for part in environment if part.startswith(mark)), None)
    if resource is None:
        return None
    words = [word.decode("utf-8", "replace") for word in _read(pid, "cmdline") if word]
    if len(words) < 2 or words[-1] not in _OPERATIONS:
        return None
    timeout = b"OCF_RESKEY_CRM_meta_timeout="
    given = next(
        (part[len(timeout) :].decode("ascii", "replace") for part in environment if part.startswith(timeout)), None
    )
    timeout_ms = integer(given, _DEFAULT_TIMEOUT_MS) or _DEFAULT_TIMEOUT_MS
    return Leftover(pid, resource.decode("utf-8", "replace"), words[-1], _started_s(pid) + timeout_ms / 1000)


def _read(pid: int, name: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read(_LARGEST_ENVIRONMENT).split(b"\0")
    except OSError:
        return []  # Gone, or not ours to look at: then it is no child of a daemon of ours.


def _started_s(pid: int) -> float:
    """When a process was started, in seconds since the start of the machine."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read(4096)
    except OSError:
        return 0.0
    fields = text[text.rfind(b")") + 2 :].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _uptime_s() -> float:
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])
