"""The zone in which a cluster reads dates that name none: a rule from which every member computes the same offset, and asks no machine.

A zone is `UTC`, an offset such as `+01:00`, or the rule that the POSIX variable TZ holds, as in `CET-1CEST,M3.5.0,M10.5.0/3`: names mean
something only by a data base that may differ between machines.
Source: POSIX.1-2017, Base Definitions, 8.3 (TZ); RFC 8536, 3.3.1 (times of a change from -167 to 167 hours).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from reconciler.model.date import DAY_S, Instant, days_before, fields, month_length

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-5][0-9])\Z")
_NAME = r"(?:[A-Za-z]{3,10}|<[A-Za-z0-9+-]{3,10}>)"
_TIME = r"[+-]?[0-9]{1,3}(?::[0-9]{2}(?::[0-9]{2})?)?"
_DAY = r"(?:M[0-9]{1,2}\.[0-9]\.[0-9]|J[0-9]{1,3}|[0-9]{1,3})"
_POSIX = re.compile(
    rf"{_NAME}(?P<standard>{_TIME})"
    rf"(?:{_NAME}(?P<summer>{_TIME})?,(?P<begins>{_DAY})(?:/(?P<begins_at>{_TIME}))?,(?P<ends>{_DAY})(?:/(?P<ends_at>{_TIME}))?)?\Z"
)
_MONTH = re.compile(r"M(?P<month>[0-9]{1,2})\.(?P<week>[0-9])\.(?P<weekday>[0-9])\Z")
_TWO_O_CLOCK_S = 7200
_MOST_OFFSET_H, _MOST_TIME_H = 24, 167


class Turn(NamedTuple):
    """When the offset changes, each year: `day` as in TZ, `second` of it in the offset that holds until then."""

    day: str
    second: int


class Zone(NamedTuple):
    """Seconds east of UTC; `summer_s` between two turns of each year, if there are any."""

    offset_s: int
    summer_s: int = 0
    turns: tuple[Turn, Turn] | None = None

    def offset_at(self, epoch_s: int) -> int:
        """The offset from UTC, in seconds, that holds at a moment."""
        if self.turns is None:
            return self.offset_s
        year = fields(Instant(epoch_s, self.offset_s)).years
        begins_s = _turn_s(self.turns[0], year) - self.offset_s
        ends_s = _turn_s(self.turns[1], year) - self.summer_s
        # South of the equator the year begins in the summer.
        summer = begins_s <= epoch_s < ends_s if begins_s < ends_s else not ends_s <= epoch_s < begins_s
        return self.summer_s if summer else self.offset_s


@lru_cache(maxsize=64)
def read_zone(text: str) -> Zone | None:
    """The zone that a text stands for; None when it is none."""
    if text.upper() in ("UTC", "Z"):
        return Zone(0)
    if found := _OFFSET.match(text):
        seconds = int(found["hours"]) * 3600 + int(found["minutes"]) * 60
        return Zone(-seconds if found["sign"] == "-" else seconds) if seconds < DAY_S else None
    found = _POSIX.match(text)
    if found is None or (standard := _seconds(found["standard"], _MOST_OFFSET_H)) is None:
        return None
    if found["begins"] is None:
        return Zone(-standard)
    summer = _seconds(found["summer"], _MOST_OFFSET_H) if found["summer"] else standard - 3600
    begins = _turn(found["begins"], found["begins_at"])
    ends = _turn(found["ends"], found["ends_at"])
    if summer is None or begins is None or ends is None:
        return None
    return Zone(-standard, -summer, (begins, ends))


def _seconds(text: str, most_h: int) -> int | None:
    hours, *rest = text.lstrip("+-").split(":")
    minutes, seconds = (*map(int, rest), 0, 0)[:2]
    if int(hours) > most_h or minutes > 59 or seconds > 59:
        return None
    total = int(hours) * 3600 + minutes * 60 + seconds
    return -total if text.startswith("-") else total


def _turn(day: str, at: str | None) -> Turn | None:
    second = _TWO_O_CLOCK_S if at is None else _seconds(at, _MOST_TIME_H)
    return None if second is None or not _is_day(day) else Turn(day, second)


def _is_day(day: str) -> bool:
    if found := _MONTH.match(day):
        return 1 <= int(found["month"]) <= 12 and 1 <= int(found["week"]) <= 5 and int(found["weekday"]) <= 6
    return 1 <= int(day[1:]) <= 365 if day.startswith("J") else int(day) <= 365


def _turn_s(turn: Turn, year: int) -> int:
    """When a turn is in a year, in seconds of the local time until then."""
    return _day_of(turn.day, year) * DAY_S + turn.second


def _day_of(day: str, year: int) -> int:
    """The day from the epoch. Jn leaves out the 29th of February, n counts it from 0; Mm.w.d is the w-th weekday, 5 the last one."""
    if (found := _MONTH.match(day)) is None:
        first = days_before(year)
        if not day.startswith("J"):
            return first + int(day)
        number = int(day[1:])
        return first + number - (0 if number > 59 and month_length(year, 2) == 29 else 1)
    month, week = int(found["month"]), int(found["week"])
    first = _first_of(year, month)
    # The epoch was a Thursday.
    nth = first + (int(found["weekday"]) - (first + 4) % 7) % 7 + 7 * (week - 1)
    return nth if nth < _first_of(year + month // 12, month % 12 + 1) else nth - 7


def _first_of(year: int, month: int) -> int:
    return days_before(year) + sum(month_length(year, past) for past in range(1, month))
