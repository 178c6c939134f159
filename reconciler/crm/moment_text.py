"""Moments as Pacemaker prints them.

Source: the scheduler's specification, part 1, sections 18.1 and 18.5.
"""

from __future__ import annotations

from reconciler.model.date import Instant, fields

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def utc_text(epoch_s: int) -> str:
    """An epoch time as `2023-11-14 22:13:20Z`."""
    at = fields(Instant(epoch_s))
    return f"{at.years:04}-{at.months:02}-{at.monthdays:02} {at.hours:02}:{at.minutes:02}:{at.seconds:02}Z"


def local_text(epoch_s: int, offset_s: int) -> str:
    """An epoch time as `Tue Nov 14 22:13:20 2023`, at an offset from UTC in seconds."""
    at = fields(Instant(epoch_s, offset_s))
    clock = f"{at.hours:02}:{at.minutes:02}:{at.seconds:02}"
    return f"{_WEEKDAYS[at.weekdays - 1]} {_MONTHS[at.months - 1]} {at.monthdays:2} {clock} {at.years}"
