"""What an operator demands, script by script: it is tried once, it ends, and the history says how and for whom."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller.demanding import Undemandable
from reconciler.controller.events import Broadcast, Emit
from reconciler.controller.fencer import Fencer
from reconciler.controller.fencing.delivery import Present, delivered, installed
from reconciler.controller.fencing.demand import undemanded
from reconciler.controller.fencing.messages import FenceConfirmed, FenceEnded, FenceGivenUp, FenceOrdered, FenceWanted
from reconciler.controller.fencing.ordering import Circumstances, decide
from reconciler.controller.fencing.record import Down, FenceCause, FenceOrder, FenceProgress, Fencing, Ordered, Wanted
from reconciler.controller.fencing.topology import Device, Levels
from reconciler.controller.membership.presence import Presence
from reconciler.controller.moment import Moment
from reconciler.controller.shared import Shared, deliver, undemandable, want_lost
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.resource import Agent, Primitive

MEMBERS = {"n1": Present("n1-1", "b1"), "n2": Present("n2-1", "b2")}
IPMI, PDU = Device("ipmi"), Device("pdu")
ASKED = FenceWanted("n2", "b2", FenceCause.ASKED, "reboot", "ann", 10)
NOW = Moment(1_800_000_000_000, 1_000)


def told(now: Fencing) -> list[tuple[str, str, bool, str]]:
    return [(line.what, line.by, line.succeeded, line.why) for line in now.history]


def give(now: Fencing, levels: Levels = ((IPMI,),), at_ms: int = 20) -> tuple[Fencing, FenceOrder]:
    (order,) = decide(now, lambda target: levels, Circumstances(7, MEMBERS, True), at_ms).orders
    return delivered(now, FenceOrdered(order, at_ms), MEMBERS), order


def end(now: Fencing, order: FenceOrder, succeeded: bool) -> Fencing:
    ended = FenceEnded(order.executor, *order.id, succeeded, "" if succeeded else "no power", 30)
    return delivered(now, ended, MEMBERS)


def test_a_member_is_fenced_by_another_and_down_and_who_asked_is_remembered() -> None:
    now, order = give(delivered(Fencing(), ASKED, MEMBERS))
    assert (order.executor, order.step.action, order.boot) == ("n1", "reboot", "b2")
    now = end(now, order, True)
    assert now.records == {"n2": Down("n2", "b2", "n1", 30)}
    assert told(now) == [("reboot", "n1", True, ""), ("ask", "ann", True, "")]


def test_what_is_being_rebooted_is_not_switched_off_by_a_demand_for_that_and_who_asked_is_told() -> None:
    """It would be said to stay off, and boots."""
    others = {"n1": MEMBERS["n1"]}
    lost = delivered(Fencing(), replace(ASKED, cause=FenceCause.LOST, why="it was lost"), others)
    (order,) = decide(lost, lambda target: ((IPMI,),), Circumstances(7, others, True), 20).orders
    now = delivered(lost, FenceOrdered(order, 20), others)
    ended = FenceEnded("n1", *order.id, True, "", 30)
    asked = delivered(now, replace(ASKED, action="off"), others)
    assert told(asked) == [("ask", "ann", False, "its reboot was under way already")]
    assert asked.records == now.records
    assert told(delivered(asked, ended, others))[1:] == [("reboot", "n1", True, "")], "and not that a demand was met"
    same = delivered(delivered(now, ASKED, others), ended, others)
    assert told(same) == [("reboot", "n1", True, ""), ("ask", "ann", True, "")]


def test_it_comes_back_as_any_other() -> None:
    now, order = give(delivered(Fencing(), ASKED, MEMBERS))
    back = installed(end(now, order, True), MEMBERS | {"n2": Present("n2-2", "b3")}, {}, "reboot", 40)
    assert back.records == {}
    assert [line.what for line in back.history] == ["reboot", "ask", "return"]


def test_what_no_device_can_do_is_tried_once_at_all_levels_and_given_up() -> None:
    now, levels = delivered(Fencing(), ASKED, MEMBERS), ((IPMI,), (PDU,))
    for _ in range(4):
        now, order = give(now, levels)
        now = end(now, order, False)
    assert now.records == {}
    assert [line.device for line in now.history] == ["ipmi", "ipmi", "pdu", "pdu", ""]
    assert told(now)[-1] == ("ask", "ann", False, "no device could do it")


def test_a_demand_that_nobody_can_meet_is_given_up_and_an_order_under_way_is_not() -> None:
    now = delivered(Fencing(), ASKED, MEMBERS)
    ordered, _ = give(now)
    assert delivered(ordered, FenceGivenUp(7, "n2", 0, 30), MEMBERS) == ordered
    given_up = delivered(now, FenceGivenUp(7, "n2", 0, 30), MEMBERS)
    assert given_up.records == {}
    assert told(given_up) == [("ask", "ann", False, "no device can do that from here")]
    lost = installed(Fencing(), MEMBERS, {"n3": "b3"}, "reboot", 0)
    assert delivered(lost, FenceGivenUp(7, "n3", 0, 30), MEMBERS) == lost, "who was lost stays wanted"


def test_what_waits_for_its_next_try_is_tried_at_once() -> None:
    waits = Wanted("n3", "b3", FenceCause.LOST, "reboot", "it was lost", 1, FenceProgress(rounds=5), 90_000)
    asked = delivered(Fencing(records={"n3": waits}), replace(ASKED, target="n3", boot="b3", action="off"), MEMBERS)
    _, order = give(asked)
    assert (order.step.action, order.place) == ("off", FenceProgress(rounds=5))


@pytest.mark.parametrize("action", ["on", "", "reboot "])
def test_nothing_else_is_demanded(action: str) -> None:
    assert delivered(Fencing(), replace(ASKED, action=action), MEMBERS) == Fencing()


@pytest.mark.parametrize("under_way", [False, True])
def test_who_has_booted_meanwhile_needs_it_no_more(under_way: bool) -> None:
    now = delivered(Fencing(), ASKED, MEMBERS)
    now = give(now)[0] if under_way else now
    back = installed(now, MEMBERS | {"n2": Present("n2-2", "b3")}, {}, "reboot", 40)
    assert back.records == {}
    assert told(back) == [("return", "", True, ""), ("ask", "ann", True, "it has booted anew")]


def test_who_only_left_and_is_back_is_fenced_all_the_same() -> None:
    now = delivered(Fencing(), ASKED, MEMBERS)
    gone = installed(now, {"n1": MEMBERS["n1"]}, {"n2": "b2"}, "off", 40)
    assert installed(gone, MEMBERS, {}, "off", 50).records == now.records


def test_an_operator_who_confirms_ends_it() -> None:
    now = delivered(Fencing(), ASKED, MEMBERS)
    now = delivered(now, FenceConfirmed("n2", "bob", 30, "b2"), {"n1": MEMBERS["n1"]})
    assert now.is_down("n2")
    assert told(now) == [("confirm", "bob", True, ""), ("ask", "ann", True, "it was confirmed to be off")]


def test_where_nothing_may_be_fenced_no_demand_waits() -> None:
    now = delivered(Fencing(), ASKED, MEMBERS)
    assert undemanded(now, 40).records == {}
    assert [line.succeeded for line in undemanded(now, 40).history] == [False]
    ordered, _ = give(now)
    assert undemanded(ordered, 40) == ordered


# In the state that members share.


def state(options: dict[str, str] | None = None, *, quorate: bool = True, listed: str = "n1 n2 n3", **nodes) -> Shared:
    """n1 and n2 are there, n3 was lost; n4 is configured and was never seen, r1 is a remote node."""
    device = Primitive("power", Agent("stonith", "fence_lab"), params=plain({"pcmk_host_list": listed}))
    configured = (NodeDefinition("n4", "n4"), NodeDefinition("r1", "r1", type="remote"))
    members = {
        "n1": Member(Presence.ONLINE, 1, "b1", "n1-1"),
        "n2": Member(Presence.ONLINE, 2, "b2", "n2-1"),
        "n3": Member(Presence.UNCLEAN, 3, "b3", "n3-1"),
    }
    told = {"stonith-enabled": "true"} | (options or {})
    written = Configuration(options=plain(told), resources=(device,), nodes=configured)
    return Shared(
        cib=Cib(configuration=written),
        nodes=members,
        votes=dict.fromkeys(members, 1),
        quorate=quorate,
        term=7,
        dc="n1",
        **nodes,
    )


def with_record(record: Wanted | Down) -> Fencing:
    return Fencing(records={record.target: record})


UNFENCED = Wanted("n2", "b2", FenceCause.UNFENCE, "on", "", 0)
REFUSED = [
    (state(), "n9", "", Undemandable.UNKNOWN),
    (state(), "r1", "", Undemandable.UNKNOWN),
    (state({"stonith-enabled": "false"}), "n2", "b2", Undemandable.FENCING_OFF),
    (state(quorate=False), "n2", "b2", Undemandable.NO_QUORUM),
    (state(listed="n1 n3"), "n2", "b2", Undemandable.NO_DEVICE),
    (state(fencing=with_record(Down("n2", "b2", "n1", 0))), "n2", "b2", Undemandable.DOWN),
    (state(fencing=with_record(replace(UNFENCED, cause=FenceCause.FAILED))), "n2", "b2", Undemandable.UNDER_WAY),
    (state(fencing=with_record(UNFENCED)), "n2", "b2", Undemandable.UNDER_WAY),
    (state(), "n2", "b1", Undemandable.BOOTED),
]


@pytest.mark.parametrize(("shared", "target", "boot", "why"), REFUSED, ids=[str(case[3].value) for case in REFUSED])
def test_what_is_refused_is_refused_where_it_is_delivered(
    shared: Shared, target: str, boot: str, why: Undemandable
) -> None:
    assert undemandable(shared, target, boot) is why
    asked = replace(ASKED, target=target, boot=boot)
    assert deliver(shared, "n2", asked).fencing == shared.fencing


@pytest.mark.parametrize(("target", "boot"), [("n2", "b2"), ("n3", "b3"), ("n4", "")])
def test_members_and_who_is_lost_or_only_configured_may_be_fenced(target: str, boot: str) -> None:
    shared = state(listed="n1 n2 n3 n4")
    assert undemandable(shared, target, boot) is None
    assert deliver(shared, "n1", replace(ASKED, target=target, boot=boot)).fencing.is_open(target)


def test_who_has_a_vote_is_known_though_nothing_else_is_known_of_it() -> None:
    """It was a member before what is known of the members was begun anew, and may run something."""
    shared = state(listed="n5")
    assert undemandable(shared, "n5", "") is Undemandable.UNKNOWN
    assert undemandable(replace(shared, votes={**shared.votes, "n5": 1}), "n5", "") is None


def test_who_is_lost_is_fenced_on_when_a_demand_was_given_up() -> None:
    shared = deliver(want_lost(state()), "n1", replace(ASKED, target="n3", boot="b3"))
    assert shared.fencing.records["n3"].cause is FenceCause.ASKED
    shared = deliver(shared, "n1", FenceGivenUp(7, "n3", 0, 30))
    assert shared.fencing.records["n3"].cause is FenceCause.LOST
    assert told(shared.fencing)[-1][:3] == ("ask", "ann", False)


def test_without_quorum_a_demand_ends_though_a_device_was_being_asked() -> None:
    shared = deliver(state(), "n1", ASKED)
    (given,) = [w.message for w in Fencer("n1", "n1-1").decide(shared, NOW) if isinstance(w, Broadcast)]
    assert isinstance(given, FenceOrdered)
    shared = deliver(shared, "n1", given)
    assert isinstance(shared.fencing.records["n2"], Ordered)
    shared = want_lost(replace(shared, quorate=False))
    assert isinstance(shared.fencing.records["n2"], Ordered), "it is known when that has ended"
    shared = deliver(shared, "n1", FenceEnded("n1", *given.order.id, False, "no power", 40))
    assert shared.fencing.records == {}
    assert told(shared.fencing)[-1][:3] == ("ask", "ann", False)


def test_as_the_dc_a_demand_that_no_device_can_meet_is_given_up() -> None:
    shared = deliver(state(), "n1", ASKED)
    device = Primitive("power", Agent("stonith", "fence_lab"), params=plain({"pcmk_host_list": "n1"}))
    resources = replace(shared.cib.configuration, resources=(device,))
    changed = replace(shared, cib=replace(shared.cib, configuration=resources))
    sent = [wish.message for wish in Fencer("n1", "n1-1").decide(changed, NOW) if isinstance(wish, Broadcast)]
    assert sent == [FenceGivenUp(7, "n2", 0, NOW.wall_ms)]


def test_the_last_failure_and_the_end_of_the_demand_are_both_told() -> None:
    shared = state()
    there = {name: replace(one, presence=Presence.ONLINE) for name, one in shared.nodes.items()}
    shared = deliver(replace(shared, nodes=there), "n1", ASKED)
    fencer, texts = Fencer("n1", "n1-1"), list[str]()
    for _ in range(2):
        (given,) = [w.message for w in fencer.decide(shared, NOW) if isinstance(w, Broadcast)]
        shared = deliver(shared, "n1", given)
        assert isinstance(given, FenceOrdered)
        fencer.delivered(given, shared.fencing, shared, NOW, dc=False)
        ended = FenceEnded(given.order.executor, *given.order.id, False, "no power", 40)
        before, shared = shared, deliver(shared, "n1", ended)
        wishes = fencer.delivered(ended, before.fencing, shared, NOW, dc=False)
        texts += [w.fields["text"] for w in wishes if isinstance(w, Emit) and w.fields["what"] in ("failed", "asked")]
    assert texts == [
        "n1 could not fence n2 (reboot) with power: no power",
        "n3 could not fence n2 (reboot) with power: no power",
        "ann asked for n2 to be fenced: it was not (no device could do it)",
    ]
