"""A moment as the controller knows it: the wall clock for dates, the monotonic clock for intervals. Both come from outside."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """`wall_ms` are milliseconds since the epoch, which may jump; `mono_ms` milliseconds of a clock that never does.

    `offset_s` is the offset from UTC in which a date without time zone is meant. `boot_ms` are milliseconds of a clock that goes on while
    the machine is suspended; where nobody tells it, it is taken for the monotonic one.
    """

    wall_ms: int
    mono_ms: int
    offset_s: int = 0
    boot_ms: int = 0

    @property
    def epoch_s(self) -> int:
        """The wall clock in whole seconds."""
        return self.wall_ms // 1000

    def since_ms(self, earlier: Moment) -> int:
        """How much time has passed since an earlier moment, whether or not anything ran."""
        return max(self.mono_ms - earlier.mono_ms, self.boot_ms - earlier.boot_ms)
