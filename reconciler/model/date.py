"""Moments: a point in time with the offset in which its calendar fields are read."""

from __future__ import annotations

from typing import NamedTuple


class Instant(NamedTuple):
    """A point in time: seconds since the epoch, and the offset from UTC (in seconds) for its calendar fields."""

    epoch_s: int
    offset_s: int = 0
