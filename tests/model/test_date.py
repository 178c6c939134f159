"""Dates: how texts are read, calendar fields, durations and date specifications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.date import Instant, fields, matches, next_change_s, parse, shift

NOON = Instant(1_700_049_600)  # 2023-11-15 12:00:00Z, a Wednesday
BERLIN = Instant(NOON.epoch_s, 3600)


def epoch_s(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())


READ = [
    pytest.param("2005-02-09", epoch_s(2005, 2, 9), id="a date alone is midnight in UTC"),
    pytest.param("20050209", epoch_s(2005, 2, 9), id="dashes may be left out"),
    pytest.param("2005-040", epoch_s(2005, 2, 9), id="a year and the day in it"),
    pytest.param("2005-W06-3", epoch_s(2005, 2, 9), id="an ISO week with its day"),
    pytest.param("2004-W53-7", epoch_s(2005, 1, 2), id="the 53rd week of a year that has one"),
    pytest.param("epoch", 0, id="the word epoch"),
    pytest.param("2005-02-09 12:30:15Z", epoch_s(2005, 2, 9, 12, 30, 15), id="a time follows after a blank"),
    pytest.param("2005-02-09T12:30:15Z", epoch_s(2005, 2, 9, 12, 30, 15), id="or after a T"),
    pytest.param("2005-02-09 123015", epoch_s(2005, 2, 9, 12, 30, 15), id="colons may be left out"),
    pytest.param("2005-02-09 12:30", epoch_s(2005, 2, 9, 12, 30), id="seconds may be left out"),
    pytest.param("2005-02-09 12", epoch_s(2005, 2, 9, 12), id="and minutes too"),
    pytest.param("2005-12-31 24:00:00Z", epoch_s(2006, 1, 1), id="24 o'clock is the start of the next day"),
    pytest.param("2005-02-09 12:30:15 +02:00", epoch_s(2005, 2, 9, 10, 30, 15), id="an offset after a blank counts"),
    pytest.param("2005-02-09 12:30:15+02:00", epoch_s(2005, 2, 9, 12, 30, 15), id="an offset glued on does not"),
    pytest.param("12:30:15", epoch_s(2023, 11, 15, 12, 30, 15), id="a time alone is today's"),
    pytest.param("T12:30:15", epoch_s(2023, 11, 15, 12, 30, 15), id="also with a T"),
    pytest.param("2005-02-09x", epoch_s(2005, 2, 9), id="what follows a date without a separator is ignored"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_reading(text: str, expected: int) -> None:
    found = parse(text, NOON)
    assert found is not None
    assert found.epoch_s == expected


NOT_READ = [
    pytest.param(None, id="nothing"),
    pytest.param("", id="an empty text"),
    pytest.param("tomorrow", id="a word"),
    pytest.param("2005-02-29", id="a day that the month doesn't have"),
    pytest.param("2005-13-01", id="a month that there isn't"),
    pytest.param("2005-366", id="the 366th day of a year with 365"),
    pytest.param("2005-W53-1", id="the 53rd week of a year with 52"),
    pytest.param("2005-02-09 25:00:00", id="an hour that there isn't"),
    pytest.param("2005-02-09 24:30:00", id="a time after 24 o'clock"),
    pytest.param("2005-02-09 12:30:15 +25:00", id="an offset of more than a day"),
]


@pytest.mark.parametrize("text", NOT_READ)
def test_what_is_no_date(text: str | None) -> None:
    assert parse(text, NOON) is None


def test_a_time_without_offset_is_local() -> None:
    assert parse("2023-11-15 12:00:00", BERLIN) == Instant(NOON.epoch_s - 3600, 3600)


@given(st.datetimes(datetime(1902, 1, 1), datetime(2200, 12, 31)))
def test_fields_agree_with_the_calendar_of_the_standard_library(moment: datetime) -> None:
    found = fields(Instant(int(moment.replace(tzinfo=UTC, microsecond=0).timestamp())))
    week_year, week, weekday = moment.isocalendar()
    assert found[:6] == (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    assert found[6:10] == (moment.timetuple().tm_yday, week_year, week, weekday)


@given(st.datetimes(datetime(1902, 1, 1), datetime(2200, 12, 31)), st.integers(0, 10_000))
def test_days_are_added_as_the_standard_library_does(moment: datetime, days: int) -> None:
    start = Instant(int(moment.replace(tzinfo=UTC, microsecond=0).timestamp()))
    assert shift(start, {"days": str(days)}).epoch_s == start.epoch_s + timedelta(days=days).total_seconds()


SHIFTED = [
    pytest.param("2023-01-31", {"months": "1"}, "2023-02-28", id="a month keeps the day as far as there is one"),
    pytest.param("2023-11-30", {"months": "14"}, "2025-01-30", id="months go on into the next years"),
    pytest.param("2023-03-01", {"years": "1"}, "2024-02-29", id="a year keeps the number of the day in the year"),
    pytest.param("2023-01-01", {"years": "1", "months": "1"}, "2024-02-01", id="years are added before months"),
    pytest.param(
        "2023-01-01", {"weeks": "2", "days": "1", "hours": "24"}, "2023-01-17", id="weeks, days and hours add up"
    ),
    pytest.param("2023-01-01", {"days": "soon", "hours": "24"}, "2023-01-02", id="what can't be read counts as zero"),
]


@pytest.mark.parametrize(("start", "duration", "expected"), SHIFTED)
def test_durations(start: str, duration: dict[str, str], expected: str) -> None:
    begin = parse(start)
    assert begin is not None
    assert shift(begin, duration) == parse(expected)


def test_the_last_day_of_a_leap_year_moves_to_the_end_of_a_common_one() -> None:
    begin = parse("2004-12-31 12:00:00Z")
    assert begin is not None
    assert shift(begin, {"years": "2"}) == parse("2006-12-31 23:59:59Z")


SPECIFICATIONS = [
    pytest.param({"hours": "12"}, True, id="the very hour"),
    pytest.param({"hours": "9-16"}, True, id="within a range, both ends included"),
    pytest.param({"hours": "13-"}, False, id="from a number on"),
    pytest.param({"hours": "-12"}, True, id="up to a number"),
    pytest.param({"weekdays": "1-5", "hours": "18-"}, False, id="all fields have to hold"),
    pytest.param({"weekdays": "3"}, True, id="Monday is the first day of the week"),
    pytest.param({"years": "2023", "months": "11", "monthdays": "15"}, True, id="year, month and day"),
    pytest.param({"yeardays": "319"}, True, id="the day in the year"),
    pytest.param({"weekyears": "2023", "weeks": "46"}, True, id="ISO year and week"),
    pytest.param({"moon": "1"}, True, id="the waxing crescent, two days after new moon"),
    pytest.param({"hours": "-"}, True, id="a field that says nothing is ignored"),
    pytest.param({"hours": "noon"}, True, id="and so is one that can't be read"),
    pytest.param({}, True, id="no field at all"),
]


@pytest.mark.parametrize(("specification", "expected"), SPECIFICATIONS)
def test_date_specifications(specification: dict[str, str], expected: bool) -> None:
    assert matches(NOON, specification) is expected


def test_fields_are_read_in_the_offset_of_the_moment() -> None:
    assert matches(BERLIN, {"hours": "13"})


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from([0, 3600, -12_600]),
    st.fixed_dictionaries(
        {}, optional={"hours": st.sampled_from(["8-17", "3"]), "weekdays": st.just("1-5"), "minutes": st.just("-29")}
    ),
    st.integers(0, 200_000),
)
def test_nothing_changes_before_the_next_change(
    start_s: int, offset_s: int, specification: dict[str, str], later_s: int
) -> None:
    now = Instant(start_s, offset_s)
    change_s = next_change_s(now, specification)
    assert change_s > start_s
    moment = Instant(min(start_s + later_s, change_s - 1), offset_s)
    assert matches(moment, specification) == matches(now, specification)
