"""What a process prints: read as it comes, kept in bounds, and never a reason to wait.

Why a pipe, and one that its writer can also read: a file in memory grows with what an agent prints, a limit on file sizes would be
inherited by the database that the agent starts, and a file whose size is sealed breaks scripts that open `/dev/stderr`. An ordinary
pipe kills a daemon that the agent left behind as soon as nobody reads any more. Opened for reading and writing, the pipe always has a
reader, so nobody is killed when we go; and when the call is over it is set to never block, so nobody hangs on it either.
"""

from __future__ import annotations

import asyncio
import fcntl
import os

# How it began and how it ended: what lies between is rarely why it failed.
_HEAD_BYTES = 16 * 1024
_TAIL_BYTES = 48 * 1024
_CHUNK_BYTES = 64 * 1024
_LAST_READS = 32
"""How often what is left is read after the end: more than a pipe holds, and an end to a daemon that prints forever."""


class Capture:
    """The output of one process: the first 16 and the last 48 KiB of it are kept, whatever it prints."""

    __slots__ = ("_head", "_loop", "_reader", "_tail", "_total", "writer")

    def __init__(self) -> None:
        self._reader, narrow = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self.writer = os.open(f"/proc/self/fd/{narrow}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            os.close(self._reader)
            raise
        finally:
            os.close(narrow)
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on, whenever something has come."""
        self._loop = loop
        loop.add_reader(self._reader, self._read)

    def finish(self) -> bytes:
        """Take what is left, stop reading, and give what was kept; those who still write will never block on it."""
        flags = fcntl.fcntl(self.writer, fcntl.F_GETFL)
        fcntl.fcntl(self.writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        for _ in range(_LAST_READS):
            if not self._read():
                break
        self.close()
        return self._kept()

    def close(self) -> None:
        """Give up both ends; what was read stays."""
        if self._reader < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)
        self._reader = self.writer = -1

    def _read(self) -> bool:
        try:
            chunk = os.read(self._reader, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self._total += len(chunk)
        room = _HEAD_BYTES - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        del self._tail[: max(len(self._tail) - _TAIL_BYTES, 0)]
        return bool(chunk)

    def _kept(self) -> bytes:
        left_out = self._total - len(self._head) - len(self._tail)
        gap = b"\n[... %d bytes left out ...]\n" % left_out if left_out else b""
        return bytes(self._head) + gap + bytes(self._tail)
