"""When processes end and control groups become empty, told at once where that costs little, and by looking where it does not.

A descriptor tells the end of one process, and one more tells of all control groups together. There are never more of them than half
of what this process may have open: agents have to be called, too. What is watched beyond that is looked at once a second.
Source: pidfd_open(2); inotify(7); Linux, Documentation/admin-guide/cgroup-v2.rst, "[Un]populated Notification".
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from functools import partial

from reconciler.agents import kernel, procfs
from reconciler.agents.cgroup import CallGroup
from reconciler.agents.launch import descriptors_left

_LOOK_S = 1.0
_EVENT = struct.Struct("=iIII")
_READ_BYTES = 64 * 1024

Stop = Callable[[], None]
"""Ends the watching of one thing; called again it does nothing."""


class Ends:
    """Watches processes and control groups; all calls in the loop's thread."""

    def __init__(self, most_descriptors: int | None = None) -> None:
        """`most_descriptors` bounds how many are used; None means half of what this process may have."""
        self._most = descriptors_left() // 2 if most_descriptors is None else most_descriptors
        self._pins: set[int] = set()
        self._groups = _GroupEvents()
        self._looked_at: dict[int, Callable[[], bool]] = {}
        self._serial = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def descriptors(self) -> int:
        """How many descriptors are in use."""
        return len(self._pins) + self._groups.descriptors

    def process(self, pid: int, ended: Callable[[], None], *, at_once: bool = True) -> Stop | None:
        """Call `ended` once when the process ends; None when there is no such process. `at_once` False: a second may pass."""
        if at_once and self.descriptors < self._most:
            try:
                return self._pinned(os.pidfd_open(pid), ended)
            except ProcessLookupError:
                return None
            except OSError:
                pass  # No descriptor is left.
        stat = procfs.process_stat(pid)
        if stat is None:
            return None
        return self._look_at(lambda: _goes_on(pid, stat.started), ended)

    def group(self, group: CallGroup, emptied: Callable[[], None]) -> Stop:
        """Call `emptied` once when nothing lives in the group any more."""
        watch = _GroupWatch(group, emptied)
        if self.descriptors < self._most and self._groups.watch(group.path, watch.look):
            watch.stop = partial(self._groups.forget, group.path)
            asyncio.get_running_loop().call_soon(watch.look)  # It may have become empty before it was watched.
        else:
            watch.stop = self._look_at(lambda: group.populated, watch.look)
        return watch.end

    def close(self) -> None:
        """Watch nothing any more."""
        for pin in tuple(self._pins):
            self._unpin(pin)
        self._groups.close()
        self._looked_at.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pinned(self, pin: int, ended: Callable[[], None]) -> Stop:
        self._pins.add(pin)

        def end() -> None:
            self._unpin(pin)
            ended()

        asyncio.get_running_loop().add_reader(pin, end)
        return lambda: self._unpin(pin)

    def _unpin(self, pin: int) -> None:
        if pin in self._pins:
            self._pins.discard(pin)
            asyncio.get_running_loop().remove_reader(pin)
            os.close(pin)

    def _look_at(self, goes_on: Callable[[], bool], over: Callable[[], None]) -> Stop:
        """Ask once a second, and call `over` when the answer is no."""
        self._serial += 1
        serial = self._serial

        def still() -> bool:
            if goes_on():
                return True
            self._looked_at.pop(serial, None)
            over()
            return False

        self._looked_at[serial] = still
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)
        return lambda: self._forget(serial)

    def _forget(self, serial: int) -> None:
        self._looked_at.pop(serial, None)

    def _look(self) -> None:
        self._timer = None
        for serial, still in tuple(self._looked_at.items()):
            if serial in self._looked_at:  # What was told of another may have ended the watching of this one.
                still()
        if self._looked_at and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)


def _goes_on(pid: int, started: int) -> bool:
    stat = procfs.process_stat(pid)
    return stat is not None and stat.started == started and stat.state not in "ZX"


class _GroupWatch:
    """One control group, until it is empty or nobody wants to know any more."""

    def __init__(self, group: CallGroup, emptied: Callable[[], None]) -> None:
        self.stop: Stop = _nothing
        self._group = group
        self._emptied = emptied
        self._over = False

    def look(self) -> None:
        """Tell, once, if nothing lives in it."""
        if not self._over and not self._group.populated:
            self.end()
            self._emptied()

    def end(self) -> None:
        """Tell nothing any more."""
        self._over = True
        self.stop()


def _nothing() -> None:
    """There is nothing to stop yet."""


class _GroupEvents:
    """One descriptor by which the kernel tells that a control group may have become empty."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._watches: dict[int, tuple[str, Callable[[], None]]] = {}
        self._by_path: dict[str, int] = {}

    @property
    def descriptors(self) -> int:
        """How many descriptors are in use: one or none."""
        return int(self._descriptor >= 0)

    def watch(self, path: str, changed: Callable[[], None]) -> bool:
        """Call `changed` whenever the group at `path` may have become empty; False when the kernel can't tell."""
        if self._descriptor < 0 and not self._open():
            return False
        number = kernel.add_watch(self._descriptor, f"{path}/cgroup.events")
        if number < 0:
            return False
        self._watches[number] = path, changed
        self._by_path[path] = number
        return True

    def forget(self, path: str) -> None:
        """No more calls for this group."""
        number = self._by_path.pop(path, None)
        if number is not None:
            self._watches.pop(number, None)
            kernel.remove_watch(self._descriptor, number)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        self._watches.clear()
        self._by_path.clear()

    def _open(self) -> bool:
        self._descriptor = kernel.open_watches()
        if self._descriptor < 0:
            return False
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return True

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        at, numbers = 0, set()
        while at < len(data):
            number, _, _, length = _EVENT.unpack_from(data, at)
            numbers.add(number)
            at += _EVENT.size + length
        # A lost event (the queue was full, number -1) may have been of any of them.
        told = set(self._watches) if -1 in numbers else numbers
        for number in sorted(told):
            if (watch := self._watches.get(number)) is not None:
                watch[1]()
