"""What a daemon leaves to the next one about its watchdog device: that it is armed, what was promised, and how long it may be fed blindly.

It lies in the run directory and counts in this start of the machine only. What can't be read is as if nothing were armed: then the device
resets the machine, or the next daemon, as a member, arms it anew.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from reconciler.daemon.watchdog_terms import WatchdogTerms
from reconciler.frozen import frozen

_LARGEST = 16 * 1024


@frozen
class ArmedWatchdog:
    """A device that runs. `until_s`, by the clock that counts from the start of the machine, is None while its daemon knows.

    `terms` are what the others were promised for this start of the machine. Who has it starve says `starved`, why.
    """

    path: str
    until_s: float | None = None
    terms: WatchdogTerms | None = None
    starved: str | None = None


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
            if found["boot"] != self._boot:
                return None
            return _armed(found)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, armed: ArmedWatchdog) -> None:
        """Leave word of an armed device. **Raises** OSError, and then the former word stands."""
        terms = armed.terms
        found = {
            "boot": self._boot,
            "path": armed.path,
            "until_s": armed.until_s,
            "terms": None if terms is None else {"timeout_s": terms.timeout_s, "handover_s": terms.handover_s},
            "starved": armed.starved,
        }
        fresh = f"{self._path}.new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(fresh, self._path)

    def clear(self) -> None:
        """Nothing is armed."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _armed(found: Any) -> ArmedWatchdog:
    """Raises ValueError, TypeError or KeyError when it is none. A daemon of before promises left no more than the path and the time."""
    path, until_s, terms = found["path"], found["until_s"], found.get("terms")
    starved = found.get("starved")
    sound = isinstance(path, str) and isinstance(until_s, int | float | None) and isinstance(starved, str | None)
    if not sound:
        raise ValueError("no record of a watchdog")
    return ArmedWatchdog(path, until_s, None if terms is None else _terms(terms), starved)


def _terms(found: Any) -> WatchdogTerms:
    timeout_s, handover_s = found["timeout_s"], found["handover_s"]
    if type(timeout_s) is not int or type(handover_s) is not int:
        raise ValueError("no terms of a watchdog")
    return WatchdogTerms(timeout_s, handover_s)
