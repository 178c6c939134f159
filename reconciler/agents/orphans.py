"""Orphans of agent calls: taken in, and reaped when they end.

What an agent leaves behind is given to the nearest process that takes orphans in. When that is us, no zombies pile up in containers
whose first process never reaps, and the processes of a started resource are our children.
Source: prctl(2), PR_SET_CHILD_SUBREAPER.
"""

from __future__ import annotations

import os
from collections.abc import Container

from reconciler.agents import procfs
from reconciler.agents.kernel import adopt_orphans

_TOGETHER_S = 0.01
"""Not longer: agents that stop a service wait until its process is gone, and one that was not reaped is not."""


def reap_orphans(own: Container[int]) -> list[int]:
    """Reap the orphans that have ended, and say which; `own` are the children that others wait for."""
    return [pid for pid in _ended_children() if reap_orphan(pid, own)]


def reap_orphan(pid: int, own: Container[int]) -> bool:
    """Reap this process if it is an orphan of ours that has ended.

    A child in our own session was started by some other part of this program, which waits for it itself.
    """
    stat = procfs.process_stat(pid)
    if stat is None or stat.state != "Z" or stat.parent != os.getpid() or pid in own or stat.session == os.getsid(0):
        return False
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _ended_children() -> list[int]:
    """The children that may have ended; none when the kernel knows of no child to wait for."""
    try:
        waiting = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return procfs.children(os.getpid()) if waiting is not None else []


class OrphanReaper:
    """Reaps orphans shortly after the kernel says that a child has ended."""

    def __init__(self, own: Container[int]) -> None:
        self._own = own
        self._planned = False

    def install(self) -> None:
        """Take in orphans and reap them from now on; to be called in the main thread, with the loop running."""
        import asyncio
        import signal

        adopt_orphans()
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
