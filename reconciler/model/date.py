"""Moments: a point in time with the offset in which its calendar fields are read, and how texts for dates are read.

The calendar is the proleptic Gregorian one, with weeks and week years by ISO 8601.
Source: the scheduler's specification, part 1, sections 2.6 and 5.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.model.text import integer

DAY_S = 86_400


class Instant(NamedTuple):
    """A point in time: seconds since the epoch, and the offset from UTC (in seconds) for its calendar fields."""

    epoch_s: int
    offset_s: int = 0


_EPOCH = Instant(0)

_NUMBER = r"[+]?[0-9]{1,9}(?![0-9])"
_DATE = (
    r"(?P<wyear>[0-9]{1,9})-W(?P<week>[0-9]{1,9})-(?P<weekday>[0-9]{1,9})"
    rf"|(?P<year>{_NUMBER})-(?P<month>{_NUMBER})-(?P<day>{_NUMBER})"
    rf"|(?P<oyear>{_NUMBER})-(?P<yearday>{_NUMBER})"
    r"|(?P<pyear>[0-9]{4})(?P<pmonth>[0-9]{2})(?P<pday>[0-9]{1,2})"
)
_TIME = (
    r"(?P<phour>[0-9]{2})(?P<pminute>[0-9]{2})(?P<psecond>[0-9]{2})?"
    r"|(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2}))?)?"
)
_OFFSET = r"Z|[ \t]+(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?)"


def parse(text: str | None, now: Instant = _EPOCH) -> Instant | None:
    """The moment that a text stands for; None when it is missing or no date.

    `now` gives the date of a text that is only a time, and its offset is the local one (else UTC), which holds for a time
    without offset.
    """
    if not text:
        return None
    if text == "epoch":
        return Instant(0)
    if text.startswith("T") or text[2:3] == ":":
        today = (now.epoch_s + now.offset_s) // DAY_S
        return _with_time(today, text.removeprefix("T"), now.offset_s)
    if (found := re.match(_DATE, text)) is None or (day := _day(found)) is None:
        return None
    separator, time = text[found.end() :][:1], text[found.end() + 1 :]
    if separator not in ("T", " ") or not time or time[0].isspace():
        return Instant(day * DAY_S)
    return _with_time(day, time, now.offset_s)


def _day(found: re.Match[str]) -> int | None:
    """The day (counted from the epoch) of a matched date; None when the calendar has no such day."""
    if found["week"] is not None:
        year, week, weekday = int(found["wyear"]), int(found["week"]), int(found["weekday"])
        last = (_week_start(year + 1, 1) - _week_start(year, 1)) // 7
        return _week_start(year, week) + weekday - 1 if week <= last and 1 <= weekday <= 7 else None
    if found["yearday"] is not None:
        year, yearday = int(found["oyear"]), int(found["yearday"])
        return days_before(year) + yearday - 1 if 1 <= yearday <= _year_length(year) else None
    year = int(found["year"] or found["pyear"])
    month, day = int(found["month"] or found["pmonth"]), int(found["day"] or found["pday"])
    if not (1 <= month <= 12 and 0 <= day <= month_length(year, month)):
        return None
    # The day 0 of a month is the last one of the month before, as Pacemaker reads it; but of the same year.
    return _civil_day(year, month, day) if day or month > 1 else None


def _with_time(day: int, text: str, local_s: int) -> Instant | None:
    """The moment at a time of a day; 24:00:00 is the start of the next one."""
    if (found := re.match(_TIME, text)) is None:
        return None
    hour = int(found["hour"] or found["phour"])
    minute, second = int(found["minute"] or found["pminute"] or 0), int(found["second"] or found["psecond"] or 0)
    whole_day = (hour, minute, second) == (24, 0, 0)
    if not whole_day and (hour > 23 or minute > 59 or second > 59):
        return None
    offset_s = _offset_s(text[found.end() :], local_s)
    if abs(offset_s) >= DAY_S:
        return None
    return Instant(day * DAY_S + hour * 3600 + minute * 60 + second - offset_s, offset_s)


def _offset_s(text: str, local_s: int) -> int:
    """The offset written after a time: Z, or signed hours after a blank; the local one when none is recognised."""
    if (found := re.match(_OFFSET, text)) is None:
        return local_s
    if found["sign"] is None:
        return 0
    seconds = int(found["hours"]) * 3600 + int(found["minutes"] or 0) * 60
    return -seconds if found["sign"] == "-" else seconds


class Fields(NamedTuple):
    """The calendar fields of a moment, named as a date specification names them."""

    years: int
    months: int
    monthdays: int
    hours: int
    minutes: int
    seconds: int
    yeardays: int
    weekyears: int
    weeks: int
    weekdays: int
    moon: int


def fields(instant: Instant) -> Fields:
    """The calendar fields in the moment's own offset."""
    day, second = divmod(instant.epoch_s + instant.offset_s, DAY_S)
    year, month, monthday = _civil(day)
    yearday = day - days_before(year) + 1
    week_year, week = _week(day, year)
    return Fields(
        years=year,
        months=month,
        monthdays=monthday,
        hours=second // 3600,
        minutes=second % 3600 // 60,
        seconds=second % 60,
        yeardays=yearday,
        weekyears=week_year,
        weeks=week,
        weekdays=(day + 3) % 7 + 1,
        moon=_moon_phase(year, yearday),
    )


def shift(instant: Instant, duration: Mapping[str, str]) -> Instant:
    """The moment later by a duration whose parts are texts; unreadable parts count as zero.

    A year keeps the number of the day in the year, where the year is long enough, else its last second stands for it; a month keeps
    the day of the month as far as the month has it.
    """
    amount = {name: integer(duration.get(name)) for name in _SECONDS} | {
        name: integer(duration.get(name)) for name in ("years", "months")
    }
    day, second = divmod(instant.epoch_s + instant.offset_s, DAY_S)
    year = _civil(day)[0]
    yearday, year = day - days_before(year), year + amount["years"]
    if yearday >= _year_length(year):
        yearday, second = _year_length(year) - 1, DAY_S - 1
    day = days_before(year) + yearday
    year, month, monthday = _civil(day)
    if amount["months"]:
        year, month = divmod(year * 12 + month - 1 + amount["months"], 12)
        day = _civil_day(year, month + 1, min(monthday, month_length(year, month + 1)))
    seconds = sum(amount[name] * length for name, length in _SECONDS.items())
    return Instant(day * DAY_S + second + seconds - instant.offset_s, instant.offset_s)


_SECONDS = {"weeks": 7 * DAY_S, "days": DAY_S, "hours": 3600, "minutes": 60, "seconds": 1}

_UNIT_S = {"seconds": 1, "minutes": 60, "hours": 3600}


def matches(instant: Instant, specification: Mapping[str, str]) -> bool:
    """Whether every field of a date specification (`hours: "9-16"`) holds at the moment; without fields it does."""
    actual = fields(instant)
    return all(
        _in_range(getattr(actual, name), specification[name]) for name in Fields._fields if name in specification
    )


def next_change_s(instant: Instant, specification: Mapping[str, str]) -> int:
    """The earliest epoch time after the moment at which the answer of `matches` could be another one."""
    unit_s = min((_UNIT_S.get(name, DAY_S) for name in Fields._fields if name in specification), default=DAY_S)
    local = instant.epoch_s + instant.offset_s
    return (local // unit_s + 1) * unit_s - instant.offset_s


_WHOLE_NUMBER = r"[ \t\n\v\f\r]*[+-]?[0-9]+"
_LONG = 1 << 63
_LONGEST_NUMBER = 1000
"""Characters; what is longer is no number that fits into 64 bits, but for zeros before it."""


def _in_range(value: int, text: str) -> bool:
    """Whether a number is `N`, or within `N-M`, `N-` or `-M`; a text that is none of them to its end holds always."""
    low_text, high_text = _ends(text)
    low, high = _whole_number(low_text), _whole_number(high_text)
    if (low_text and low is None) or (high_text and high is None):
        return True
    return (low is None or low <= value) and (high is None or value <= high)


def _ends(text: str) -> tuple[str, str]:
    """The texts of the lower and the upper end, empty where there is none; a number may have a sign of its own."""
    if text.startswith("-"):
        return "", text[1:]
    if (low := re.match(_WHOLE_NUMBER, text)) is None or low.end() == len(text):
        return text, text
    rest = text[low.end() :]
    return (low[0], rest[1:]) if rest.startswith("-") else (text, text)


def _whole_number(text: str) -> int | None:
    """The integer of 64 bits that the whole text is; None when it is none."""
    if re.fullmatch(_WHOLE_NUMBER, text) is None or len(text) > _LONGEST_NUMBER:
        return None
    value = int(text)
    return value if -_LONG <= value < _LONG else None


def days_before(year: int) -> int:
    """Days from the epoch to the first day of a year."""
    past = year - 1
    return past * 365 + past // 4 - past // 100 + past // 400 - 719_162


def month_length(year: int, month: int) -> int:
    """How many days a month has."""
    if month == 2:
        return 29 if _is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _year_length(year: int) -> int:
    return 366 if _is_leap(year) else 365


def _civil_day(year: int, month: int, monthday: int) -> int:
    """The day (counted from the epoch) of a date."""
    return days_before(year) + sum(month_length(year, past) for past in range(1, month)) + monthday - 1


def _civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of the month of a day counted from the epoch."""
    year = 1970 + day * 400 // 146_097
    while days_before(year) > day:
        year -= 1
    while days_before(year + 1) <= day:
        year += 1
    rest, month = day - days_before(year), 1
    while rest >= (length := month_length(year, month)):
        rest, month = rest - length, month + 1
    return year, month, rest + 1


def _week_start(year: int, week: int) -> int:
    """The Monday of an ISO week; the first week of a year is the one with the fourth of January."""
    fourth = days_before(year) + 3
    return fourth - (fourth + 3) % 7 + 7 * (week - 1)


def _week(day: int, year: int) -> tuple[int, int]:
    """The ISO week year and week of a day in a calendar year."""
    for week_year in (year + 1, year, year - 1):
        if (start := _week_start(week_year, 1)) <= day:
            return week_year, (day - start) // 7 + 1
    raise AssertionError(f"day {day} is in none of the week years around {year}")


def _moon_phase(year: int, yearday: int) -> int:
    """The phase of the moon, 0 (new) to 7."""
    golden = year % 19 + 1
    epact = (11 * golden + 18) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    return ((yearday + epact) * 6 + 11) % 177 // 22 % 8
