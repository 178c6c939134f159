"""What the kernel tells about processes: who is whose child, and who carries a mark in its environment.

A process may end between any two reads; then it is left out, never an error.
Source: proc(5).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import NamedTuple

_MOST_ENVIRONMENT_BYTES = 4 * 1024 * 1024
_LOOKS_AT_AN_EXEC, _EXEC_LASTS_S = 20, 0.0005
_FLAGS, _ENV_END = 6, 48
"""Places in `/proc/PID/stat`, counted from the state."""
_KERNEL_THREAD = 0x00200000


class ProcessStat(NamedTuple):
    """One process: its state letter (Z: ended but not yet reaped), its parent, its session, and when it was started.

    With the number the start (in ticks since the start of the machine) names a process for good: numbers are given again.
    """

    state: str
    parent: int
    session: int
    started: int


def process_stat(pid: int) -> ProcessStat | None:
    """What `/proc/PID/stat` says; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read(4096)
    except OSError:
        return None
    # The name stands in parentheses and may itself hold parentheses and blanks: the last one ends it.
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    return ProcessStat(fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def is_alive(pid: int) -> bool:
    """Whether the process exists and has not ended."""
    stat = process_stat(pid)
    return stat is not None and stat.state not in "ZX"


def all_processes() -> list[int]:
    """Every process id of this machine (of this pid namespace), ascending."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())


def children(pid: int) -> list[int]:
    """The direct children of a process, ended ones included, ascending."""
    found: set[int] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.update(int(word) for word in file.read().split())
        except OSError:
            continue  # The thread has ended.
    return sorted(found)


def carries(pid: int, mark: str) -> bool:
    """Whether the process was started with exactly this `NAME=value` in its environment."""
    for _ in range(_LOOKS_AT_AN_EXEC):
        if (environment := _environment(pid)) != [b""]:
            return os.fsencode(mark) in environment
        if not _is_between_programs(pid):
            break
        time.sleep(_EXEC_LASTS_S)
    return os.fsencode(mark) in _environment(pid)  # Once more: the last look may have been in the middle of it.


def marked(mark: str) -> list[int]:
    """Every living process that carries the mark, ascending."""
    return [pid for pid in all_processes() if carries(pid, mark)]


def by_mark(prefix: str) -> dict[str, list[int]]:
    """All living processes that carry a mark beginning so, by what follows the prefix: one look at every process."""
    begin = os.fsencode(prefix)
    found: dict[str, list[int]] = {}
    for pid in all_processes():
        for variable in _environment(pid):
            if variable.startswith(begin):
                found.setdefault(os.fsdecode(variable[len(begin) :]), []).append(pid)
                break
    return found


def outermost(pids: list[int]) -> list[int]:
    """Those whose parent is not among them: of a service, the processes that the others came from."""
    ours = set(pids)
    stats = ((pid, process_stat(pid)) for pid in pids)
    return [pid for pid, stat in stats if stat is not None and stat.parent not in ours]


def kill_marked(mark: str) -> list[int]:
    """Kill every process that carries the mark; returns a pidfd for each one killed, which the caller closes.

    The process is pinned before the mark is looked at again, so that a number which was reused in between is never hit.
    """
    pins = []
    for pid in marked(mark):
        try:
            pin = os.pidfd_open(pid)
        except OSError:
            _kill_unpinned(pid, mark)
            continue
        if carries(pid, mark):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(pin, signal.SIGKILL)
            pins.append(pin)
        else:
            os.close(pin)
            _kill_unpinned(pid, mark)
    return pins


def _kill_unpinned(pid: int, mark: str) -> None:
    """Kill a process that could not be pinned, if it has not gone: without a spare descriptor its number has to do."""
    if carries(pid, mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def is_over(pin: int) -> bool:
    """Whether the process of a pidfd has ended."""
    watch = select.poll()
    watch.register(pin, select.POLLIN)
    return bool(watch.poll(0))


def _is_between_programs(pid: int) -> bool:
    """Whether the process is just becoming another program: for an instant it then shows no environment at all."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read(4096)
    except OSError:
        return False
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < _ENV_END + 1 or fields[0] in b"ZX" or int(fields[_FLAGS]) & _KERNEL_THREAD:
        return False
    return fields[_ENV_END] == b"0"


def _environment(pid: int) -> list[bytes]:
    """The variables that a process was started with; none when it is gone or not ours to look at."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read(_MOST_ENVIRONMENT_BYTES).split(b"\0")
    except OSError:
        return []
