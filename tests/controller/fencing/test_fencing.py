"""Fencing, script by script: what the shared record says after what was delivered, and what the DC orders from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.fencing.delivery import Present, delivered, has_fenced, installed
from reconciler.controller.fencing.executor import FenceCall, FenceExecutor
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
)
from reconciler.controller.fencing.ordering import Circumstances, decide, overdue_ms
from reconciler.controller.fencing.record import MOST_HISTORY, Down, FenceCause, FenceOrder, Fencing, Ordered, Wanted
from reconciler.controller.fencing.topology import Device, FenceStep, Levels, steps
from reconciler.frozen import replace

MEMBERS = {"n1": Present("n1-1", "b1"), "n2": Present("n2-1", "b2")}
IPMI, PDU1, PDU2 = Device("ipmi"), Device("pdu1"), Device("pdu2")


def lost(target: str = "n3", boot: str = "b3") -> Fencing:
    """The target left otherwise than cleanly."""
    return installed(Fencing(), MEMBERS, {target: boot}, "reboot", 0)


def only(now: Fencing, levels: Levels = ((IPMI,),), at_ms: int = 0, members=MEMBERS, **more) -> FenceOrder:
    """The one order that the DC gives."""
    (order,) = decide(now, lambda target: levels, Circumstances(7, members, True, **more), at_ms).orders
    return order


def give(now: Fencing, levels: Levels = ((IPMI,),), at_ms: int = 0) -> tuple[Fencing, FenceOrder]:
    order = only(now, levels, at_ms)
    return delivered(now, FenceOrdered(order, at_ms), MEMBERS), order


def end(now: Fencing, order: FenceOrder, succeeded: bool, at_ms: int = 0, members=MEMBERS) -> Fencing:
    told = FenceEnded(order.executor, *order.id, succeeded, "" if succeeded else "no power", at_ms)
    return delivered(now, told, members)


def test_who_was_lost_is_wanted_ordered_and_down() -> None:
    now = lost()
    assert now.is_open("n3")
    now, order = give(now)
    assert (order.executor, order.step, order.boot) == ("n1", FenceStep("ipmi", "reboot", True), "b3")
    assert isinstance(now.records["n3"], Ordered)
    now = end(now, order, True, 50)
    assert now.records["n3"] == Down("n3", "b3", "n1", 50)
    assert now.fenced == {"n3": "b3"}
    assert [(line.what, line.succeeded) for line in now.history] == [("reboot", True)]


def test_with_fencing_off_nobody_is_wanted() -> None:
    assert installed(Fencing(), MEMBERS, {}, "reboot", 0) == Fencing()


def test_only_the_dc_of_a_view_that_may_fence_orders() -> None:
    decision = decide(lost(), lambda target: ((IPMI,),), Circumstances(7, MEMBERS, False), 0)
    assert decision.orders == ()


def test_a_failure_goes_to_the_next_executor_then_to_the_next_level_then_all_again_after_a_pause() -> None:
    levels = ((IPMI,), (PDU1,))
    now, told = lost(), []
    for _ in range(4):
        now, order = give(now, levels)
        told.append((order.step.device, order.executor))
        now = end(now, order, False, 1_000)
    assert told == [("ipmi", "n1"), ("ipmi", "n2"), ("pdu1", "n1"), ("pdu1", "n2")]
    decision = decide(now, lambda target: levels, Circumstances(7, MEMBERS, True), 1_999)
    assert (decision.orders, decision.again_at_ms) == ((), 2_000)
    assert only(now, levels, 2_000).step.device == "ipmi"
    assert len(now.history) == 4


def test_pauses_grow_up_to_five_minutes() -> None:
    once = Device("ipmi", retries={"reboot": 1})
    now, pauses, at_ms = lost(), [], 0
    for _ in range(12):
        now, order = give(now, ((once,),), at_ms)
        now = end(now, order, False, at_ms)
        wait = decide(now, lambda target: ((once,),), Circumstances(7, MEMBERS, True), at_ms).again_at_ms
        pauses.append((wait - at_ms) // 1000)
        at_ms = wait
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_a_level_of_two_devices_switches_both_off_before_any_on() -> None:
    level = (PDU1, PDU2)
    assert [(step.device, step.action, step.decides) for step in steps(level, "reboot")] == [
        ("pdu1", "off", False),
        ("pdu2", "off", True),
        ("pdu1", "on", False),
        ("pdu2", "on", False),
    ]
    now, done = lost(), []
    while now.is_open("n3"):
        now, order = give(now, (level,))
        done.append(f"{order.step.device} {order.step.action}")
        now = end(now, order, True)
    assert done == ["pdu1 off", "pdu2 off", "pdu1 on", "pdu2 on"]


def test_once_all_is_off_a_failing_on_is_told_and_no_failure() -> None:
    now, level = lost(), (PDU1, PDU2)
    for succeeded in (True, True, False, False):
        now, order = give(now, (level,))
        now = end(now, order, succeeded)
    assert now.is_down("n3")
    assert [line.succeeded for line in now.history] == [True, True, False, False]


def test_one_device_of_a_level_is_not_enough() -> None:
    now, order = give(lost(), ((PDU1, PDU2),))
    assert not end(now, order, True).is_down("n3")


def test_the_target_fences_itself_only_when_nobody_else_can() -> None:
    wanted = FenceWanted("n1", "b1", FenceCause.FAILED, "reboot", "stop of db failed", 0)
    now = delivered(Fencing(), wanted, MEMBERS)
    assert only(now).executor == "n2"
    assert only(now, members={"n1": MEMBERS["n1"]}).executor == "n1"


def test_a_device_is_used_by_those_that_may() -> None:
    assert only(lost(), ((Device("ipmi", kept_from=frozenset({"n1"})),),)).executor == "n2"
    decision = decide(
        lost(), lambda target: ((Device("i", kept_from=frozenset(MEMBERS)),),), Circumstances(7, MEMBERS, True), 0
    )
    assert decision.unreachable == ("n3",)


def test_a_target_without_a_device_is_told() -> None:
    assert decide(lost(), lambda target: (), Circumstances(7, MEMBERS, True), 0).unreachable == ("n3",)


def test_delays_are_for_the_first_try_alone() -> None:
    slow = Device("ipmi", delay_ms=2_000, delay_most_ms=9_000, timeouts_ms={"reboot": 30_000})
    now, order = give(lost(), ((slow,),))
    assert (order.delay_ms, order.delay_most_ms, overdue_ms(order)) == (2_000, 9_000, 99_000)
    now = end(now, order, False)
    assert only(now, ((slow,),)).delay_most_ms == 0


def test_one_at_a_time_where_that_is_wanted() -> None:
    now = installed(Fencing(), MEMBERS, {"n3": "b3", "n4": "b4"}, "reboot", 0)
    both = decide(now, lambda target: ((IPMI,),), Circumstances(7, MEMBERS, True), 0)
    assert [order.target for order in both.orders] == ["n3", "n4"]
    one = decide(now, lambda target: ((IPMI,),), Circumstances(7, MEMBERS, True, one_at_a_time=True), 0)
    assert [order.target for order in one.orders] == ["n3"]
    begun = delivered(now, FenceOrdered(one.orders[0], 0), MEMBERS)
    assert decide(begun, lambda target: ((IPMI,),), Circumstances(7, MEMBERS, True, one_at_a_time=True), 0).orders == ()


def test_a_result_counts_only_for_its_own_order() -> None:
    now, order = give(lost())
    for wrong in (replace(order, number=2), replace(order, term=6), replace(order, target="n4")):
        assert end(now, wrong, True) == now
    assert delivered(now, FenceEnded("n2", *order.id, True, "", 0), MEMBERS) == now, "another member tells"


def test_a_late_success_does_not_erase_who_came_back() -> None:
    now, order = give(lost())
    back = MEMBERS | {"n3": Present("n3-2", "b3'")}
    now = installed(now, back, {}, "reboot", 5)
    assert now.records == {}
    assert end(now, order, True, 9, back).records == {}


def test_who_was_only_lost_and_is_back_in_the_same_life_is_clean() -> None:
    back = MEMBERS | {"n3": Present("n3-2", "b3")}
    assert installed(lost(), back, {}, "reboot", 5).records == {}


def test_who_is_back_amid_its_fencing_stays_unclean_until_that_has_failed() -> None:
    back = MEMBERS | {"n3": Present("n3-2", "b3")}
    now, order = give(lost())
    now = installed(now, back, {}, "reboot", 5)
    assert now.is_open("n3")
    assert not end(now, order, False, 9, back).is_open("n3")


def test_who_failed_is_not_cured_by_being_there() -> None:
    now = delivered(Fencing(), FenceWanted("n2", "b2", FenceCause.FAILED, "reboot", "stop of db failed", 0), MEMBERS)
    assert installed(now, MEMBERS, {}, "reboot", 5).is_open("n2")
    anew = MEMBERS | {"n2": Present("n2-2", "b2'")}
    assert not installed(now, anew, {}, "reboot", 5).is_open("n2")


def test_a_failure_outweighs_a_loss() -> None:
    now = delivered(lost(), FenceWanted("n3", "b3", FenceCause.FAILED, "off", "stop of db failed", 0), MEMBERS)
    back = MEMBERS | {"n3": Present("n3-2", "b3")}
    assert installed(now, back, {}, "reboot", 5).is_open("n3")
    assert only(now).step.action == "off"


def test_an_order_whose_executor_was_lost_or_is_another_process_is_given_again() -> None:
    now, order = give(lost())
    for members in ({"n2": MEMBERS["n2"]}, MEMBERS | {"n1": Present("n1-2", "b1")}):
        again = installed(now, members, {}, "reboot", 5)
        assert isinstance(again.records["n3"], Wanted)
        assert only(again, members=members).number == 2
        assert end(again, order, True, 9, members) == again, "what the lost one tells later counts for nothing"


def test_what_nobody_answers_is_given_up() -> None:
    now, order = give(lost())
    now = delivered(now, FenceGivenUp(*order.id, 5), MEMBERS)
    assert only(now).executor == "n2"


def test_an_operator_confirms_who_is_no_member_and_wanted() -> None:
    confirmed = delivered(lost(), FenceConfirmed("n3", "ann", 5), MEMBERS)
    assert confirmed.records["n3"] == Down("n3", "b3", "ann", 5)
    ordered, _ = give(lost())
    assert delivered(ordered, FenceConfirmed("n3", "ann", 5), MEMBERS).is_down("n3")
    member = delivered(Fencing(), FenceWanted("n2", "b2", FenceCause.FAILED, "reboot", "", 0), MEMBERS)
    assert delivered(member, FenceConfirmed("n2", "ann", 5), MEMBERS) == member
    assert delivered(Fencing(), FenceConfirmed("n9", "ann", 5), MEMBERS) == Fencing()


def test_who_learns_that_it_was_fenced_knows_it_by_its_boot() -> None:
    before, order = give(lost())
    after = end(before, order, True)
    assert has_fenced(before, after, "n3", "b3")
    assert not has_fenced(before, after, "n3", "another")
    assert not has_fenced(after, after, "n3", "b3")
    assert not has_fenced(before, after, "n1", "b1")


def test_unfencing_gives_a_member_its_way_and_ends_with_it() -> None:
    wanted = FenceWanted("n2", "b2", FenceCause.UNFENCE, "on", "it joined", 0)
    now = delivered(Fencing(), wanted, MEMBERS)
    now, order = give(now, ((IPMI,),))
    assert (order.step.action, order.executor) == ("on", "n1")
    assert end(now, order, True).records == {}
    assert installed(now, {"n1": MEMBERS["n1"]}, {}, "reboot", 0).records == {}, "who is gone needs no way"


def test_an_executor_calls_once_and_tells_until_it_is_delivered() -> None:
    _, order = give(lost())
    executor = FenceExecutor("n1", "n1-1")
    executor, wish = executor.ordered(order)
    assert wish == FenceCall(order)
    executor, wish = executor.ordered(order)
    assert wish is None, "it runs already"
    executor, told = executor.ended(order, True, "", 5)
    assert executor.ordered(order)[1] == told, "a second delivery is answered with the first result"
    assert executor.again() == (told,)
    assert executor.told(told).again() == ()


def test_an_order_for_another_process_is_none_of_ours() -> None:
    _, order = give(lost())
    for other in (FenceExecutor("n2", "n2-1"), FenceExecutor("n1", "n1-2")):
        assert other.ordered(order) == (other, None)


def test_history_stays_bounded() -> None:
    now = lost()
    for number in range(2 * MOST_HISTORY):
        now, order = give(now, at_ms=number * 400_000)
        now = end(now, order, False, number * 400_000)
    assert len(now.history) == MOST_HISTORY


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.none()),
        st.tuples(st.just("end"), st.booleans()),
        st.tuples(st.just("view"), st.sets(st.sampled_from(["n1", "n2", "n3"]))),
        st.tuples(st.just("boot"), st.sampled_from(["n1", "n2", "n3"])),
        st.tuples(st.just("confirm"), st.none()),
        st.tuples(st.just("want"), st.sampled_from(list(FenceCause))),
    ),
    max_size=30,
)


@given(happenings)
def test_no_two_orders_have_one_id_and_nobody_present_in_a_new_life_is_down(story) -> None:
    boots = dict.fromkeys(("n1", "n2", "n3"), 1)
    members = {name: Present(f"{name}-1", f"{name}.1") for name in boots}
    now, given_orders = Fencing(), []
    for at_ms, (what, detail) in enumerate(story):
        match what:
            case "order":
                for order in decide(
                    now, lambda target: ((PDU1, PDU2), (IPMI,)), Circumstances(1, members, True), at_ms
                ).orders:
                    assert order.id not in {known.id for known in given_orders}
                    now = delivered(now, FenceOrdered(order, at_ms), members)
                    given_orders.append(order)
            case "end" if given_orders:
                now = end(now, given_orders[at_ms % len(given_orders)], detail, at_ms, members)
            case "view":
                gone = members.keys() - detail
                members = {name: Present(f"{name}-{at_ms}", f"{name}.{boots[name]}") for name in sorted(detail)}
                now = installed(now, members, {name: f"{name}.{boots[name]}" for name in gone}, "reboot", at_ms)
                for name, present in members.items():
                    assert now.fenced.get(name) in (None, present.boot)
            case "boot" if detail not in members:
                boots[detail] += 1
            case "confirm":
                before = now
                now = delivered(now, FenceConfirmed("n3", "ann", at_ms), members)
                assert now == before or "n3" not in members
            case "want":
                now = delivered(now, FenceWanted("n2", f"n2.{boots['n2']}", detail, "off", "", at_ms), members)
        for target, record in now.records.items():
            if isinstance(record, Ordered):
                assert record.order.executor in members
            assert target in ("n1", "n2", "n3")
