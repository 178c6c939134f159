"""A listening Unix socket that takes connections at a bounded pace, also when descriptors have run out.

asyncio's own server takes a hundred connections at a turn, and writes a traceback for each that it can't take: whoever floods it
holds up everything else in the loop, and fills the disk with its log. Here a turn is bounded, a flood is slowed down, a shortage is
one line, and a listener may keep descriptors in reserve, so that who comes by it still gets in.
Source: unix(7); accept(2), "Errors".
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable

from reconciler.daemon.log import say

_BACKLOG = 128
_AT_ONCE = 16
_FLOODED_S = 0.01
"""The pause after a turn that took as many as it may: others have their turn, and a flood costs a bounded part of a processor."""
_SHORT_S = 0.2
"""The pause after a connection could not be taken."""
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """One socket under a path. Each connection, not blocking, goes to `taken` in the loop's thread."""

    def __init__(self, path: str, mode: int, taken: Callable[[socket.socket], None], *, reserve: int = 0) -> None:
        """`reserve`: so many connections are taken even when no descriptor is left."""
        self.path = path
        self.trouble: str | None = None
        """Why connections can't be taken at the moment."""
        self._mode = mode
        self._taken = taken
        self._wanted_reserve = reserve
        self._reserve: list[int] = []
        self._socket: socket.socket | None = None
        self._bound: os.stat_result | None = None
        """What lay under the path when it was bound."""
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen; a socket that nobody listens on any more is replaced. **Raises** OSError with the path."""
        try:
            self._socket = _bind(self.path, self._mode)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), self.path) from error
        self._bound = os.stat(self.path)
        self.refill()
        self._listen()

    @property
    def reachable(self) -> bool:
        """Whether who connects to the path gets to this socket."""
        try:
            return self._bound is None or os.path.samestat(os.stat(self.path), self._bound)
        except OSError:
            return False

    def renew(self) -> None:
        """Be reachable again, where the path was removed; connections that are open stay. **Raises** OSError with the path."""
        if self._socket is not None and not self.reachable:
            self._rest()
            self._socket.close()
            self.start()

    def stop(self) -> None:
        """Take no more, and remove the path."""
        if self._socket is None:
            return
        self._rest()
        self._socket.close()
        self._socket = None
        for descriptor in self._reserve:
            os.close(descriptor)
        self._reserve.clear()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def refill(self) -> None:
        """Have the reserve again, as far as there are descriptors: to be called when a connection has ended."""
        with contextlib.suppress(OSError):
            while self._socket is not None and len(self._reserve) < self._wanted_reserve:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _listen(self) -> None:
        self._pause = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._turn)

    def _rest(self, seconds: float | None = None) -> None:
        """Take nothing, for a time if one is given."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            self._pause = None if seconds is None else loop.call_later(seconds, self._listen)

    def _turn(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection = self._take()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._short_of(error)
                return
            self.trouble = None
            self._taken(connection)
        self._rest(_FLOODED_S)

    def _take(self) -> socket.socket:
        """The next connection, with a descriptor of the reserve if there is no other."""
        if self._socket is None:
            raise BlockingIOError
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            if error.errno not in _SHORTAGES or not self._reserve:
                raise
            os.close(self._reserve.pop())
            try:
                connection, _ = self._socket.accept()
            except OSError:
                self.refill()
                raise
        connection.setblocking(False)
        return connection

    def _short_of(self, error: OSError) -> None:
        """One line when a shortage begins, however long it lasts."""
        if self.trouble is None:
            say(logging.ERROR, "connections can't be taken", path=self.path, reason=error.strerror)
        self.trouble = f"connections to {self.path} can't be taken: {error.strerror}"
        self._rest(_SHORT_S)


def _bind(path: str, mode: int) -> socket.socket:
    """A listening socket under this name, with this mode from its first moment on."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = os.path.join(os.path.dirname(path), f".{os.getpid()}")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        known = os.umask(0o177)
        try:
            listener.bind(fresh)
        finally:
            os.umask(known)
        os.chmod(fresh, mode)
        listener.listen(_BACKLOG)
        os.rename(fresh, path)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
