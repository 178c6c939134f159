"""Orphans of agent calls: taken in, and reaped when they end.

What an agent leaves behind is given to the nearest process that takes orphans in. When that is us, no zombies pile up in containers
whose first process never reaps, and the processes of a started resource are our children.
Source: prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container

from reconciler.agents import procfs

_PR_SET_CHILD_SUBREAPER = 36
_TOGETHER_S = 0.2


def take_orphans() -> bool:
    """Become the parent of every orphan among our descendants; False where the kernel refuses."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def reap_orphans(own: Container[int]) -> list[int]:
    """Reap the orphans that have ended, and say which; `own` are the children that others wait for.

    A child in our own session was started by some other part of this program, which waits for it itself.
    """
    session = os.getsid(0)
    reaped = []
    for pid in procfs.children(os.getpid()):
        stat = procfs.process_stat(pid)
        if pid in own or stat is None or stat.state != "Z" or stat.session == session:
            continue
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                reaped.append(pid)
    return reaped


class OrphanReaper:
    """Reaps orphans shortly after the kernel says that a child has ended."""

    def __init__(self, own: Container[int]) -> None:
        self._own = own
        self._planned = False

    def install(self) -> None:
        """Take in orphans and reap them from now on; to be called in the main thread, with the loop running."""
        import asyncio
        import signal

        take_orphans()
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._child_ended)
        self._child_ended()

    def _child_ended(self) -> None:
        """Many children end together: they are looked through once."""
        if self._planned:
            return
        import asyncio

        self._planned = True
        asyncio.get_running_loop().call_later(_TOGETHER_S, self._reap)

    def _reap(self) -> None:
        self._planned = False
        reap_orphans(self._own)
