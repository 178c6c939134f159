"""Who is excluded comes back at once the first time, and then more and more slowly; never before its disk has answered."""

from __future__ import annotations

from itertools import pairwise

from reconciler.controller.keeper import Keeper, Routine
from reconciler.controller.moment import Moment
from reconciler.controller.returning import STEADY_MS, Returning


def at(ms: int) -> Moment:
    return Moment(ms, ms)


def waits_of(returning: Returning, times: int) -> list[int]:
    """How long it stays away each time, in seconds, when it is excluded as soon as it is back."""
    waits, now_ms = [], 1_000_000
    for _ in range(times):
        until = returning.excluded("silent", at(now_ms))
        waits.append(0 if until is None else (until - now_ms) // 1000)
        now_ms = until or now_ms
        assert returning.due(at(now_ms)) is None
        assert returning.told is None
        returning.installed(at(now_ms))
        now_ms += 20
    return waits


def test_each_time_it_waits_longer_up_to_a_minute() -> None:
    waits = waits_of(Returning(Keeper()), 8)
    assert waits == [0, 5, 10, 20, 40, 60, 60, 60]
    assert all(one <= other for one, other in pairwise(waits))


def test_who_was_a_member_for_a_while_begins_anew() -> None:
    returning = Returning(Keeper())
    assert waits_of(returning, 4)[-1] == 20
    returning.installed(at(2_000_000))
    returning.installed(at(2_000_000 + STEADY_MS - 1))
    assert returning.excluded("silent", at(2_000_000 + STEADY_MS)) is None
    returning.installed(at(3_000_000))
    assert returning.excluded("silent", at(3_000_000 + STEADY_MS - 1)) is not None


def test_as_long_as_the_disk_does_not_answer_it_stays_away_the_first_time_too() -> None:
    keeper = Keeper()
    returning = Returning(keeper)
    keeper.sync(Routine(), None)
    first = returning.excluded("silent", at(0))
    assert first == 1_000
    assert "its disk answers" in (returning.told or "")
    assert returning.due(at(1_000)) == 2_000
    assert returning.told
    keeper.durable(1)
    assert returning.due(at(2_000)) is None
    assert returning.told is None


def test_it_is_told_how_often_it_was_excluded_and_how_long_it_waits() -> None:
    returning = Returning(Keeper())
    waits_of(returning, 3)
    returning.excluded("it did not answer in time", at(1_050_000))
    assert returning.told == (
        "this node was excluded by the others 4 times in a row (it did not answer in time); "
        "it joins again once 20 s are over and its disk answers"
    )
