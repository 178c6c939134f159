"""Running a program that may misbehave in every way: in a group of its own, with a deadline, its output bounded.

A call ends when its first process ends. What that one leaves behind (the daemon that a `start` is for) is neither waited for nor
killed. A call that passes its deadline is killed with everything it started: first asked by SIGTERM, after a grace by SIGKILL, through
the control group where there is one, else through the process group and a mark in the environment, which survives `setsid`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from reconciler.agents import procfs
from reconciler.agents.calls import Call, CallTable
from reconciler.agents.capture import Capture
from reconciler.agents.cgroup import CallGroup, CgroupTree
from reconciler.agents.command import AgentCommand
from reconciler.agents.launch import Limits, started_as
from reconciler.agents.shortage import Shortage
from reconciler.frozen import frozen

_T = TypeVar("_T")
_GRACE_MS = 5000
_KILLED_WITHIN_S = 2.0
"""How long after SIGKILL a process may linger (in the kernel, on a dead disk) before the call is answered without it."""
_KILL_ROUNDS = 5
_LOOK_AGAIN_S = 0.002
_SLOTS_AHEAD = 8
"""How many calls that wait for no others may run beside those that do."""
CALL_MARK = "RECONCILER_CALL"


@frozen
class Ended:
    """How a program ended: by `code`, by `signal`, or not started at all because of `error` (an errno).

    `timed_out` is true when the deadline had passed, whatever the program answered to SIGTERM; `lingers` when it could not even be killed.
    """

    code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    lingers: bool = False
    error: int | None = None
    output: bytes = b""
    execution_ms: int = 0
    queue_ms: int = 0


class ProcessRunner:
    """Runs commands, at most `limit` at a time; the others wait their turn, and their deadlines with them."""

    def __init__(
        self,
        limit: int | None = None,
        cgroups: CgroupTree | None = None,
        grace_ms: int = _GRACE_MS,
        directory: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`directory` is where it is noted which calls go on (`calls`), None for nowhere; `limits` are those of what is started.

        **Raises** OSError.
        """
        limit = limit or default_limit()
        self._slots = asyncio.Semaphore(limit)
        self._ahead = asyncio.Semaphore(_SLOTS_AHEAD)
        self._cgroups = cgroups
        self._id = os.urandom(16).hex()  # Marks outlive us in services: none may ever be used again.
        self.calls = CallTable(directory, self._id, limit + _SLOTS_AHEAD) if directory is not None else None
        self._grace_ms = grace_ms
        self._limits = limits or Limits()
        self.shortage = Shortage()
        self._serials = itertools.count(1)
        self.running: set[int] = set()
        """The first process of every call that is not over yet; whoever reaps orphans leaves these alone."""

    async def run(self, command: AgentCommand) -> Ended:
        """Run to the end or to the deadline; cancelled, it kills what it started and raises `CancelledError`."""
        asked = time.monotonic_ns()
        async with self._ahead if command.ahead else self._slots:
            queue_ms = (time.monotonic_ns() - asked) // 1_000_000
            return await self._run(command, queue_ms)

    async def _run(self, command: AgentCommand, queue_ms: int) -> Ended:
        try:
            child = await self.shortage.outlast(partial(self._started, command))
            started = time.monotonic_ns()
        except OSError as error:
            return Ended(error=error.errno or errno.EIO, output=str(error).encode(), queue_ms=queue_ms)
        except ValueError as error:  # A NUL, or a name that the environment can't hold.
            return Ended(error=errno.EINVAL, output=str(error).encode(), queue_ms=queue_ms)
        self.running.add(child.pid)
        try:
            timed_out = not await child.ends_within(command.timeout_ms / 1000)
            if timed_out:
                await self._end(child, command.timeout_ms)
            lingers = child.lingers if timed_out else not child.ended
            output = child.capture.finish()
            return Ended(
                code=child.code,
                signal=child.signal,
                timed_out=timed_out,
                lingers=lingers,
                output=output,
                execution_ms=(time.monotonic_ns() - started) // 1_000_000,
                queue_ms=queue_ms,
            )
        finally:
            if not child.ended:
                child.kill_everything()
            child.close()
            self.running.discard(child.pid)
            self._forget(child.slot, child.group)

    async def _started(self, command: AgentCommand) -> _Child:
        return self._start(command)

    def _start(self, command: AgentCommand) -> _Child:
        group = self._make_group(command)
        mark = f"{self._id}-{next(self._serials)}"
        slot = self._note(command, group, mark)
        try:
            child = _Child(command, group, mark, self._limits)
        except BaseException:
            self._forget(slot, group)
            raise
        child.slot = slot
        if self.calls is not None and slot is not None:
            self.calls.name(slot, child.pid)
        return child

    def _note(self, command: AgentCommand, group: CallGroup | None, mark: str) -> int | None:
        """Before the process is there: whoever comes after us must know of each one."""
        if self.calls is None:
            return None
        ends_by_s = time.monotonic() + command.timeout_ms / 1000
        path = group.path if group is not None else None
        return self.calls.begin(Call(f"{CALL_MARK}={mark}", command.label, command.operation, ends_by_s, path))

    def _make_group(self, command: AgentCommand) -> CallGroup | None:
        """A control group for the call; without one (too many, no memory) it is held by its process group and mark alone."""
        if self._cgroups is None:
            return None
        try:
            return self._cgroups.create(command.label)
        except OSError:
            return None

    def _forget(self, slot: int | None, group: CallGroup | None) -> None:
        if self.calls is not None and slot is not None:
            self.calls.end(slot)
        if self._cgroups is not None and group is not None:
            self._cgroups.release(group)

    async def _end(self, child: _Child, timeout_ms: int) -> None:
        """Ask, then kill; afterwards nothing of the call runs, unless the kernel itself holds it."""
        child.terminate()
        await child.ends_within(min(self._grace_ms, timeout_ms / 2) / 1000)
        child.kill_everything()
        await child.ends_within(_KILLED_WITHIN_S)
        await child.all_end_within(_KILLED_WITHIN_S)


class _Child:
    """One started process with all that belongs to it."""

    def __init__(self, command: AgentCommand, group: CallGroup | None, mark: str, limits: Limits) -> None:
        self._spare = _Spare()
        self.capture = self._spare.beside(Capture)
        self._limits = limits
        self.slot: int | None = None
        self.group = group
        self._mark = f"{CALL_MARK}={mark}"
        self._loop = asyncio.get_running_loop()
        self._exited = asyncio.Event()
        self._killed: list[int] = []
        try:
            self._process = self._spawn(command, mark)
            self.pid = self._process.pid
            self._pidfd = self._pin()
        except BaseException:
            self.capture.close()
            self._spare.close()
            raise
        self._loop.add_reader(self._pidfd, self._exited.set)
        self.capture.attach(self._loop)

    @property
    def ended(self) -> bool:
        """Whether the first process has ended (and is now reaped)."""
        return self._exited.is_set() and self._process.poll() is not None

    @property
    def code(self) -> int | None:
        """Its exit code, when it ended by itself."""
        code = self._process.returncode
        return code if code is not None and code >= 0 else None

    @property
    def signal(self) -> int | None:
        """The signal that ended it."""
        code = self._process.returncode
        return -code if code is not None and code < 0 else None

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end of the first process, at most so long."""
        if not self._exited.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), seconds)
        return self._exited.is_set()

    def terminate(self) -> None:
        """Ask the process group to end. Not reaped yet, its number can't have been given to another."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGTERM)

    def kill_everything(self) -> None:
        """Kill the process group, the control group, and what carries this call's mark."""
        self._spare.close()  # Looking for them takes one.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.group is not None:
            self.group.kill()
        for _ in range(_KILL_ROUNDS):  # A process may fork while the list is read.
            pins = procfs.kill_marked(self._mark)
            self._killed += pins
            if not pins:
                return

    @property
    def lingers(self) -> bool:
        """Whether something that was killed has not ended."""
        in_group = self.group is not None and bool(self.group.processes())
        return not self.ended or in_group or not all(procfs.is_over(pin) for pin in self._killed)

    async def all_end_within(self, seconds: float) -> None:
        """Wait for the end of everything that was killed, at most so long: a killed process takes a moment to go."""
        end = time.monotonic() + seconds
        while self.lingers and time.monotonic() < end:
            await asyncio.sleep(_LOOK_AGAIN_S)

    def close(self) -> None:
        """Give everything back."""
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.capture.close()
        self._spare.close()
        self._process.poll()
        for pin in self._killed:
            os.close(pin)

    def _pin(self) -> int:
        """A descriptor that tells when the process ends; without one (too many open files) it is not left running."""
        try:
            return self._spare.replaced(partial(os.pidfd_open, self.pid))
        except OSError:
            self.kill_everything()
            self._process.wait()
            raise

    def _spawn(self, command: AgentCommand, mark: str) -> subprocess.Popen[bytes]:
        # The child enters its group itself: moved from outside, it could have forked before.
        entry = self.group.entry if self.group is not None else None
        argv = started_as(command.argv, self._limits, entry, command.environment)
        if argv != command.argv:
            _check_executable(command.argv[0])
        with _standard_input(command.standard_input) as stdin:
            return subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=self.capture.writer,
                stderr=self.capture.writer,
                env={**command.environment, CALL_MARK: mark},
                cwd="/",
                close_fds=True,
                start_new_session=True,
            )


class _Spare:
    """Descriptors kept for a moment at which there may be no other: to pin what was started, and to find what is to be killed."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
        self._held.append(self.beside(partial(os.dup, self._held[0])))

    def beside(self, make: Callable[[], _T]) -> _T:
        """What this makes; nothing is held any more when it can't be made."""
        try:
            return make()
        except BaseException:
            self.close()
            raise

    def replaced(self, make: Callable[[], _T]) -> _T:
        """What this makes in the place of one that is held."""
        if self._held:
            os.close(self._held.pop())
        return make()

    def close(self) -> None:
        """Give all of them back."""
        while self._held:
            os.close(self._held.pop())


def default_limit() -> int:
    """Twice the processors that we may use, and at least sixteen: a few agents that hang must not keep the others from running."""
    return max(16, 2 * len(os.sched_getaffinity(0)))


def _check_executable(path: str) -> None:
    """Fail as the kernel would, where a shell stands between us and the program."""
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


@contextlib.contextmanager
def _standard_input(content: bytes | None) -> Iterator[int]:
    """A descriptor to read `content` from: memory, so that a secret in it never touches a disk."""
    if content is None:
        yield subprocess.DEVNULL
        return
    descriptor = os.memfd_create("standard-input", os.MFD_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
