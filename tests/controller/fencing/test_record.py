"""The record of fencing, rule by rule: which order takes effect, what is left of one, and what the next one is."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.fencing.delivery import Present, delivered, installed
from reconciler.controller.fencing.executor import FenceExecutor
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
    FencingMessage,
)
from reconciler.controller.fencing.ordering import Circumstances, decide, make_order
from reconciler.controller.fencing.record import (
    LONGEST_REASON,
    MOST_HISTORY,
    Down,
    FenceCause,
    FenceOrder,
    FenceProgress,
    Fencing,
    HistoryLine,
    Ordered,
    Record,
    Wanted,
)
from reconciler.controller.fencing.topology import Device, Levels
from reconciler.frozen import replace

MEMBERS = {"n1": Present("n1-1", "b1"), "n2": Present("n2-1", "b2")}
BACK = MEMBERS | {"n3": Present("n3-2", "b3")}
AROUND = Circumstances(7, MEMBERS, True)
ONE: Levels = ((Device("ipmi"),),)
WANTED = Wanted("n3", "b3", FenceCause.LOST, "reboot", "it was lost", 4)
ORDER = make_order(WANTED, 1, ONE, AROUND)
assert ORDER is not None
GIVEN = Ordered(WANTED, ORDER)
DOWN = Down("n3", "b3", "n1", 5)


def fencing(*records: Record, **numbers: int) -> Fencing:
    by_target = {one.wanted.target if isinstance(one, Ordered) else one.target: one for one in records}
    return Fencing(records=by_target, numbers=numbers)


def after(
    record: Record, message: FencingMessage, members: dict[str, Present] = MEMBERS, **numbers: int
) -> Record | None:
    """What a message makes of the record of n3."""
    return delivered(fencing(record, **numbers), message, members).records.get("n3")


# Wanted


def wants(boot: str = "b3", cause: FenceCause = FenceCause.FAILED, why: str = "its stop failed") -> FenceWanted:
    return FenceWanted("n3", boot, cause, "off", why, 9)


def test_who_is_down_is_wanted_only_in_another_life() -> None:
    assert after(DOWN, wants()) == DOWN
    assert after(DOWN, wants("")) == DOWN
    assert after(DOWN, wants("b4")) == Wanted("n3", "b4", FenceCause.FAILED, "off", "its stop failed", 9)


@pytest.mark.parametrize(
    ("known", "cause", "stronger"),
    [
        (FenceCause.LOST, FenceCause.LOST, False),
        (FenceCause.LOST, FenceCause.FAILED, True),
        (FenceCause.LOST, FenceCause.ASKED, True),
        (FenceCause.FAILED, FenceCause.ASKED, False),
        (FenceCause.FAILED, FenceCause.LOST, False),
        (FenceCause.ASKED, FenceCause.FAILED, False),
    ],
)
def test_a_loss_gives_way_to_what_being_there_does_not_cure(
    known: FenceCause, cause: FenceCause, stronger: bool
) -> None:
    was = replace(WANTED, cause=known)
    told = replace(was, cause=cause, action="off", why="its stop failed") if stronger else was
    assert after(was, wants(cause=cause)) == told
    if cause is FenceCause.ASKED:
        told = was  # It is another action than the one that is under way.
    assert after(Ordered(was, ORDER), wants(cause=cause)) == Ordered(told, ORDER), "what is under way goes on"


def test_a_reason_is_kept_as_far_as_it_is_read() -> None:
    told = delivered(Fencing(), wants(why="x" * 600), MEMBERS).records["n3"]
    assert isinstance(told, Wanted)
    assert told.why == "x" * LONGEST_REASON == "x" * 500


def test_who_was_only_lost_and_is_there_in_the_same_life_needs_no_fencing() -> None:
    assert after(WANTED, wants(cause=FenceCause.LOST), BACK) is None
    assert after(WANTED, wants(cause=FenceCause.LOST), MEMBERS | {"n3": Present("n3-2", "b4")}) == WANTED
    assert after(replace(WANTED, cause=FenceCause.ASKED), wants(), BACK) is not None


# Ordered


def test_an_order_that_fits_takes_effect_and_is_counted() -> None:
    place = FenceProgress(tries=1)
    now = delivered(fencing(WANTED), FenceOrdered(replace(ORDER, place=place), 5), MEMBERS)
    assert now.records["n3"] == Ordered(replace(WANTED, place=place), replace(ORDER, place=place))
    assert now.numbers == {"n3": 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"number": 2},
        {"number": 0},
        {"boot": "b4"},
        {"executor": "n9"},
        {"incarnation": "n1-2"},
        {"place": FenceProgress(step=1)},
        {"target": "n4"},
    ],
)
def test_an_order_that_does_not_fit_changes_nothing(changed: dict[str, Any]) -> None:
    before = fencing(WANTED)
    assert delivered(before, FenceOrdered(replace(ORDER, **changed), 5), MEMBERS) == before


@pytest.mark.parametrize("record", [GIVEN, DOWN], ids=["one is under way", "it is down"])
def test_only_what_is_wanted_is_ordered(record: Record) -> None:
    assert after(record, FenceOrdered(replace(ORDER, number=2), 5), n3=1) == record


# Ended


def ended(succeeded: bool, why: str = "", executor: str = "n1") -> FenceEnded:
    return FenceEnded(executor, *ORDER.id, succeeded, why, 50)


def given(levels: Levels, place: FenceProgress = FenceProgress()) -> Fencing:  # noqa: B008 - a value that never changes
    order = make_order(replace(WANTED, place=place), 1, levels, AROUND)
    assert order is not None
    return fencing(Ordered(replace(WANTED, place=place), order), n3=1)


def place_after(now: Fencing, message: FenceEnded) -> tuple[FenceProgress, int]:
    """How far the tries have come once the executor of the order told this."""
    known = now.records["n3"]
    assert isinstance(known, Ordered)
    left = delivered(now, replace(message, executor=known.order.executor), MEMBERS).records["n3"]
    assert isinstance(left, Wanted)
    return left.place, left.not_before_ms


def test_each_end_is_a_line_of_the_history() -> None:
    now = delivered(given(ONE), ended(False, "x" * 600), MEMBERS)
    assert now.history == (HistoryLine("n3", "reboot", "ipmi", "n1", 50, False, "x" * 500),)
    assert delivered(given(ONE), ended(True), MEMBERS).history == (HistoryLine("n3", "reboot", "ipmi", "n1", 50, True),)
    given_up = delivered(given(ONE), FenceGivenUp(*ORDER.id, 60), MEMBERS)
    assert given_up.history == (HistoryLine("n3", "reboot", "ipmi", "n1", 60, False, "no answer came in time"),)


def test_what_is_given_up_is_the_order_under_way() -> None:
    now = given(ONE)
    for wrong in (FenceGivenUp(6, "n3", 1, 60), FenceGivenUp(7, "n4", 1, 60), FenceGivenUp(7, "n3", 2, 60)):
        assert delivered(now, wrong, MEMBERS) == now


def test_a_step_that_fails_is_tried_as_often_as_its_device_says_then_the_next_level_then_all_after_a_pause() -> None:
    levels: Levels = ((Device("ipmi", retries={"reboot": 3}),), (Device("pdu", retries={"reboot": 1}),))
    fail = ended(False)
    assert place_after(given(levels, FenceProgress(rounds=2)), fail) == (FenceProgress(tries=1, rounds=2), 0)
    assert place_after(given(levels, FenceProgress(tries=1)), fail) == (FenceProgress(tries=2), 0)
    assert place_after(given(levels, FenceProgress(tries=2, rounds=2)), fail) == (FenceProgress(level=1, rounds=2), 0)
    assert place_after(given(levels, FenceProgress(level=1)), fail) == (FenceProgress(rounds=1), 1_050)
    assert place_after(given(levels, FenceProgress(level=1, rounds=3)), fail) == (FenceProgress(rounds=4), 8_050)
    assert place_after(given(levels, FenceProgress(level=1, rounds=90)), fail) == (FenceProgress(rounds=91), 300_050)


def test_a_step_that_is_done_is_followed_by_the_next_which_begins_anew() -> None:
    both: Levels = ((Device("pdu1"), Device("pdu2")),)
    assert place_after(given(both, FenceProgress(tries=1, rounds=2)), ended(True)) == (
        FenceProgress(step=1, rounds=2),
        0,
    )


def test_who_came_back_is_clean_only_when_nothing_is_under_way() -> None:
    assert isinstance(after(GIVEN, FenceGivenUp(6, "n3", 1, 60), BACK), Ordered)
    assert after(GIVEN, ended(False), BACK) is None


# Confirmed


def test_what_an_operator_vouches_for_is_told_in_the_history() -> None:
    now = delivered(fencing(WANTED), FenceConfirmed("n3", "ann", 9), MEMBERS)
    assert now.history == (HistoryLine("n3", "confirm", "", "ann", 9, True),)


@pytest.mark.parametrize(("boot", "counts"), [("", True), ("b3", True), ("b4", False)])
def test_an_operator_vouches_for_the_life_that_was_seen(boot: str, counts: bool) -> None:
    assert isinstance(after(WANTED, FenceConfirmed("n3", "ann", 9, boot)), Down) is counts
    assert isinstance(after(GIVEN, FenceConfirmed("n3", "ann", 9, boot)), Down) is counts


def test_nobody_vouches_for_who_is_there_or_down_already() -> None:
    was = replace(WANTED, cause=FenceCause.FAILED)
    assert after(was, FenceConfirmed("n3", "ann", 9), BACK) == was
    assert after(DOWN, FenceConfirmed("n3", "ann", 9)) == DOWN


# Installed


def test_a_return_is_told_and_who_is_gone_for_good_is_not() -> None:
    now = installed(fencing(DOWN), MEMBERS | {"n3": Present("n3-2", "b4")}, {}, "reboot", 9)
    assert (now.records, now.history) == ({}, (HistoryLine("n3", "return", "", "", 9, True),))
    unfenced = replace(WANTED, cause=FenceCause.UNFENCE)
    now = installed(fencing(unfenced), MEMBERS, {}, "reboot", 9)
    assert (now.records, now.history) == ({}, ())
    now = installed(fencing(unfenced), BACK, {}, "reboot", 9)
    assert now.records == {"n3": unfenced}, "it is still to be given its way"


def test_who_is_down_stays_so_until_it_is_back_in_another_life() -> None:
    assert installed(fencing(DOWN), MEMBERS, {}, "reboot", 9).records == {"n3": DOWN}
    assert installed(fencing(DOWN), BACK, {}, "reboot", 9).records == {"n3": DOWN}


def test_only_who_is_unclean_and_not_there_is_wanted_and_once() -> None:
    now = installed(fencing(DOWN), MEMBERS, {"n3": "b3", "n2": "b2", "n4": "b4"}, "off", 9)
    assert now.records == {"n3": DOWN, "n4": Wanted("n4", "b4", FenceCause.LOST, "off", "it was lost", 9)}


def test_the_newest_two_hundred_lines_are_kept() -> None:
    lines = tuple(HistoryLine("n3", str(number), "", "", number, True) for number in range(200))
    assert len(lines) == MOST_HISTORY
    for now in (
        delivered(replace(fencing(WANTED), history=lines), FenceConfirmed("n3", "ann", 9), MEMBERS),
        delivered(replace(given(ONE), history=lines), ended(True), MEMBERS),
        installed(replace(fencing(DOWN), history=lines), MEMBERS | {"n3": Present("n3-2", "b4")}, {}, "reboot", 9),
    ):
        assert (len(now.history), now.history[0].what) == (200, "1")


# What the DC decides


def test_a_pause_is_waited_for_and_no_longer() -> None:
    waiting = replace(WANTED, not_before_ms=50)
    other = replace(waiting, target="n4", not_before_ms=40)
    assert decide(fencing(waiting, other), lambda target: ONE, AROUND, 39).again_at_ms == 40
    now = decide(fencing(waiting, other), lambda target: ONE, AROUND, 40)
    assert ([order.target for order in now.orders], now.again_at_ms) == (["n4"], 50)
    now = decide(fencing(waiting, other), lambda target: ONE, AROUND, 50)
    assert ([order.target for order in now.orders], now.again_at_ms) == (["n3", "n4"], None)


def test_one_that_nothing_can_fence_does_not_keep_the_next_from_its_turn() -> None:
    now = fencing(WANTED, replace(WANTED, target="n4"))
    told = decide(now, lambda target: () if target == "n3" else ONE, replace(AROUND, one_at_a_time=True), 0)
    assert (told.unreachable, [order.target for order in told.orders]) == (("n3",), ["n4"])
    assert decide(fencing(GIVEN, DOWN), lambda target: ONE, AROUND, 0).orders == ()


def test_numbers_go_on_after_all_that_were_ever_given() -> None:
    (order,) = decide(fencing(WANTED, n3=41), lambda target: ONE, AROUND, 0).orders
    assert order.number == 42


def made(place: FenceProgress, levels: Levels, members: dict[str, Present] = MEMBERS) -> FenceOrder:
    order = make_order(replace(WANTED, place=place), 1, levels, Circumstances(7, members, True))
    assert order is not None
    return order


@pytest.mark.parametrize(
    ("place", "anew"),
    [
        (FenceProgress(level=1, rounds=2), False),
        (FenceProgress(level=2, tries=1, rounds=2), True),
        (FenceProgress(step=3, rounds=2), False),
        (FenceProgress(step=4, tries=1, rounds=2), True),
        (FenceProgress(level=1, step=1, rounds=2), True),
    ],
)
def test_where_the_topology_has_become_shorter_the_tries_begin_anew(place: FenceProgress, anew: bool) -> None:
    levels: Levels = ((Device("pdu1"), Device("pdu2")), (Device("ipmi"),))
    assert made(place, levels).place == (FenceProgress(rounds=2) if anew else place)


@pytest.mark.parametrize(
    ("place", "first"),
    [
        (FenceProgress(), True),
        (FenceProgress(tries=1), False),
        (FenceProgress(rounds=1), False),
        (FenceProgress(step=1), False),
        (FenceProgress(level=1), False),
    ],
)
def test_a_delay_is_for_the_very_first_call(place: FenceProgress, first: bool) -> None:
    slow = Device("pdu", delay_ms=2_000, delay_most_ms=9_000)
    order = made(place, ((slow, slow), (slow,)))
    assert (order.delay_ms, order.delay_most_ms) == ((2_000, 9_000) if first else (0, 0))


def test_the_most_of_a_delay_is_never_less_than_the_least() -> None:
    order = made(FenceProgress(), ((Device("ipmi", delay_ms=9_000, delay_most_ms=2_000),),))
    assert (order.delay_ms, order.delay_most_ms) == (9_000, 9_000)


def test_an_order_says_whether_another_level_is_left_and_how_often_and_how_long_it_is_tried() -> None:
    device = Device("ipmi", retries={"reboot": 5, "off": 0}, timeouts_ms={"reboot": 7})
    assert [made(FenceProgress(level=level), ((device,), (device,))).last_level for level in (0, 1)] == [False, True]
    order = made(FenceProgress(), ((device,),))
    assert (order.tries, order.timeout_ms) == (5, 7)
    assert (device.tries("off"), device.tries("on"), device.timeout_ms("on")) == (1, 2, 60_000)


def test_executors_take_turns_and_the_target_is_none_of_them_while_there_are_others() -> None:
    members = {f"n{number}": Present(f"n{number}-1", "") for number in (1, 2, 3, 4)}
    assert [made(FenceProgress(tries=tries), ONE, members).executor for tries in range(4)] == ["n1", "n2", "n4", "n1"]
    only_target: Levels = ((Device("ipmi", kept_from=frozenset({"n1", "n2", "n4"})),),)
    assert made(FenceProgress(), only_target, members).executor == "n3"
    assert made(FenceProgress(), ONE, members).incarnation == "n1-1"


# The executor


def test_what_another_process_told_does_not_end_what_we_have_to_tell() -> None:
    executor, _ = FenceExecutor("n1", "n1-1").ordered(ORDER)
    executor, told = executor.ended(ORDER, False, "x" * 600, 5)
    assert told.why == "x" * 500
    for other in (
        replace(told, executor="n2"),
        replace(told, number=2),
        replace(told, term=6),
        replace(told, target="n4"),
    ):
        assert executor.told(other).again() == (told,)
    assert executor.told(told).again() == ()


@pytest.mark.parametrize(
    ("record", "is_open", "is_down", "unfence"),
    [
        (WANTED, True, False, False),
        (replace(WANTED, cause=FenceCause.UNFENCE), True, False, True),
        (GIVEN, True, False, False),
        (DOWN, False, True, False),
    ],
)
def test_what_a_record_says(record: Record, is_open: bool, is_down: bool, unfence: bool) -> None:
    now = fencing(record)
    assert (now.is_open("n3"), now.is_down("n3"), now.is_to_be_unfenced("n3")) == (is_open, is_down, unfence)
    assert now.fenced == ({"n3": "b3"} if is_down else {})
    assert (now.is_open("n4"), now.is_down("n4"), now.is_to_be_unfenced("n4")) == (False, False, False)
