"""Who stood still, lags behind or holds another state acts on nothing that it believed before: with fencing and without."""

from __future__ import annotations

import pytest
from test_cuts import configuration

from reconciler.analysis.recording import Launched
from reconciler.cib.observations import AttributeSet
from reconciler.controller import events as ev
from reconciler.controller.cut_off import CUT_OFF_TIMER
from reconciler.controller.envelope import Envelope, seal, unseal
from reconciler.controller.fencing.messages import FenceOrdered, FenceWanted
from reconciler.controller.fencing.record import FenceCause
from reconciler.controller.flow import WINDOW_BYTES
from reconciler.controller.messages import (
    Abandoned,
    Activate,
    AgentOrder,
    Heard,
    Message,
    Observe,
    Ping,
    Report,
    Run,
    Underway,
)
from reconciler.controller.moment import Moment
from reconciler.controller.pulse import PULSE_TIMER
from reconciler.controller.replica import Partition
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent
from reconciler.model.rule import DateExpression, Rule
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

both = pytest.mark.parametrize("fencing", [False, True], ids=["without fencing", "with fencing"])


def running(*, fencing: bool, **options: str) -> SimulatedCluster:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    cluster.apply(configuration("a", "b", fencing=fencing, prefer={"a": "n1", "b": "n3"}, **options), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"] and cluster.world.where("b") == ["n3"])
    cluster.run(15_000)
    return cluster


def dc(cluster: SimulatedCluster) -> Host:
    return next(host for host in cluster.hosts.values() if host.node is not None and host.node.is_dc)


def told(effects: list[ev.Effect]) -> list[Message]:
    return [unseal(effect.data).message for effect in effects if isinstance(effect, ev.Send)]  # type: ignore[misc]


def hear(host: Host, message: Message, now: Moment, sender: str | None = None) -> list[ev.Effect]:
    """A node is delivered something in its view."""
    node = host.node
    assert node is not None
    sender = sender or host.name
    cluster, view = node.replica.shared.cluster, node.replica.partition.view
    return node.step(ev.Delivered(now, sender, seal(Envelope(cluster, view, sender, message))))


def begun(effects: list[ev.Effect]) -> bool:
    return any(isinstance(effect, ev.RunAgent | ev.CallFenceAgent) for effect in effects)


def after_a_gap(host: Host, *, suspended: bool = False) -> Moment:
    """Now, and twenty seconds since the node did anything; `suspended`: only the clock that goes on then shows it."""
    now = host.now
    return now._replace(boot_ms=now.boot_ms + 20_000) if suspended else replace_mono(now)


def replace_mono(now: Moment) -> Moment:
    return now._replace(mono_ms=now.mono_ms + 20_000, wall_ms=now.wall_ms + 20_000)


def start_of(host: Host, resource: str) -> Run:
    agent = Agent("ocf", "Dummy", "x")
    order = AgentOrder(1, 20_000, Launched(resource, "start", host.name, host.name, agent, "1:9:0:u"))
    assert host.node is not None
    return Run(host.node.replica.term, 9, (order,), 1)


@both
@pytest.mark.parametrize("suspended", [False, True], ids=["stopped", "suspended"])
def test_after_a_gap_nothing_is_started_before_a_ping_of_ours_came_back(fencing: bool, suspended: bool) -> None:
    host = dc(running(fencing=fencing))
    assert host.node is not None
    now = after_a_gap(host, suspended=suspended)
    effects = hear(host, start_of(host, "new"), now)
    assert not begun(effects)
    (ping,) = (message for message in told(effects) if isinstance(message, Ping))
    for name in ("n1", "n2", "n3"):
        effects = hear(host, Heard(name, host.node.replica.term, 9, 1), now, name)
        assert not begun(effects), "most have heard it, and still nobody knows whether they hear us"
    older = replace(ping, number=ping.number - 1)
    assert not begun(hear(host, older, now)), "one that was sent before says nothing"
    assert begun(hear(host, ping, now))


@both
def test_a_moment_of_silence_is_no_gap(fencing: bool) -> None:
    host = dc(running(fencing=fencing))
    assert host.node is not None
    now = host.now._replace(mono_ms=host.now.mono_ms + 1_500)
    effects = hear(host, start_of(host, "new"), now)
    for name in ("n1", "n2"):
        effects += hear(host, Heard(name, host.node.replica.term, 9, 1), now, name)
    assert begun(effects)


def test_after_a_gap_nobody_is_fenced_before_a_ping_of_ours_came_back() -> None:
    host = dc(running(fencing=True))
    node = host.node
    assert node is not None
    now = after_a_gap(host)
    target = next(name for name in node.members if name != host.name)
    boot = node.replica.shared.nodes[target].boot
    effects = hear(host, FenceWanted(target, boot, FenceCause.FAILED, "off", "a test", 1), now)
    (ping,) = (message for message in told(effects) if isinstance(message, Ping))
    assert not any(isinstance(message, FenceOrdered) for message in told(effects))
    effects = hear(host, ping, now)
    (ordered,) = (message for message in told(effects) if isinstance(message, FenceOrdered))
    later = after_a_gap(host)._replace(mono_ms=now.mono_ms + 20_000)
    own = replace(ordered, order=replace(ordered.order, executor=host.name, incarnation=node.parts.joining.incarnation))
    effects = hear(host, own, later)
    assert not begun(effects)
    (ping,) = (message for message in told(effects) if isinstance(message, Ping))
    assert begun(hear(host, ping, later))


@both
def test_who_stood_still_and_is_not_heard_any_more_stops_what_it_runs(fencing: bool) -> None:
    """It believes that it is in a view, for nobody tells it otherwise."""
    cluster = running(fencing=fencing)
    host = cluster.hosts["n1"]
    node = host.node
    assert node is not None
    now = after_a_gap(host)
    effects = node.step(ev.Quiet(now))
    timers = [effect for effect in effects if isinstance(effect, ev.SetTimer) and effect.name == CUT_OFF_TIMER]
    assert [timer.at_ms for timer in timers] == [now.mono_ms + 1_000]
    effects = node.step(ev.TimerFired(now._replace(mono_ms=now.mono_ms + 1_000), CUT_OFF_TIMER))
    assert {one.call.operation for one in effects if isinstance(one, ev.RunAgent)} == {"stop"}


def test_who_stood_still_and_is_heard_stops_nothing() -> None:
    cluster = running(fencing=False)
    host = cluster.hosts["n1"]
    host.pause()
    cluster.run(10_000)
    host.resume()
    cluster.run(20_000)
    assert any(emit.fields.get("what") == "stood-still" for emit in host.emitted)
    assert not any(seen.task == "stop" for seen in cluster.world.witnessed)
    assert cluster.world.where("a") == ["n1"]


def test_a_monitor_that_ran_over_a_gap_and_got_no_answer_is_run_again() -> None:
    cluster = running(fencing=False)
    host = cluster.hosts["n1"]
    node = host.node
    assert node is not None
    assert cluster.until(lambda: "a" in host.busy, 20_000)
    token = next(iter(node.executor.running))
    now = after_a_gap(host)
    effects = node.step(ev.Finished(now, token, AgentResult(1, OperationStatus.TIMED_OUT)))
    (again,) = (effect.call for effect in effects if isinstance(effect, ev.RunAgent))
    assert (again.resource, again.operation) == ("a", "monitor")
    assert not any(type(message).__name__ == "Reported" for message in told(effects))


@both
def test_a_process_that_stands_still_is_as_if_lost_and_comes_back_as_somebody_new(fencing: bool) -> None:
    """The fabric keeps it as a member for ever: three pings that do not come end that."""
    cluster = running(fencing=fencing)
    host = next(host for host in cluster.hosts.values() if host is not dc(cluster))
    before = host.boot
    host.pause()
    others = [one for one in cluster.hosts.values() if one is not host]
    gone = tuple(one.name for one in others)
    assert cluster.until(lambda: all(one.node is not None and one.node.members == gone for one in others), 30_000)
    cluster.run(60_000)
    if fencing:
        assert host.boot > before, "it is fenced"
    host.resume()
    cluster.run(60_000)
    living = [one.node for one in cluster.hosts.values() if one.node is not None]
    assert {node.members for node in living} == {("n1", "n2", "n3")}
    assert cluster.world.faults == []
    assert fencing or cluster.world.doubles == []


def views_in(cluster: SimulatedCluster, host: Host, ms: int) -> int:
    """How many views a host's node installs in that time."""
    before = len(host.emitted)
    cluster.run(ms)
    return sum(one.type == "daemon" and one.fields["what"] == "view" for one in host.emitted[before:])


@both
@pytest.mark.parametrize("slow_s", [4, 40], ids=["slow", "stuck"])
def test_whose_disk_can_not_keep_up_breaks_the_view_of_the_others_less_and_less(fencing: bool, slow_s: int) -> None:
    """It can't promise in time, is excluded, joins again, can't promise in time: nothing was begun anywhere meanwhile."""
    cluster = running(fencing=fencing)
    cluster.fencing_fails = True
    first = dc(cluster)
    slow, other = (host for host in cluster.hosts.values() if host is not first)
    slow.disk.slow_us = slow_s * 1_000_000
    other.crash()
    cluster.run(1_000)
    other.start()
    cluster.run(30_000)
    assert views_in(cluster, first, 120_000) <= 10
    assert views_in(cluster, first, 120_000) <= 6
    told = [one for one in slow.emitted if one.type == "daemon" and one.fields["what"] == "stays-away"]
    assert told
    assert "excluded by the others" in told[-1].fields["text"]
    assert first.node is not None
    assert set(first.node.members) == {first.name, other.name}
    slow.disk.slow_us = 0
    assert cluster.until(lambda: first.node is not None and len(first.node.members) == 3, 120_000)
    assert cluster.world.doubles == []


def test_what_was_under_way_when_the_view_began_is_awaited_as_long_as_it_can_take() -> None:
    cluster = running(fencing=False)
    host = dc(cluster)
    node = host.node
    assert node is not None
    other = next(name for name in node.members if name != host.name)
    doing = (Underway(1, 1, 1, "a", "start", 20_000), Underway(1, 1, 2, "b", "stop", 90_000))
    boot = node.replica.shared.nodes[other].boot
    effects = hear(host, Report(other, boot, (), doing, (), 1), host.now, other)
    (timer,) = (one for one in effects if isinstance(one, ev.SetTimer) and one.name.startswith("inherited"))
    assert timer.at_ms == host.now.mono_ms + 90_000 + 60_000
    (given_up,) = told(node.step(ev.TimerFired(host.now, timer.name)))
    assert given_up == Abandoned(other)
    hear(host, given_up, host.now)
    assert node.replica.shared.underway == {}


def test_what_members_record_is_in_the_clock_of_the_cluster() -> None:
    """A day of difference between clocks would make failures expire, or never."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.hosts["n3"].skew_ms = 86_400_000
    cluster.start()
    cluster.apply(configuration("b", fencing=False, prefer={"b": "n3"}), "n1")
    assert dc(cluster).name == "n1"
    assert cluster.until(lambda: cluster.world.where("b") == ["n3"])
    cluster.run(8_000)
    node = cluster.hosts["n1"].node
    assert node is not None
    entries = [
        entry.attributes["last-rc-change"]
        for state in node.replica.cib.status.nodes
        for history in state.history
        for entry in history.entries
        if state.name == "n3"
    ]
    assert entries
    assert all(abs(int(at) - cluster.hosts["n1"].now.epoch_s) < 60 for at in entries)
    before = node.replica.shared.clock_ms
    cluster.hosts["n1"].power_off()
    cluster.hosts["n2"].skew_ms = -3_600_000
    cluster.run(60_000)
    after = dc(cluster).node
    assert after is not None
    assert before < after.replica.shared.clock_ms < before + 120_000, "neither backwards nor a day ahead"


def test_the_scheduler_is_asked_in_one_zone_whichever_member_asks() -> None:
    """A date that names no zone would mean another moment after a failover, and move resources."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    asked: list[int] = []

    def watch(host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        if host.node is not None and "decide" not in vars(host.node.coordinator):
            decide = host.node.coordinator.decide

            def noting(replica, members, now):
                asked.append(now.offset_s)
                return decide(replica, members, now)

            host.node.coordinator.decide = noting  # type: ignore[method-assign]

    cluster.watch.append(watch)
    for zone_s, host in zip((7_200, -18_000, 0), cluster.hosts.values(), strict=True):
        host.zone_s = zone_s
    cluster.start()
    cluster.run(5_000)
    dc(cluster).power_off()
    cluster.run(20_000)
    assert len(asked) > 2
    assert set(asked) == {0}


@pytest.mark.parametrize("names", [("n1", "n2", "n3"), ("n1",)], ids=["several", "alone"])
@pytest.mark.parametrize(
    ("zone", "hour"), [("+05:00", 13), ("ABC-5", 13), ("ABC-4ABD,M1.1.0,M12.5.0", 13), ("UTC", 8), ("+23:00", 7)]
)
def test_the_hours_of_a_rule_are_those_of_the_clusters_zone_whatever_that_of_the_machines(
    names: tuple[str, ...], zone: str, hour: int
) -> None:
    """It is 8 h UTC on 15 January 2027, and `a` is banned everywhere for an hour of each day."""
    cluster = SimulatedCluster(names, 1)
    for host in cluster.hosts.values():
        host.zone_s = 7_200
    cluster.start()

    def banned_at(hour: int) -> Configuration:
        during = Rule((DateExpression("date_spec", date_spec={"hours": str(hour)}),), score="-INFINITY")
        plain = configuration("a", fencing=False, prefer={}, date_zone=zone)
        return replace(plain, constraints=(Location("ban", resource="a", rules=(during,)),))

    cluster.apply(banned_at((hour + 12) % 24), "n1")
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 20_000)
    cluster.apply(banned_at(hour), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == [], 20_000)
    cluster.run(20_000)
    assert cluster.world.where("a") == []


def test_the_dc_that_stands_still_is_replaced() -> None:
    cluster = running(fencing=True)
    host = dc(cluster)
    host.pause()
    others = [one for one in cluster.hosts.values() if one is not host]
    assert cluster.until(lambda: any(one.node is not None and one.node.is_dc for one in others), 40_000)


def test_who_holds_another_state_gives_it_up_for_that_of_the_others() -> None:
    cluster = running(fencing=False)
    host = cluster.hosts["n1"]
    node = host.node
    assert node is not None
    node.replica.shared = replace(node.replica.shared, chain="another")
    host.tell(ev.RefreshAsked(host.now, ("a",)))
    cluster.run(30_000)
    assert any(emit.fields.get("what") == "diverged" for emit in host.emitted)
    nodes = [one.node for one in cluster.hosts.values() if one.node is not None]
    assert len({one.replica.shared.chain for one in nodes}) == 1
    assert not any(one.replica.own.blank for one in nodes)
    assert all(
        not any(e.fields.get("what") == "diverged" for e in one.emitted)
        for one in cluster.hosts.values()
        if one is not host
    )


def failing(host: Host, times: int, kind: type[Message] | None = None) -> None:
    """The node's replica can't take in so many messages (of a kind), and what drives the node tells it so, as the daemon does."""
    node = host.node
    assert node is not None
    step, take_in, left = node.step, node.replica.take_in, [times]

    def broken(sender: str, data: bytes, message: Message) -> None:
        if left[0] and (kind is None or isinstance(message, kind)):
            left[0] -= 1
            raise ValueError("a fault of the program")
        take_in(sender, data, message)

    def driven(event: ev.Event) -> list[ev.Effect]:
        node.replica.take_in = broken  # type: ignore[method-assign]
        try:
            return step(event)
        except ValueError as error:
            return step(ev.Unhandled(event.now, event, str(error)))

    node.step = driven  # type: ignore[method-assign]


def gave_up(cluster: SimulatedCluster) -> list[str]:
    """The hosts that could not take in what was delivered, once for each time that they left for it."""
    return [
        host.name
        for host in cluster.hosts.values()
        for emit in host.emitted
        if emit.fields.get("what") in ("not-applied", "diverged")
    ]


@pytest.mark.parametrize("name", ["n1", "n2", "n3"])
@pytest.mark.parametrize("kind", [None, Activate, Run])
def test_who_can_not_take_in_what_was_delivered_comes_back_to_what_the_others_hold(
    name: str, kind: type[Message] | None
) -> None:
    cluster = running(fencing=True)
    failing(cluster.hosts[name], 1, kind)
    commit = cluster.apply(configuration("a", "b", "c", fencing=True, prefer={"a": "n1", "b": "n3"}), "n2")
    cluster.run(3_000)
    assert gave_up(cluster) == [name], "at once, and not only when pings tell it that it holds another state"
    cluster.run(57_000)
    nodes = [one.node for one in cluster.hosts.values() if one.node is not None]
    assert len(nodes) == 3, "nobody was fenced for it"
    assert {one.members for one in nodes} == {("n1", "n2", "n3")}
    assert len({one.replica.shared.chain for one in nodes}) == 1
    assert not any(one.replica.own.blank for one in nodes)
    assert {one.replica.commit for one in nodes} == {commit}, "it is not lost"
    assert len(cluster.world.where("c")) == 1
    assert cluster.world.where("a") == ["n1"]
    assert gave_up(cluster) == [name]


def test_what_nobody_can_take_in_does_not_keep_the_members_apart() -> None:
    cluster = running(fencing=True)
    for host in cluster.hosts.values():
        failing(host, 3)
    host = cluster.hosts["n2"]
    for _ in range(3):
        host.tell(ev.RefreshAsked(host.now, ("a",)))
        cluster.run(5_000)
    cluster.run(45_000)
    nodes = [one.node for one in cluster.hosts.values() if one.node is not None]
    assert {one.members for one in nodes} == {("n1", "n2", "n3")}
    assert len({one.replica.shared.chain for one in nodes}) == 1
    assert sorted(gave_up(cluster)) == ["n1", "n2", "n3"], "once each"
    assert cluster.world.where("a") == ["n1"]
    assert cluster.world.where("b") == ["n3"]


def test_a_node_alone_has_no_pulse() -> None:
    cluster = SimulatedCluster(("n1",), 1)
    cluster.start()
    sent: list[Message] = []
    cluster.watch.append(lambda host, event, effects: sent.extend(told(effects)))
    fired: list[ev.Event] = []
    cluster.watch.append(lambda host, event, effects: fired.append(event))
    cluster.run(60_000)
    assert not any(isinstance(message, Ping) for message in sent)
    assert [event for event in fired if isinstance(event, ev.TimerFired)] == []


def test_what_waits_for_a_member_that_stands_still_is_bounded_and_nothing_is_lost_for_the_others() -> None:
    cluster = running(fencing=False)
    slow, quick = cluster.hosts["n3"], cluster.hosts["n2"]
    sender = cluster.hosts["n1"].node
    assert sender is not None
    slow.pause()
    heard: list[str] = []
    cluster.watch.append(
        lambda host, event, effects: heard.extend(
            emit.fields["name"]
            for emit in effects
            if isinstance(emit, ev.Emit) and emit.type == "attribute" and host is quick
        )
    )
    for number in range(60):
        seen = (AttributeSet("n1", f"load-{number}", "x" * 200_000),)
        for effect in sender._border([ev.Broadcast(Observe(seen, "a test", 1))]):
            assert isinstance(effect, ev.Send)
            cluster.network.send("n1", effect.data)
    cluster.run(3_000)
    assert sender.parts.flow.waiting > 30
    assert 10 < len(heard) <= WINDOW_BYTES // 200_000
    slow.resume()
    cluster.run(10_000)
    assert heard == [f"load-{number}" for number in range(60)]
    assert sender.parts.flow.waiting == 0


def test_the_time_without_members_is_no_gap_as_long_as_the_clock_was_looked_at() -> None:
    cluster = running(fencing=False)
    host = cluster.hosts["n1"]
    node = host.node
    assert node is not None
    partition, now, effects = node.replica.partition, host.now, list[ev.Effect]()
    for second in range(1, 11):
        node.replica.partition = Partition() if second < 10 else partition
        effects += node.step(ev.TimerFired(now._replace(mono_ms=now.mono_ms + second * 1_000), PULSE_TIMER))
    assert not any(isinstance(effect, ev.Emit) and effect.fields.get("what") == "stood-still" for effect in effects)
