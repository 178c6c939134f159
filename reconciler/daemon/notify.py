"""Telling systemd how the service stands: ready, alive, stopping.

Source: sd_notify(3), systemd.service(5), "WatchdogSec".
"""

from __future__ import annotations

import os
import socket


def notify(*lines: str) -> None:
    """Send lines such as `READY=1` where `$NOTIFY_SOCKET` points; without it, or when nobody listens, nothing happens."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
        try:
            connection.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, address)
        except OSError:
            return  # A service manager that does not listen must not stop the service.


def watchdog_interval_s() -> float | None:
    """How often the service manager wants a sign of life: half of its limit; None when it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
