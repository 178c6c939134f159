"""Writing the files that a command is asked for: whole or not at all, and never in the place of what is no file.

A regular file is replaced in one step, through links to it; a device, pipe or socket is written to.
"""

from __future__ import annotations

import os

from reconciler.errors import ReconcilerError


class OutputError(ReconcilerError):
    """A file could not be written; what was there before is still there."""

    code = "output"


def write_output(path: str, data: bytes) -> None:
    """Write the data; a file is complete and durable afterwards. Raises OutputError."""
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "wb") as stream:
                stream.write(data)
            return
        _replace(target, data)
    except OSError as error:
        raise OutputError(f"write {path}: {error.strerror}") from None


def _replace(target: str, data: bytes) -> None:
    scratch = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}")
    try:
        with open(scratch, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, target)
    except OSError:
        if os.path.exists(scratch):
            os.unlink(scratch)
        raise
