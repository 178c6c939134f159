"""A member that nobody tells anything applies the policy by itself, before others start what it runs."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.resource import Agent, Clone, Operation, Primitive

AGENT = Agent("ocf", "Dummy", "reconciler")


def primitive(id: str) -> Primitive:
    return Primitive(id, AGENT, params=plain({"value": id}), operations=(Operation("monitor", "10s"),))


def running(single, policy: str) -> None:
    """Two resources, the second after the first, and one that is promoted."""
    single.world.scores["db"] = "10"
    resources = (primitive("a"), primitive("b"), Clone("dbs", primitive("db"), meta=plain({"promotable": "true"})))
    order = Order("o", first="a", then="b")
    options = plain({"stonith-enabled": "false", "no-quorum-policy": policy})
    single.apply(Configuration(options=options, resources=resources, constraints=(order,)))
    single.converge()
    assert set(single.world.running) == {"a", "b", "db"}
    single.world.calls.clear()


def cut_off(single, *, quorate: bool = False, members: tuple[str, ...] = ("n1", "n2")) -> None:
    """A view in which nothing that we send arrives."""
    single.send = lambda data: None
    single.feed(ev.ViewChanged(single.now, View("deaf", members, RingVerdict(quorate, 2), members)))


def acts(single) -> list[str]:
    return [call for call in single.world.calls if "monitor" not in call]


def test_what_is_promoted_goes_first_and_what_was_started_last_of_what_is_tied_together(single) -> None:
    """What no order ties to each other does not wait for each other."""
    running(single, "stop")
    cut_off(single)
    single.run(4_900)
    assert acts(single) == []
    single.run(2_000)
    assert acts(single) == ["db demote", "b stop", "db stop", "a stop"]
    assert single.world.running == {}
    assert "by itself" in next(e for e in single.events("daemon") if e["what"] == "cut-off")["text"]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("demote", ["db demote", "b stop", "db stop", "a stop"]),
        ("freeze", []),
        ("ignore", []),
        ("suicide", ["db demote", "b stop", "db stop", "a stop"]),
    ],
)
def test_each_policy_is_applied(single, policy, wanted) -> None:
    running(single, policy)
    cut_off(single)
    single.run(10_000)
    assert acts(single) == wanted


def test_who_has_lost_the_quorum_fences_itself_at_once(single) -> None:
    running(single, "suicide")
    wished = watch(single)
    cut_off(single)
    single.run(10)
    assert len(wished) == 1


def test_nobody_fences_itself_because_members_come_and_go(single) -> None:
    running(single, "suicide")
    wished = watch(single)
    cut_off(single, quorate=True)
    single.run(4_900)
    assert wished == []
    assert acts(single) == []
    single.run(200)
    assert len(wished) == 1, "it is cut off after all"


def test_who_runs_nothing_does_not_fence_itself(single) -> None:
    options = plain({"stonith-enabled": "false", "no-quorum-policy": "suicide"})
    single.apply(Configuration(options=options))
    single.converge()
    wished = watch(single)
    cut_off(single)
    single.run(60_000)
    assert wished == []


def watch(single) -> list[ev.FenceItself]:
    """What the node wishes to be done to itself from now on."""
    wished: list[ev.FenceItself] = []
    carry_out = single.carry_out

    def watching(effects: list[object]) -> None:
        wished.extend(effect for effect in effects if isinstance(effect, ev.FenceItself))
        carry_out(effects)

    single.carry_out = watching
    return wished


def test_a_view_that_is_installed_in_time_ends_the_waiting(single) -> None:
    running(single, "stop")
    send = single.send
    cut_off(single)
    single.run(4_000)
    single.send = send
    single.join()
    single.settle()
    single.run(30_000)
    assert acts(single) == []


def test_who_is_alone_by_right_waits_for_nobody(single) -> None:
    """A slow disk does not make a cluster of one node stop its resources."""
    running(single, "stop")
    cut_off(single, quorate=True, members=("n1",))
    single.run(60_000)
    assert acts(single) == []


def test_what_was_stopped_meanwhile_is_told_in_the_next_view(single) -> None:
    running(single, "stop")
    send = single.send
    cut_off(single)
    single.run(10_000)
    assert single.world.running == {}
    single.send = send
    single.join()
    single.settle()
    single.converge()
    assert set(single.world.running) == {"a", "b", "db"}
    single.assert_nothing_to_do()


def test_a_stop_waits_for_no_monitor(single) -> None:
    """The others count the stops alone: a monitor that hangs when the network goes would make them longer by its timeout."""
    running(single, "stop")
    cut_off(single)
    single.latency_ms = 30_000
    single.feed(ev.ProcessesGone(single.now, "b"))
    assert [call.operation for _, _, call in single.agents] == ["monitor"], "it looks, and is not answered"
    single.latency_ms = 10
    single.run(5_000)
    single.run(1_000)
    assert acts(single)[-1] == "a stop"
    assert single.world.running == {}
