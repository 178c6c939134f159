"""The cluster's clock: one for all, the DC's, and never backwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.cluster_clock import ClusterClock
from reconciler.controller.moment import Moment


def test_a_member_has_the_time_of_the_dc_whatever_its_own_clock_says() -> None:
    clock = ClusterClock(0)
    clock.heard(5_000_000, Moment(1, 100))
    assert clock.at(Moment(99_000_000, 1_100), dc=False).wall_ms == 5_001_000
    assert clock.at(Moment(0, 2_100), dc=False).wall_ms == 5_002_000


def test_the_zone_of_no_member_counts() -> None:
    clock = ClusterClock(0)
    assert clock.at(Moment(1_000, 0, offset_s=7_200), dc=True) == Moment(1_000, 0, offset_s=0)
    assert clock.at(Moment(1_000, 5, offset_s=-3_600), dc=False).offset_s == 0


def test_the_dc_has_its_own_time() -> None:
    clock = ClusterClock(1_000)
    assert clock.at(Moment(2_000, 0), dc=True).wall_ms == 2_000
    assert clock.at(Moment(9_000_000, 10), dc=True).wall_ms == 9_000_000, "it was set"


def test_a_dc_whose_clock_is_behind_goes_on_at_half_the_speed_until_they_meet() -> None:
    clock = ClusterClock(0)
    clock.heard(1_000_000, Moment(0, 0))
    assert clock.at(Moment(990_000, 0), dc=True).wall_ms == 1_000_000
    assert clock.at(Moment(1_000_000, 10_000), dc=True).wall_ms == 1_005_000
    assert clock.at(Moment(1_010_000, 20_000), dc=True).wall_ms == 1_010_000
    assert clock.at(Moment(1_020_000, 30_000), dc=True).wall_ms == 1_020_000


def test_after_a_restart_it_is_no_earlier_than_the_state_says() -> None:
    assert ClusterClock(8_000).at(Moment(3_000, 5), dc=True).wall_ms == 8_000


def test_who_meets_others_for_the_first_time_takes_their_time() -> None:
    clock = ClusterClock(0)
    assert clock.at(Moment(86_400_000, 0), dc=False).wall_ms == 86_400_000
    clock.heard(1_000, Moment(86_400_000, 10))
    assert clock.at(Moment(86_401_000, 1_010), dc=False).wall_ms == 2_000


def test_what_a_message_takes_on_its_way_turns_nothing_back() -> None:
    clock = ClusterClock(0)
    clock.heard(100_000, Moment(0, 0))
    assert clock.at(Moment(0, 5_000), dc=False).wall_ms == 105_000
    clock.heard(104_990, Moment(0, 5_001))
    assert clock.at(Moment(0, 5_001), dc=False).wall_ms == 105_000


STEPS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 10**7), st.booleans(), st.none() | st.integers(0, 10**7)),
    max_size=30,
)


@given(STEPS)
def test_it_never_goes_backwards(steps: list[tuple[int, int, bool, int | None]]) -> None:
    clock, mono_ms, last_ms = ClusterClock(0), 0, 0
    for passed_ms, wall_ms, dc, told_ms in steps:
        mono_ms += passed_ms
        if told_ms is not None:
            told_ms += last_ms  # A DC never says less than what was heard.
            clock.heard(told_ms, Moment(wall_ms, mono_ms))
        at_ms = clock.at(Moment(wall_ms, mono_ms), dc=dc).wall_ms
        assert at_ms >= last_ms
        last_ms = at_ms
