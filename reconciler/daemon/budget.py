"""Deciding within bounds of processor time and memory, so that no configuration holds up the loop for ever or takes the machine's memory.

The scheduler is pure Python and works on values of its own, so it can be given up between any two instructions: a timer of the kernel
counts the processor time of a decision, and its signal raises there. That is simpler than a process for each decision (which would have
to be sent the state and send back the plan, each time), and it holds for all that the scheduler does, as it calls no C code that runs
long. Should it do so all the same, a second timer ends the process, with the stack in the log: what runs goes on running, and after
three such ends in a row the node starts in its safe mode.

Memory is bounded by the address space that the process may have while it decides: for all of its threads, which is why there is much
more of it than any decision takes. A commit that needs half as much on a healthy cluster is refused (`compile_apart`).

Processor time, not time: on a machine that is busy with other things a decision takes longer without being longer. Where something waits
for the loop to turn, as a watchdog does that would reset the machine, time counts as well: a decision that did not get the processor is
put off (StarvedError), which is no verdict about what was to be decided.
Source: setitimer(2), ITIMER_VIRTUAL, ITIMER_PROF, ITIMER_REAL; getrlimit(2), RLIMIT_AS.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

from reconciler.cib import Cib
from reconciler.controller.coordinator import StarvedError, UndecidedError
from reconciler.model.resource import primitives

T = TypeVar("T")

_LEAST_S = 1.5
_PER_RESOURCE_S = 0.002
"""For each primitive on each node: some thirty times what a decision takes."""
_MOST_S = 30.0
"""However large the cluster: the service manager's watchdog has to be more patient than this."""
MEMORY_BYTES = 2 * 1024 * 1024 * 1024
"""What a decision may take beside what is there; the largest that the bounds of a configuration and of time allow takes half a gigabyte."""
_AGAIN_S = 0.1
# By the second timer, which ends the daemon: only where the first one's exception could not be raised, as in C code that does not return.
_HARD_S = 20.0
_HARD_TIMES = 3
_SHORTEST_S = 0.2
"""A decision that has less time than this is not begun."""
_MOSTLY = 0.8
"""Who had the processor for so much of a turn was not kept from deciding."""


class _OverBudget(BaseException):
    """Raised amid a decision: no `except Exception` on the way takes it for something else."""


class LoopTurn:
    """How long decisions may keep the loop from turning: all of one turn together no longer than `within_s`.

    `after` has something called once the loop has turned, and what was due in it was done.
    """

    def __init__(self, within_s: float, after: Callable[[Callable[[], None]], object]) -> None:
        self.within_s = within_s
        self._after = after
        self._until_s: float | None = None

    def left_s(self) -> float:
        """How much is left of it. It begins when this is first asked in a turn."""
        if self._until_s is None:
            self._until_s = time.monotonic() + self.within_s
            self._after(self._over)
        return self._until_s - time.monotonic()

    def _over(self) -> None:
        self._until_s = None


class Budget:
    """Bounds for decisions in this process's main thread. One at a time: a process has one timer of each kind."""

    def __init__(self, most_s: float = _MOST_S, turn: LoopTurn | None = None) -> None:
        """Take over the signals; no decision may take more processor time than `most_s`, nor keep the loop longer than `turn` lets it.

        Raises RuntimeError outside of the main thread, which alone gets signals.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("only the main thread can be interrupted")
        self._armed = False
        self._most_s = most_s
        self._turn = turn
        self._late = False
        """Whether it was time that struck, and not processor time."""
        signal.signal(signal.SIGVTALRM, self._interrupt)
        signal.signal(signal.SIGALRM, self._interrupt)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # A test's capture of it is no file.
            faulthandler.register(signal.SIGPROF, file=sys.stderr, all_threads=False, chain=True)

    def decide(self, cib: Cib, ask: Callable[[], T]) -> T:
        """What `ask` answers about this CIB.

        Raises UndecidedError when that takes more than the CIB's size accounts for, and StarvedError when the loop has to turn before.
        """
        return self.run(min(budget_s(cib), self._most_s), ask)

    def run(self, seconds: float, ask: Callable[[], T]) -> T:
        """What `ask` answers. Raises UndecidedError when it takes more than so many seconds of processor time, or too much memory.

        Raises StarvedError when the loop has to turn before, and the process did not get the processor for most of that time.
        """
        left_s = None if self._turn is None else self._turn.left_s()
        if left_s is not None and left_s < _SHORTEST_S:
            raise StarvedError("deciding was put off, as other decisions took so long", 0.0)
        began_s, used_s = time.monotonic(), time.process_time()
        try:
            try:
                self._arm(seconds, left_s)
                with memory_bound(MEMORY_BYTES):
                    return ask()
            finally:
                self._disarm()
        except MemoryError:
            raise UndecidedError(
                f"deciding took more than {MEMORY_BYTES >> 20} MiB of memory, and was given up"
            ) from None
        except _OverBudget:
            self._disarm()
        raise self._verdict(seconds, time.monotonic() - began_s, time.process_time() - used_s)

    def _verdict(self, seconds: float, took_s: float, used_s: float) -> UndecidedError:
        """What a decision that was given up comes to: too much for its time, or a machine that did not let it have that."""
        if self._late and self._turn is not None:
            if used_s < min(seconds, _MOSTLY * self._turn.within_s):
                text = f"deciding got {used_s:.1f} s of processor time in {took_s:.1f} s, as the machine is busy, and was put off"
                return StarvedError(text, took_s)
            return UndecidedError(f"deciding took more than {took_s:.1f} s, and was given up")
        return UndecidedError(f"deciding took more than {seconds:.1f} s of processor time, and was given up")

    def _arm(self, seconds: float, left_s: float | None) -> None:
        self._armed, self._late = True, False
        signal.setitimer(signal.ITIMER_PROF, _HARD_S + _HARD_TIMES * seconds)
        # Again and again: an exception that strikes amid a destructor is swallowed by the interpreter.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _AGAIN_S)
        if left_s is not None:
            signal.setitimer(signal.ITIMER_REAL, left_s, _AGAIN_S)

    def _disarm(self) -> None:
        """Let nothing be interrupted any more; an interrupt amid this one only means that it has to be done again."""
        self._armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if self._turn is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._late = number == signal.SIGALRM
            raise _OverBudget


@contextlib.contextmanager
def memory_bound(more_bytes: int) -> Iterator[None]:
    """Within it the process can have so much more address space than it has: what wants more gets a MemoryError."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", "rb") as file:
        size = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE") + more_bytes
    narrower = all(limit == resource.RLIM_INFINITY or size < limit for limit in limits)
    if narrower:
        resource.setrlimit(resource.RLIMIT_AS, (size, limits[1]))
    try:
        yield
    finally:
        if narrower:
            resource.setrlimit(resource.RLIMIT_AS, limits)


def budget_s(cib: Cib) -> float:
    """The seconds of processor time that deciding about a CIB may take: many times what one of this size should."""
    count = sum(len(primitives(resource)) for resource in cib.configuration.resources)
    nodes = max(len(cib.configuration.nodes), len(cib.status.nodes), 1)
    known = sum(len(state.history) for state in cib.status.nodes)
    return min(_LEAST_S + _PER_RESOURCE_S * max(count * nodes, known), _MOST_S)
