"""What a daemon leaves to the next one about its watchdog device: that it is armed, and how long it may be fed by who knows nothing yet.

It lies in the run directory and counts in this start of the machine only. What can't be written or read is as if nothing were armed: then
the device resets the machine, or the next daemon arms it anew.
"""

from __future__ import annotations

import contextlib
import json
import os

from reconciler.frozen import frozen

_LARGEST = 16 * 1024


@frozen
class ArmedWatchdog:
    """A device that runs. `until_s`, by the clock that counts from the start of the machine, is None while its daemon knows."""

    path: str
    until_s: float | None = None


class WatchdogRecord:
    """The file; `boot` names this start of the machine."""

    def __init__(self, directory: str, boot: str) -> None:
        self._path = os.path.join(directory, "watchdog")
        self._boot = boot

    def read(self) -> ArmedWatchdog | None:
        """What a former daemon left armed in this start of the machine."""
        try:
            with open(self._path, "rb") as file:
                found = json.loads(file.read(_LARGEST))
            path, until_s = found["path"], found["until_s"]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        sound = isinstance(path, str) and (until_s is None or isinstance(until_s, int | float))
        return ArmedWatchdog(path, until_s) if sound and found.get("boot") == self._boot else None

    def write(self, armed: ArmedWatchdog) -> None:
        """Leave word of an armed device. **Raises** OSError."""
        found = {"boot": self._boot, "path": armed.path, "until_s": armed.until_s}
        fresh = f"{self._path}.new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(fresh, self._path)

    def clear(self) -> None:
        """Nothing is armed."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
