"""Durations: how the texts for timeouts and intervals are read, in milliseconds.

Source: the scheduler's specification, part 1, section 2.4, with its quirks: the units are found by prefix, so `5months`
are minutes, and an ISO 8601 day counts from the second one on.
"""

from __future__ import annotations

import re
from functools import lru_cache

DEFAULT_TIMEOUT_MS = 20_000
"""The timeout of an operation that has none, or an unreadable one."""

LONGEST_INTERVAL_MS = 4_294_967_295
"""Intervals are clipped to 32 bits."""

LONGEST_TIMEOUT_MS = 2_147_483_647
"""Timeouts and delays have 31 bits (24.8 days). What is longer counts as unreadable, as it does for Pacemaker up to 32 bits; beyond
those it keeps the lowest 32, so that 4294967297 ms are one: that is not followed."""

_LONG = (1 << 63) - 1
_LONGEST_NUMBER = 19
"""Digits: a number with more does not fit into 64 bits, and stands for the largest that does."""

_SIMPLE = re.compile(r"\s*([0-9.]+)\s*(.*)", re.DOTALL)
_UNITS = (("ms", 1, 1), ("us", 1, 1000), ("s", 1000, 1), ("m", 60_000, 1), ("h", 3_600_000, 1))
_ISO = r"P((?:[0-9]+[YMWDHS])*)(?:T((?:[0-9]+[YMWDHS])*))?"
_ISO_ITEM = r"([0-9]+)([A-Zm])"


@lru_cache(maxsize=4096)
def simple_ms(text: str | None) -> int | None:
    """A number with an optional unit in milliseconds (no unit means seconds); None when it is neither."""
    if text is None or (found := _SIMPLE.match(text)) is None:
        return None
    digits, unit = found[1].split(".")[0], found[2].lower()
    if not digits:
        return None
    number = _number(digits)
    for prefix, multiplier, divisor in _UNITS:
        if unit.startswith(prefix):
            return min(number * multiplier // divisor, _LONG)
    return min(number * 1000, _LONG) if not unit or unit[0] in "\n\r" else None


@lru_cache(maxsize=4096)
def interval_ms(text: str | None) -> int:
    """An interval in milliseconds: ISO 8601 when it starts with P, else a simple duration; 0 when unreadable."""
    if text is None:
        return 0
    value = _iso_ms(text) if text.startswith("P") else simple_ms(text)
    return min(value or 0, LONGEST_INTERVAL_MS)


def timeout_ms(text: str | None) -> int:
    """A timeout in milliseconds; `DEFAULT_TIMEOUT_MS` when missing, unreadable or longer than `LONGEST_TIMEOUT_MS`."""
    value = simple_ms(text)
    return DEFAULT_TIMEOUT_MS if value is None or value > LONGEST_TIMEOUT_MS else value


def delay_ms(text: str | None) -> int:
    """A delay in milliseconds; 0 when missing, unreadable or longer than `LONGEST_TIMEOUT_MS`."""
    value = simple_ms(text)
    return 0 if value is None or value > LONGEST_TIMEOUT_MS else value


def _number(digits: str) -> int:
    return int(digits) if len(digits) < _LONGEST_NUMBER else _LONG


def _iso_ms(text: str) -> int | None:
    found = re.fullmatch(_ISO, text)
    if found is None or text == "P":
        return None
    # Only M means something else after the T: minutes instead of months.
    items = {unit: _number(digits) for digits, unit in re.findall(_ISO_ITEM, found[1].replace("M", "m"))}
    items |= {unit: _number(digits) for digits, unit in re.findall(_ISO_ITEM, found[2] or "")}
    days = items.get("D", 0) + 7 * items.get("W", 0)
    seconds = items.get("S", 0) + 60 * items.get("M", 0) + 3600 * items.get("H", 0)
    seconds += max(days - 1, 0) * 86_400 + items.get("m", 0) * 30 * 86_400
    seconds += _days_before_year(items.get("Y", 0)) * 86_400
    return seconds * 1000


def _days_before_year(years: int) -> int:
    """Days of the years 1 to `years` - 1 of the calendar."""
    past = max(years - 1, 0)
    return past * 365 + past // 4 - past // 100 + past // 400
