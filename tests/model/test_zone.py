"""The zone of a cluster, against what the machine's library makes of the same rule."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.zone import read_zone

RULES = (
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "AEST-10AEDT,M10.1.0,M4.1.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "IST-2IDT,M3.4.4/26,M10.5.0",
    "AAA3BBB,J60/0,J300/0",
    "AAA3BBB,59/0,299/0",
    "JST-9",
)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("rule", RULES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(epoch_s=st.integers(0, 4_000_000_000))
def test_a_rule_gives_the_offset_that_the_library_gives(library: pytest.MonkeyPatch, rule: str, epoch_s: int) -> None:
    library.setenv("TZ", rule)
    time.tzset()
    zone = read_zone(rule)
    assert zone is not None
    assert zone.offset_at(epoch_s) == time.localtime(epoch_s).tm_gmtoff


@pytest.mark.parametrize("rule", RULES)
def test_the_offset_changes_in_the_same_second(library: pytest.MonkeyPatch, rule: str) -> None:
    library.setenv("TZ", rule)
    time.tzset()
    zone = read_zone(rule)
    assert zone is not None
    for hour in range(1_700_000_000 // 3600, 1_740_000_000 // 3600):
        for epoch_s in (hour * 3600 - 1, hour * 3600):
            assert zone.offset_at(epoch_s) == time.localtime(epoch_s).tm_gmtoff


@pytest.mark.parametrize(
    ("text", "offset_s"), [("UTC", 0), ("utc", 0), ("Z", 0), ("+01:00", 3600), ("-0330", -12_600), ("+00:00", 0)]
)
def test_a_fixed_offset(text: str, offset_s: int) -> None:
    zone = read_zone(text)
    assert zone is not None
    assert zone.offset_at(1_800_000_000) == offset_s


@pytest.mark.parametrize(
    "text",
    ["", "Europe/Vienna", "CET", "CET-1CEST", "CET-25", "CET-1CEST,M13.1.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
     "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J366", "CET-1CEST,366,1", "+24:00", "+1", "+01:60", "CET-1CEST,M3.5.0",
     "CET-1CEST,M3.5.0/168,M10.5.0", ":CET"],
)  # fmt: skip
def test_what_is_no_zone(text: str) -> None:
    assert read_zone(text) is None
