"""How often in a row the daemon ended before it had come to rest: after three times something is wrong that a restart does not mend."""

from __future__ import annotations

import contextlib
import os

_BEFORE_SAFE = 3
_LARGEST = 16


class Attempts:
    """The count, in a file that outlives the process and the machine. What can't be written is not counted, and stops nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.ends = 0
        """How many lives in a row ended before they were well."""

    def begin(self) -> None:
        """A life begins: until `well` is called it counts as one that has ended badly."""
        with contextlib.suppress(OSError), open(self._path, "rb") as file:
            text = file.read(_LARGEST).strip()
            self.ends = int(text) if text.isdigit() else 0
        self._write(self.ends + 1)

    def well(self) -> None:
        """All is well: if this life ends badly later, that is the first time."""
        self._write(1)

    def ended(self) -> None:
        """The end was asked for."""
        self._write(0)

    @property
    def safe_mode(self) -> str | None:
        """Why to begin with nothing that may have been the cause; None when there is no reason to."""
        if self.ends < _BEFORE_SAFE:
            return None
        return f"the daemon ended {self.ends} times in a row before it came to rest (safe mode)"

    def _write(self, count: int) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.pwrite(descriptor, b"%-15d\n" % count, 0)
            finally:
                os.close(descriptor)
