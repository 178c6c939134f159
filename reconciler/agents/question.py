"""Asking a program something small, and waiting for the answer: for descriptions, where there is no loop to wait in."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping

_CHUNK_BYTES = 64 * 1024
_MOST_KIB, _MOST_CPU_S, _MOST_BLOCKS = 4 * 1024 * 1024, 60, 128 * 1024
_BOUNDED = (
    f"ulimit -v {_MOST_KIB}; ulimit -t {_MOST_CPU_S}; ulimit -f {_MOST_BLOCKS}; "
    'echo 500 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'
)
"""Whoever only answers a question needs little, and ends first when the machine is short of memory."""


def ask(argv: tuple[str, ...], environment: Mapping[str, str], timeout_s: float, most_bytes: int) -> bytes | None:
    """What the program prints to standard output; None when it fails, prints too much or takes too long.

    It may use 4 GiB of address space, a minute of processor time and files of 64 MiB. In any case nothing of its process group is
    left. **Raises** OSError when it can't be started.
    """
    if not os.access(argv[0], os.X_OK) or os.path.isdir(argv[0]):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), argv[0])
    process = subprocess.Popen(
        ("/bin/sh", "-c", _BOUNDED, "sh", *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        cwd="/",
        process_group=0,
    )
    try:
        output = _answer(process, time.monotonic() + timeout_s, most_bytes)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return output if code == 0 else None


def _answer(process: subprocess.Popen[bytes], end: float, most_bytes: int) -> bytes | None:
    """Everything up to the program's end (not up to the end of the pipe, which a child of its may keep open)."""
    if process.stdout is None:
        return None
    pipe, pin, output = process.stdout.fileno(), os.pidfd_open(process.pid), bytearray()
    os.set_blocking(pipe, False)
    watch = select.poll()
    watch.register(pipe, select.POLLIN)
    watch.register(pin, select.POLLIN)
    try:
        while (rest := end - time.monotonic()) > 0 and len(output) <= most_bytes:
            ready = {descriptor for descriptor, _ in watch.poll(rest * 1000)}
            if pipe in ready and not _read(pipe, output):
                watch.unregister(pipe)
            if ready == {pin}:
                return bytes(output)
        return None
    finally:
        os.close(pin)


def _read(pipe: int, output: bytearray) -> bool:
    """Take what is there; False at the end."""
    try:
        chunk = os.read(pipe, _CHUNK_BYTES)
    except BlockingIOError:
        return True
    output += chunk
    return bool(chunk)
