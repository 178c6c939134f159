"""A service that notices by itself when it runs twice: `python witness.py FILE NAME NODE`.

The kernel gives the lock to one process at a time, and takes it back when that one ends, however it ends. Each line of the file says
when by the monotonic clock (ns), what (start, stop, TWICE), which service, on which node, and in which process.
"""

import fcntl
import os
import signal
import sys
import time

witness, name, node = sys.argv[1:]


def note(what: str) -> None:
    """Append a line; short ones are written whole, whoever else writes."""
    line = f"{time.clock_gettime_ns(time.CLOCK_MONOTONIC)} {what} {name} {node} {os.getpid()}\n"
    descriptor = os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def stop(*_: object) -> None:
    """End as asked."""
    note("stop")
    sys.exit()


signal.signal(signal.SIGTERM, stop)
held = open(f"{witness}.{name}.lock", "w")  # noqa: SIM115 - It is held until the process ends.
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    note("TWICE")
    sys.exit(1)
note("start")
while True:
    signal.pause()
