"""The door to a watchdog device: a timer of the machine that resets it unless it is fed in time, whatever has become of this process.

Opening the device starts the timer, and each write feeds it. Where the driver knows the magic close it stops only by a `V` before the
device is closed: closed without one, also by the end of the process, it is fed once more, and runs on. Where it does not, every close
stops it, unless the driver was told to let nobody out.
Source: Linux, The Linux Watchdog driver API (WDIOC_*, magic close, nowayout); Linux, linux/watchdog.h, sysfs-class-watchdog.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import struct
from fcntl import ioctl

from reconciler.errors import ReconcilerError

_INFO = struct.Struct("=II32s")
"""struct watchdog_info: what it can, its firmware's version, its name."""
_INTEGER = struct.Struct("=i")
_KIND = ord("W")
_OTHER_CODES = ("alpha", "mips", "ppc", "sparc", "parisc")
"""Machines that have other bits for the direction of an ioctl."""
_REFUSALS = frozenset({errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP})
"""It can't set a time, or not that one: the former one holds."""
_SETS_TIMEOUT = 0x0080
_MAGIC_CLOSE = 0x0100
SYSFS = "/sys"
_ALIVE = b"\0"
_STOP = b"V"


def _code(number: int, size: int, *, writes: bool) -> int:
    """An ioctl that reads, or reads and writes, so many bytes."""
    other = platform.machine().startswith(_OTHER_CODES)
    read = 1 if other else 2
    direction = 3 if writes else read
    return direction << 30 | size << 16 | _KIND << 8 | number


GET_SUPPORT = _code(0, _INFO.size, writes=False)
SET_TIMEOUT = _code(6, _INTEGER.size, writes=True)
GET_TIMEOUT = _code(7, _INTEGER.size, writes=False)


class WatchdogError(ReconcilerError):
    """The device can't be used, or does not do what it is asked."""

    code = "watchdog"


class WatchdogDevice:
    """A device that is open: from now on the machine is reset unless it is fed. **Raises** WatchdogError when that can't be."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            busy = (
                " (something else feeds it: sbd, or RuntimeWatchdogSec of systemd?)"
                if error.errno == errno.EBUSY
                else ""
            )
            raise WatchdogError(f"{path} can't be opened: {error.strerror}{busy}") from error
        try:
            info = _INFO.unpack(ioctl(self._descriptor, GET_SUPPORT, bytes(_INFO.size)))
        except OSError as error:
            os.close(self._descriptor)
            raise WatchdogError(f"{path} is no watchdog device: {error.strerror}") from error
        self._can = info[0]
        self.name = info[2].partition(b"\0")[0].decode("ascii", "replace")
        """What its driver calls it."""

    @property
    def stops(self) -> bool:
        """Whether it is known to stop when it is told to: its driver was not told to let nobody out (nowayout)."""
        return not self._lets_nobody_out if self._can & _MAGIC_CLOSE else self._lets_nobody_out is False

    @property
    def stays(self) -> bool:
        """Whether it is known to run on when the process that feeds it has ended, without having stopped it."""
        return bool(self._can & _MAGIC_CLOSE) or self._lets_nobody_out is True

    @property
    def _lets_nobody_out(self) -> bool | None:
        """What sysfs says of it; None where that says nothing of watchdogs."""
        device = os.fstat(self._descriptor).st_rdev
        places = [f"{SYSFS}/dev/char/{os.major(device)}:{os.minor(device)}"]
        if os.path.basename(self.path) == "watchdog":  # The name of before, of the first one.
            places.append(f"{SYSFS}/class/watchdog/watchdog0")
        for place in places:
            with contextlib.suppress(OSError), open(f"{place}/nowayout", encoding="ascii") as file:
                return file.read(16).strip() == "1"
        return None

    def feed(self) -> None:
        """Have the time begin anew. **Raises** WatchdogError."""
        self._write(_ALIVE)

    def set_timeout(self, seconds: int) -> int:
        """Ask for a time, and have it begin anew; the time that holds now, in seconds. **Raises** WatchdogError when there is none."""
        if self._can & _SETS_TIMEOUT:
            try:
                ioctl(self._descriptor, SET_TIMEOUT, _INTEGER.pack(seconds))
            except OSError as error:
                if error.errno not in _REFUSALS:
                    raise WatchdogError(f"{self.path} takes no time: {error.strerror}") from error
        self.feed()
        return self.timeout_s

    @property
    def timeout_s(self) -> int:
        """After how long without being fed it resets the machine. **Raises** WatchdogError when it does not tell."""
        try:
            answer: bytes = ioctl(self._descriptor, GET_TIMEOUT, bytes(_INTEGER.size))
        except OSError as error:
            raise WatchdogError(f"{self.path} does not tell its time: {error.strerror}") from error
        return int(_INTEGER.unpack(answer)[0])

    def stop(self) -> None:
        """Stop it and close it. **Raises** WatchdogError when it could not be told, and then it is closed and may run on."""
        try:
            self._write(_STOP)
        finally:
            self.leave()

    def leave(self) -> None:
        """Close it, and let it run on."""
        os.close(self._descriptor)

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._descriptor, data)
        except OSError as error:
            raise WatchdogError(f"{self.path} can't be written to: {error.strerror}") from error
