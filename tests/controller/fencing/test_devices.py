"""What the fencer of a node makes of the configuration and of what was delivered: devices, orders given once, calls held back."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cib import Cib
from reconciler.controller.events import Broadcast, CallFenceAgent, Emit, FenceAgentEnded, SetTimer, Wish
from reconciler.controller.fencer import FENCE_TIMER, LATE_TIMER, Fencer, levels_of
from reconciler.controller.fencing.messages import FenceEnded, FenceOrdered, FenceWanted
from reconciler.controller.fencing.record import (
    Down,
    FenceCause,
    FenceOrder,
    FenceProgress,
    Fencing,
    HistoryLine,
    Ordered,
    Wanted,
)
from reconciler.controller.membership.presence import Presence
from reconciler.controller.moment import Moment
from reconciler.controller.shared import Shared, deliver
from reconciler.controller.standing import Member
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Primitive

NOW = Moment(1_800_000_000_000, 1_000)


def state(
    record: Wanted | Ordered | Down | None = None, *, options: dict[str, str] | None = None, **params: str
) -> Shared:
    """n1 and n2 are there, n3 was lost."""
    device = Primitive("power", Agent("stonith", "fence_lab"), params=plain(params))
    told = {"stonith-enabled": "true"} | (options or {})
    nodes = {
        "n1": Member(Presence.ONLINE, 1, "b1", "n1-1"),
        "n2": Member(Presence.ONLINE, 2, "b2", "n2-1"),
        "n3": Member(Presence.UNCLEAN, 3, "b3", "n3-1"),
    }
    return Shared(
        cib=Cib(configuration=Configuration(options=plain(told), resources=(device,))), nodes=nodes,
        votes=dict.fromkeys(nodes, 1), quorate=True, term=7, dc="n1",
        fencing=Fencing(records={} if record is None else {"n3": record}),
    )  # fmt: skip


WANTED = Wanted("n3", "b3", FenceCause.LOST, "reboot", "it was lost", 4)


def given(wishes: list[Wish]) -> list[FenceOrder]:
    sent = [wish.message for wish in wishes if isinstance(wish, Broadcast)]
    return [message.order for message in sent if isinstance(message, FenceOrdered)]


def calls(wishes: list[Wish]) -> list[CallFenceAgent]:
    return [wish for wish in wishes if isinstance(wish, CallFenceAgent)]


def order(shared: Shared) -> FenceOrder:
    (one,) = given(Fencer("n1", "n1-1").decide(shared, NOW))
    return one


@pytest.mark.parametrize(
    ("params", "timeout_ms", "tries", "delay"),
    [
        ({}, 60_000, 2, (0, 0)),
        ({"pcmk_reboot_timeout": "90s", "pcmk_reboot_retries": "5"}, 90_000, 5, (0, 0)),
        ({"pcmk_off_timeout": "90s", "pcmk_off_retries": "5"}, 60_000, 2, (0, 0)),
        ({"pcmk_delay_base": "3s"}, 60_000, 2, (3_000, 3_000)),
        ({"pcmk_delay_base": "3s", "pcmk_delay_max": "8s"}, 60_000, 2, (3_000, 8_000)),
        ({"pcmk_delay_max": "8s"}, 60_000, 2, (0, 8_000)),
    ],
)
def test_what_a_device_says_of_itself(
    params: dict[str, str], timeout_ms: int, tries: int, delay: tuple[int, int]
) -> None:
    one = order(state(WANTED, **params))
    assert (one.timeout_ms, one.tries, (one.delay_ms, one.delay_most_ms)) == (timeout_ms, tries, delay)


def test_a_device_that_says_no_timeout_has_that_of_the_cluster() -> None:
    assert order(state(WANTED, options={"stonith-timeout": "5min"})).timeout_ms == 300_000


def test_giving_a_node_its_way_back_is_for_devices_that_do_that_and_has_no_delay() -> None:
    cib = state(pcmk_delay_base="3s", pcmk_delay_max="8s").cib
    assert levels_of(cib, "n3", unfencing=True) == ()
    device = Primitive(
        "power",
        Agent("stonith", "fence_lab"),
        params=plain({"pcmk_delay_base": "3s"}),
        meta=plain({"provides": "unfencing"}),
    )
    able = replace(cib, configuration=replace(cib.configuration, resources=(device,)))
    ((one,),) = levels_of(able, "n3", unfencing=True)
    assert (one.name, one.delay_ms, one.delay_most_ms) == ("power", 0, 0)


def test_an_order_is_given_once_until_it_was_delivered() -> None:
    fencer, shared = Fencer("n1", "n1-1"), state(WANTED)
    (one,) = given(fencer.decide(shared, NOW))
    assert given(fencer.decide(shared, NOW)) == []
    fencer.delivered(FenceOrdered(one, 5), shared.fencing, shared, NOW, dc=False)
    assert given(fencer.decide(shared, NOW)) == [one], "it was delivered, and did not take effect"
    assert given(fencer.installed(shared, NOW, dc=True)) == [], "n3 was never seen by this process: it may be booting"
    later = replace(NOW, mono_ms=NOW.mono_ms + 20_000)
    assert given(fencer.installed(shared, later, dc=True)) == [one], "in another view it is given anew"
    assert given(fencer.installed(shared, NOW, dc=False)) == [], "by the DC"


def test_who_stood_still_orders_nothing_and_calls_nothing_until_it_is_abreast() -> None:
    fencer, shared = Fencer("n1", "n1-1"), state(WANTED)
    one = order(shared)
    fencer.halted = True
    assert fencer.decide(shared, NOW) == []
    done = deliver(shared, "n1", FenceOrdered(one, 5))
    assert calls(fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=True)) == []
    fencer.halted = False
    assert calls(fencer.resume(shared, NOW, dc=False)) == [], "it is not in force any more"
    fencer.halted = True
    fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=True)
    fencer.halted = False
    (call,) = calls(fencer.resume(done, NOW, dc=False))
    assert call.order == one
    assert calls(fencer.resume(done, NOW, dc=False)) == [], "once"


def test_who_stood_still_calls_nothing_in_a_view_that_may_fence_nobody_and_says_so() -> None:
    """The order is of a view with quorum; n1 is alone by the time that it goes on."""
    fencer, shared = Fencer("n1", "n1-1"), state(WANTED)
    one = order(shared)
    done = deliver(shared, "n1", FenceOrdered(one, 5))
    fencer.halted = True
    fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=True)
    fencer.halted = False
    alone = replace(done, quorate=False)
    (wish,) = fencer.resume(alone, NOW, dc=False)
    assert isinstance(wish, Broadcast)
    assert isinstance(wish.message, FenceEnded)
    assert (wish.message.succeeded, wish.message.executor, wish.message.target) == (False, "n1", "n3")
    assert fencer.installed(alone, NOW, dc=False)[0] == wish, "it is told until it was delivered"
    assert calls(fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=False)) == [], "it has ended"


@pytest.mark.parametrize("record", [None, WANTED, Down("n3", "b3", "n1", 5)], ids=["clean", "wanted", "down"])
def test_an_order_that_did_not_take_effect_is_not_carried_out(record: Any) -> None:
    one, shared = order(state(WANTED)), state(record)
    wishes = Fencer("n1", "n1-1").delivered(FenceOrdered(one, 5), shared.fencing, shared, NOW, dc=False)
    assert wishes == []
    other = replace(one, number=9)
    shared = state(Ordered(WANTED, other))
    assert calls(Fencer("n1", "n1-1").delivered(FenceOrdered(one, 5), shared.fencing, shared, NOW, dc=False)) == []


def test_an_order_that_took_effect_is_called_by_whom_it_names_and_awaited_by_all() -> None:
    shared = state(WANTED, port="3")
    one = order(shared)
    done = deliver(shared, "n1", FenceOrdered(one, 5))
    for name, calls_it in (("n1", True), ("n2", False)):
        fencer = Fencer(name, f"{name}-1")
        wishes = fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=False)
        assert SetTimer(f"{LATE_TIMER}n3 1", NOW.mono_ms + 120_000) in wishes
        assert bool(calls(wishes)) is calls_it
        for call in calls(wishes):
            assert (call.agent, call.parameters["port"]) == (Agent("stonith", "fence_lab"), "3")
        again = fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=False)
        assert calls(again) == [], "it is called once"
    anew = Fencer("n1", "n1-1")
    anew.as_somebody_new("n1-2")
    assert calls(anew.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=False)) == []


def test_how_a_call_ended_is_told_in_each_view_until_it_was_delivered() -> None:
    shared = state(WANTED)
    one, fencer = order(shared), Fencer("n1", "n1-1")
    done = deliver(shared, "n1", FenceOrdered(one, 5))
    fencer.delivered(FenceOrdered(one, 5), shared.fencing, done, NOW, dc=False)
    (told,) = fencer.ended(FenceAgentEnded(NOW, one, True, ""))
    assert isinstance(told, Broadcast)
    assert told.message == FenceEnded("n1", *one.id, True, "", NOW.wall_ms)
    assert told in fencer.installed(done, NOW, dc=False)
    fencer.delivered(told.message, done.fencing, done, NOW, dc=False)
    assert told not in fencer.installed(done, NOW, dc=False)


def test_the_dc_looks_again_when_a_pause_is_over_and_says_whom_nothing_can_fence() -> None:
    waiting = replace(WANTED, not_before_ms=NOW.wall_ms + 4_000)
    assert Fencer("n1", "n1-1").decide(state(waiting), NOW) == [SetTimer(FENCE_TIMER, NOW.mono_ms + 4_001)]
    shared = state(WANTED)
    shared = replace(shared, cib=replace(shared.cib, configuration=replace(shared.cib.configuration, resources=())))
    (told,) = Fencer("n1", "n1-1").decide(shared, NOW)
    assert isinstance(told, Emit)
    assert told.fields["text"] == "n3 is to be fenced, and no device can do that"
    assert Fencer("n1", "n1-1").decide(state(), NOW) == []


def test_a_view_that_may_not_fence_gives_no_order_and_one_at_a_time_is_one() -> None:
    assert Fencer("n1", "n1-1").decide(replace(state(WANTED), quorate=False), NOW) == []
    both = Fencing(records={"n3": WANTED, "n4": replace(WANTED, target="n4")})
    for text, count in (("true", 2), ("false", 1)):
        shared = replace(state(options={"concurrent-fencing": text}), fencing=both)
        assert len(given(Fencer("n1", "n1-1").decide(shared, NOW))) == count


def test_people_are_told_what_changes_and_how_a_try_failed() -> None:
    shared = state(WANTED)
    one = order(shared)
    ordered = deliver(shared, "n1", FenceOrdered(one, 5))
    failed = deliver(ordered, "n1", FenceEnded("n1", *one.id, False, "no power", 6))
    down = deliver(ordered, "n1", FenceEnded("n1", *one.id, True, "", 6))
    other = FenceWanted("n9", "b", FenceCause.LOST, "off", "", 0)

    def told(before: Shared, after: Shared) -> list[tuple[str, str]]:
        wishes = Fencer("n2", "n2-1").delivered(other, before.fencing, after, NOW, dc=False)
        return [(wish.fields["what"], wish.fields["text"]) for wish in wishes if isinstance(wish, Emit)]

    assert told(state(), shared) == [("wanted", "n3: it was lost")]
    assert told(shared, ordered) == [("ordered", "n1 fences n3 (reboot) with power")]
    assert told(ordered, failed) == [
        ("failed", "n1 could not fence n3 (reboot) with power: no power"),
        ("wanted", "n3: it was lost"),
    ]
    assert told(ordered, down) == [("down", "n3 is down, by n1")]
    assert told(down, down) == []
    line = HistoryLine("n3", "return", "", "", 9, True)
    returned = replace(down, fencing=replace(down.fencing, history=(*down.fencing.history, line)))
    assert told(down, returned) == []


@pytest.mark.parametrize(
    ("text", "delay_ms"),
    [("n1:1s;n3:10s", 10_000), ("N3:5 n1:2s", 5_000), ("n1:1s", 0), ("n3:0s;n1:9s", 0), ("4s", 4_000), ("", 0)],
)
def test_a_delay_is_for_all_targets_or_for_each(text: str, delay_ms: int) -> None:
    assert order(state(WANTED, pcmk_delay_base=text)).delay_ms == delay_ms


def test_what_depends_on_a_target_delays_the_first_try_for_it_besides() -> None:
    fencer, shared = Fencer("n1", "n1-1"), state(WANTED, pcmk_delay_base="3s", pcmk_delay_max="8s")
    fencer.priority_delay_ms = lambda target, now: 20_000 if target == "n3" else 0
    (one,) = given(fencer.decide(shared, NOW))
    assert (one.delay_ms, one.delay_most_ms) == (23_000, 28_000)
    again = state(replace(WANTED, place=FenceProgress(tries=1)), pcmk_delay_base="3s")
    fencer = Fencer("n1", "n1-1")
    fencer.priority_delay_ms = lambda target, now: 20_000
    assert given(fencer.decide(again, NOW))[0].delay_ms == 0, "only the first"
    failed = state(replace(WANTED, cause=FenceCause.FAILED), pcmk_delay_base="3s")
    fencer = Fencer("n1", "n1-1")
    fencer.priority_delay_ms = lambda target, now: 20_000
    assert given(fencer.decide(failed, NOW))[0].delay_ms == 3_000, "there is no race with one that is there"


def with_constraints(shared: Shared, *banned: tuple[str, str], **meta: str) -> Shared:
    configuration = shared.cib.configuration
    (device,) = configuration.resources
    assert isinstance(device, Primitive)
    locations = tuple(
        Location(f"c{at}", resource="power", node=node, score=score) for at, (node, score) in enumerate(banned)
    )
    made = replace(configuration, resources=(replace(device, meta=plain(meta)),), constraints=locations)
    return replace(shared, cib=replace(shared.cib, configuration=made))


@pytest.mark.parametrize(
    ("banned", "executor"),
    [
        ((), "n1"),
        ((("n1", "-INFINITY"),), "n2"),
        ((("n1", "-5"),), "n2"),
        ((("n1", "-5"), ("n1", "10")), "n1"),
        ((("n1", "-INFINITY"), ("n1", "INFINITY")), "n2"),
        ((("n2", "-INFINITY"),), "n1"),
        ((("n1", "-INFINITY"), ("n2", "-INFINITY")), None),
    ],
)
def test_a_device_is_not_used_by_nodes_that_it_is_kept_from(
    banned: tuple[tuple[str, str], ...], executor: str | None
) -> None:
    orders = given(Fencer("n1", "n1-1").decide(with_constraints(state(WANTED), *banned), NOW))
    assert [one.executor for one in orders] == ([] if executor is None else [executor])


def test_a_device_that_is_disabled_is_used_by_nobody() -> None:
    shared = with_constraints(state(WANTED), **{"target-role": "Stopped"})
    wishes = Fencer("n1", "n1-1").decide(shared, NOW)
    assert given(wishes) == []
    assert [wish.fields["what"] for wish in wishes if isinstance(wish, Emit)] == ["unreachable"]
    assert given(Fencer("n1", "n1-1").decide(with_constraints(state(WANTED), **{"target-role": "Started"}), NOW))


@pytest.mark.parametrize(("kind", "counts"), [(None, True), ("member", True), ("remote", False), ("absent", False)])
def test_only_a_full_member_that_was_never_seen_counts_as_down_once_it_is_fenced(
    kind: str | None, counts: bool
) -> None:
    """A remote or guest node never is one: a state of its own would make it look like one."""
    shared = state(replace(WANTED, target="n3"))
    shared = replace(shared, nodes={name: one for name, one in shared.nodes.items() if name != "n3"})
    named = () if kind == "absent" else (NodeDefinition("n3", type=kind),)
    shared = replace(shared, cib=replace(shared.cib, configuration=replace(shared.cib.configuration, nodes=named)))
    one = order(shared)
    after = deliver(deliver(shared, "n1", FenceOrdered(one, 5)), "n1", FenceEnded("n1", *one.id, True, "", 6))
    assert after.fencing.is_down("n3")
    assert ("n3" in after.nodes) is counts
    assert ("n3" in [known.name for known in after.cib.status.nodes]) is counts
