"""A watchdog device and the machine that it resets, as the kernel documents them, for a machine that has none.

The device is a named pipe: what is written arrives, and that it was closed is seen, also when the process was killed. ioctls, which a pipe
does not have, go by a socket beside it; `ioctl` stands in for the system call, in this process or (as a program) in a daemon of its own.
The time begins with the opening, with each write and with the close; a `V` in the last write before that stops it, unless nobody is let
out. One that does not know this magic close is stopped by any.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.daemon import watchdog_device

OPTIONS = 0x8180
"""It keeps alive, takes a time, and closes by magic."""
FORMER_S = 60


def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
    """What the kernel answers for such a device."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if not os.path.exists(f"{path}.ioctl"):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(5)
        connection.connect(f"{path}.ioctl")
        connection.send(request.to_bytes(8, "big") + argument)
        answer = connection.recv(100)
    number = int.from_bytes(answer[:4], "big")
    if number:
        raise OSError(number, os.strerror(number))
    return answer[4:]


class WatchdogDouble:
    """The device at `path`; `reset` is what becomes of the machine when nobody has fed it in time.

    `most_s` is the longest time that it takes, `fixed` has it take none, and with `nowayout` it never stops.
    """

    def __init__(self, path: Path, reset: Callable[[], None] = lambda: None, *, options: int = OPTIONS) -> None:
        self.path = path
        self.reset = reset
        self.options = options
        self.most_s = 3600
        self.nowayout = False
        self.timeout_s = FORMER_S
        self.running = False
        self.fired = 0
        self.writes = 0
        self.opened = 0
        self._fed_at = 0.0
        self._magic = False
        self._ended = False
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._calls = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._calls.bind(f"{path}.ioctl")
        self._calls.listen(10)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        os.close(self._pipe)
        self._calls.close()

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._calls, select.POLLIN)
        poller.register(self._pipe, select.POLLIN)
        while not self._ended:
            for descriptor, events in poller.poll(20):
                if descriptor == self._calls.fileno():
                    self._call()
                elif events & select.POLLIN:
                    self._written(os.read(self._pipe, 4096))
                elif events & select.POLLHUP:
                    self._closed()
                    poller.unregister(self._pipe)
                    os.close(self._pipe)
                    self._pipe = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
                    poller.register(self._pipe, select.POLLIN)
            if self.running and time.monotonic() - self._fed_at > self.timeout_s:
                self.running = False
                self.fired += 1
                self.reset()

    def _written(self, data: bytes) -> None:
        self.writes += 1
        self._fed_at = time.monotonic()
        self._magic = data.endswith(b"V")

    def _closed(self) -> None:
        knows_magic = self.options & watchdog_device._MAGIC_CLOSE
        if (self._magic or not knows_magic) and not self.nowayout:
            self.running = False
        self._fed_at = time.monotonic()
        self._magic = False

    def _call(self) -> None:
        connection, _ = self._calls.accept()
        with connection, contextlib.suppress(OSError):
            asked = connection.recv(100)
            number, answer = self._answer(int.from_bytes(asked[:8], "big"), asked[8:])
            connection.send(number.to_bytes(4, "big") + answer)

    def _answer(self, request: int, argument: bytes) -> tuple[int, bytes]:
        if request == watchdog_device.GET_SUPPORT:
            self.opened += 1
            self.running = True
            self._fed_at = time.monotonic()
            return 0, self.options.to_bytes(4, sys.byteorder) + bytes(4) + b"a double".ljust(32, b"\0")
        if request == watchdog_device.GET_TIMEOUT:
            return 0, self.timeout_s.to_bytes(4, sys.byteorder)
        if request == watchdog_device.SET_TIMEOUT:
            wanted = int.from_bytes(argument, sys.byteorder)
            if not 1 <= wanted <= self.most_s:
                return errno.EINVAL, b""
            self.timeout_s = wanted
            self._fed_at = time.monotonic()
            return 0, argument
        return errno.ENOTTY, b""


if __name__ == "__main__":
    assert watchdog_device.ioctl is fcntl.ioctl
    watchdog_device.ioctl = ioctl  # type: ignore[assignment]  # The daemon is the real one; its machine is not.
    from reconciler.cli.main import main

    sys.exit(main())
