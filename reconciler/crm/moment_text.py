"""Moments as Pacemaker prints them.

Source: the scheduler's specification, part 1, sections 18.1 and 18.5.
"""

from __future__ import annotations

from typing import NamedTuple

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _Calendar(NamedTuple):
    year: int
    month: int
    day: int
    weekday: int
    clock: str


def _calendar(epoch_s: int) -> _Calendar:
    """The calendar of an epoch time: eras of 400 years, in years that start in March."""
    days, seconds = divmod(epoch_s, 86_400)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return _Calendar(
        year_of_era + 400 * era + (month <= 2),
        month,
        day_of_year - (153 * shifted + 2) // 5 + 1,
        (days + 3) % 7,
        f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
    )


def utc_text(epoch_s: int) -> str:
    """An epoch time as `2023-11-14 22:13:20Z`."""
    at = _calendar(epoch_s)
    return f"{at.year:04}-{at.month:02}-{at.day:02} {at.clock}Z"


def local_text(epoch_s: int, offset_s: int) -> str:
    """An epoch time as `Tue Nov 14 22:13:20 2023`, at an offset from UTC in seconds."""
    at = _calendar(epoch_s + offset_s)
    return f"{_WEEKDAYS[at.weekday]} {_MONTHS[at.month - 1]} {at.day:2} {at.clock} {at.year}"
