"""A node's part in fencing, between the shared record and the agents."""

from __future__ import annotations

import pytest

from reconciler.controller.events import Broadcast, CallFenceAgent, Emit, FenceAgentEnded, SetTimer, Wish
from reconciler.controller.fencer import LATE_TIMER, Fencer
from reconciler.controller.fencing.delivery import Present, delivered, installed
from reconciler.controller.fencing.messages import FenceEnded, FenceGivenUp, FenceOrdered
from reconciler.controller.fencing.ordering import Circumstances, decide
from reconciler.controller.fencing.record import FenceOrder, Fencing, HistoryLine
from reconciler.controller.fencing.topology import Device
from reconciler.controller.membership.presence import Presence
from reconciler.controller.moment import Moment
from reconciler.controller.shared import Shared, deliver, want_lost
from reconciler.controller.standing import Member
from reconciler.frozen import replace

NOW = Moment(1_800_000_000_000, 1_000)
MEMBERS = {"n1": Present("n1-1", "b1"), "n2": Present("n2-1", "b2")}


def lost() -> Fencing:
    """n3 left otherwise than cleanly."""
    return installed(Fencing(), MEMBERS, {"n3": "b3"}, "reboot", 0)


def ordered() -> Shared:
    """The DC has ordered how n3 is fenced, and that was delivered."""
    (order,) = decide(lost(), lambda target: ((Device("ipmi"),),), Circumstances(7, MEMBERS, True), 0).orders
    return Shared(fencing=delivered(lost(), FenceOrdered(order, 0), MEMBERS))


def test_an_order_that_has_taken_longer_than_it_can_is_given_up() -> None:
    shared = ordered()
    order = shared.fencing.records["n3"].order
    (timer,) = [wish for wish in Fencer("n2", "n2-1").installed(shared, NOW, dc=False) if isinstance(wish, SetTimer)]
    assert timer.at_ms > NOW.mono_ms
    (told,) = Fencer("n2", "n2-1").late(timer.name, shared, NOW)
    assert told == Broadcast(FenceGivenUp(order.term, "n3", order.number, NOW.wall_ms))


@pytest.mark.parametrize("timer", [f"{LATE_TIMER}n3 99", f"{LATE_TIMER}n4 1"], ids=["another order", "another target"])
def test_what_is_no_longer_ordered_is_not_given_up(timer: str) -> None:
    assert Fencer("n2", "n2-1").late(timer, ordered(), NOW) == []
    assert Fencer("n2", "n2-1").late(f"{LATE_TIMER}n3 1", Shared(fencing=lost()), NOW) == []


MEMBER = Member(Presence.ONLINE, 1, "b1", "n1-1")
LOST = Member(Presence.UNCLEAN, 3, "b3", "n3-1")


def test_who_was_lost_is_wanted_by_a_view_that_may_fence() -> None:
    nodes = {"n1": MEMBER, "n2": MEMBER, "n3": LOST}
    assert want_lost(Shared(nodes=nodes, votes=dict.fromkeys(nodes, 1), quorate=True)).fencing.is_open("n3")
    assert not want_lost(Shared(nodes=nodes, votes=dict.fromkeys(nodes, 1), quorate=False)).fencing.is_open("n3")


def test_who_is_down_by_a_fencing_is_down_for_all_and_nothing_of_it_is_under_way() -> None:
    shared = replace(ordered(), nodes={"n1": MEMBER, "n2": replace(MEMBER, boot="b2", incarnation="n2-1"), "n3": LOST})
    order = shared.fencing.records["n3"].order
    failed = deliver(shared, "n1", FenceEnded(order.executor, *order.id, False, "no power", 5))
    assert failed.nodes["n3"].presence is Presence.UNCLEAN
    done = deliver(shared, "n1", FenceEnded(order.executor, *order.id, True, "", 5))
    assert done.nodes["n3"].presence is Presence.DOWN
    assert done.fencing.is_down("n3")
    assert set(MEMBERS) <= set(done.nodes)


def test_a_record_of_nothing_has_nothing_open() -> None:
    assert not Fencing().is_open("n3")


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_that_a_try_has_failed_is_told_once(earlier: int) -> None:
    """However many came before; what is told of fencing later says nothing of it again."""
    line = HistoryLine("n3", "off", "ipmi", "n1", 0, True)
    before = replace(ordered(), fencing=replace(ordered().fencing, history=(line,) * earlier))
    order = before.fencing.records["n3"].order
    ended = FenceEnded(order.executor, *order.id, False, "no power", 5)
    after = deliver(before, "n1", ended)
    fencer = Fencer("n2", "n2-1")
    assert failures(fencer.delivered(ended, before.fencing, after, NOW, dc=False)) == ["n3"]
    late = FenceEnded("n1", 99, "n3", 1, False, "of another order", 6)
    assert failures(fencer.delivered(late, after.fencing, deliver(after, "n1", late), NOW, dc=False)) == []


def failures(wishes: list[Wish]) -> list[str]:
    told = [wish.fields for wish in wishes if isinstance(wish, Emit) and wish.fields["what"] == "failed"]
    return [fields["target"] for fields in told]


def test_an_order_that_is_delivered_again_is_answered_and_not_carried_out_again() -> None:
    """A fence agent that was called twice would switch off who is just back."""
    shared = ordered()
    order = shared.fencing.records["n3"].order
    fencer = Fencer(order.executor, order.incarnation)
    again = FenceOrdered(order, 0)
    assert calls(fencer.delivered(again, lost(), shared, NOW, dc=False)) == [order]
    assert calls(fencer.delivered(again, lost(), shared, NOW, dc=False)) == [], "the agent still runs"
    (told,) = fencer.ended(FenceAgentEnded(NOW, order, True, ""))
    wishes = fencer.delivered(again, lost(), shared, NOW, dc=False)
    assert told in wishes
    assert calls(wishes) == []


def calls(wishes: list[Wish]) -> list[FenceOrder]:
    return [wish.order for wish in wishes if isinstance(wish, CallFenceAgent)]
