"""Values with a delay count together: what each node sees of one failure moves nothing before all have seen it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from reconciler.cib.observations import AttributeSet, transient
from reconciler.controller.dampening import Dampening
from reconciler.controller.events import Broadcast, SetTimer, Wish
from reconciler.controller.held import Held, held_of, hold, of_members, released
from reconciler.controller.members import node_state
from reconciler.controller.messages import Observe
from reconciler.controller.moment import Moment
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.operation import AgentCall, AgentResult
from reconciler.model.resource import Agent, Clone, Operation, Primitive
from reconciler.model.rule import AttributeExpression, Rule
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.world import World

NAMES = ("n1", "n2", "n3")
PING = Clone("pings", Primitive("ping", Agent("ocf", "ping", "pacemaker"), operations=(Operation("monitor", "2s"),)))
SERVICE = Primitive("a", Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))
UNREACHED = Rule(
    (AttributeExpression("pingd", "not_defined"), AttributeExpression("pingd", "lt", value="100")), "or", "-INFINITY"
)
WANTED = Configuration(
    options=plain({"stonith-enabled": "false"}),
    resources=(PING, SERVICE),
    constraints=(
        Location("reached", resource="a", rules=(UNREACHED,)),
        Location("home", resource="a", node="n1", score="50"),
    ),
)


class Network:
    """What the pings of each node reach, told by each call of their agent, with a delay."""

    def __init__(self, patch: pytest.MonkeyPatch, delay_ms: int) -> None:
        self.reached = dict.fromkeys(NAMES, "100")
        self.delay_ms = delay_ms
        call = World.call

        def called(world: World, host: str, asked: AgentCall, at_us: int) -> AgentResult:
            result = call(world, host, asked, at_us)
            if not asked.resource.startswith("ping") or asked.operation == "stop" or result.code:
                return result
            delays = {"pingd": self.delay_ms} if self.delay_ms else {}
            return replace(result, attributes={"pingd": self.reached[host]}, delays_ms=delays)

        patch.setattr(World, "call", called)


def running(network: Network) -> SimulatedCluster:
    cluster = SimulatedCluster(NAMES, 1)
    cluster.world.anonymous = frozenset({"ping", *(f"ping:{number}" for number in range(3))})
    cluster.start()
    cluster.apply(WANTED, "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"], 60_000)
    cluster.run(20_000)
    cluster.world.witnessed.clear()
    return cluster


def moves(cluster: SimulatedCluster) -> list[str]:
    return [f"{one.task} {one.host}" for one in cluster.world.witnessed if one.resource == "a"]


def values(cluster: SimulatedCluster, name: str = "n2") -> dict[str, str | None]:
    node = cluster.hosts[name].node
    assert node is not None
    return {one: transient(node_state(node.replica.cib, one)).get("pingd") for one in NAMES}


@pytest.mark.parametrize(("delay_ms", "settles"), [(0, False), (12_000, True)], ids=["at once", "dampened"])
def test_a_failure_that_all_see_one_after_the_other_moves_nothing_between(
    monkeypatch: pytest.MonkeyPatch, delay_ms: int, settles: bool
) -> None:
    network = Network(monkeypatch, delay_ms)
    cluster = running(network)
    for name in NAMES:
        network.reached[name] = "0"
        cluster.run(3_000)
    cluster.run(60_000)
    assert values(cluster) == dict.fromkeys(NAMES, "0")
    assert (moves(cluster) == ["stop n1"]) is settles, moves(cluster)
    network.reached = dict.fromkeys(NAMES, "100")
    cluster.run(60_000)
    assert cluster.world.where("a") == ["n1"] or not settles


def test_what_is_held_counts_although_the_dc_is_lost_and_is_told_to_agents_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(monkeypatch, 30_000)
    cluster = running(network)
    cluster.run(60_000)
    network.reached["n3"] = "0"
    cluster.run(12_000)
    node = cluster.hosts["n3"].node
    assert node is not None
    assert values(cluster)["n3"] == "100"
    assert node.parts.publish().attributes["pingd"] == "0"
    assert node.dc is not None
    first = node.dc
    assert first != "n3"
    cluster.hosts[first].crash()
    cluster.run(15_000)
    assert values(cluster, "n3")["n3"] == "100"
    cluster.run(45_000)
    assert values(cluster, "n3")["n3"] == "0"
    assert node.replica.shared.held == {}


def test_what_is_held_counts_at_the_latest_after_ten_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, 15_000)
    cluster = running(network)
    cluster.run(60_000)
    for number in range(1, 20):
        network.reached["n3"] = str(200 + number)
        cluster.run(10_500)
        if values(cluster)["n3"] != "100":
            break
    assert 13 <= number <= 17, "ten delays of 15 s are 150 s"


def test_what_a_node_says_meanwhile_is_not_taken_for_told() -> None:
    held, now = hold({}, (AttributeSet("n1", "x", "1"), AttributeSet("n2", "x", None)), 5_000)
    assert (held, now) == ({"x": Held(5_000, {"n1": "1", "n2": None})}, ())
    later, _ = hold(held, (AttributeSet("n2", "x", "7"),), 5_000)
    flushed = released(later, (AttributeSet("n1", "x", "1"), AttributeSet("n2", "x", None)), "n3")
    assert flushed == {"x": Held(5_000, {"n2": "7"})}
    assert held_of(flushed, "n2") == {"x": "7"}
    assert released(flushed, (AttributeSet("n2", "x", "8"),), "n2") == {}, "its own word without a delay counts at once"
    assert of_members(later, {"n1"}) == {"x": Held(5_000, {"n1": "1"})}


def test_what_is_held_is_bounded() -> None:
    held: dict[str, Held] = {}
    for first in (0, 700, 1400):
        seen = tuple(AttributeSet("n1", f"x{number}", "1") for number in range(first, first + 700))
        after, now = hold(held, seen, 10**12)
        held = dict(after)
        assert now == tuple(one for one in seen if one.name not in held)
    assert len(held) == 1000
    assert all(one.delay_ms <= 3_600_000 for one in held.values())


# The DC's clocks


def armed(wishes: Sequence[Wish]) -> dict[str, int]:
    return {wish.name: wish.at_ms for wish in wishes if isinstance(wish, SetTimer)}


def test_each_change_begins_the_delay_anew_up_to_ten_times_after_the_first() -> None:
    dampening, held, seen = Dampening(), {"x": Held(5_000, {"n1": "1"})}, (AttributeSet("n1", "x", "1"),)
    at_ms = [armed(dampening.observed(held, seen, Moment(0, ms)))["dampen x"] for ms in (0, 4_000, 48_000, 49_000)]
    assert at_ms == [5_000, 9_000, 50_000, 50_000]
    assert dampening.observed(held, (AttributeSet("n1", "y", "1"),), Moment(0, 0)) == [], "of another, nothing is held"


def test_once_the_values_count_the_next_one_is_a_first_one() -> None:
    held, seen = {"x": Held(5_000, {"n1": "1"})}, (AttributeSet("n1", "x", "1"),)
    for ends in (
        lambda one: one.observed({}, seen, Moment(0, 30_000)),
        lambda one: one.due("dampen x", held, ("n1",), Moment(0, 30_000)),
        lambda one: one.installed({}, Moment(0, 30_000), dc=True),
    ):
        dampening = Dampening()
        dampening.observed(held, seen, Moment(0, 0))
        ends(dampening)
        assert armed(dampening.observed(held, seen, Moment(0, 48_000))) == {"dampen x": 53_000}


@pytest.mark.parametrize(("dc", "timers"), [(True, {"dampen x": 5_007, "dampen y": 9_007}), (False, {})])
def test_in_another_view_the_dc_begins_all_delays_anew(dc: bool, timers: dict[str, int]) -> None:
    held = {"y": Held(9_000, {"n1": "2"}), "x": Held(5_000, {"n1": "1"})}
    assert armed(Dampening().installed(held, Moment(0, 7), dc=dc)) == timers


def test_what_counts_is_what_members_have_told() -> None:
    held = {"x": Held(5_000, {"n2": None, "n1": "1", "gone": "7"})}
    due = Dampening().due("dampen x", held, ("n1", "n2"), Moment(9, 0))
    seen = (AttributeSet("n1", "x", "1"), AttributeSet("n2", "x", None))
    assert due == [Broadcast(Observe(seen, "x has its new values", 9))]
    assert Dampening().due("dampen x", held, ("n3",), Moment(9, 0)) == []
    assert Dampening().due("dampen y", held, ("n1",), Moment(9, 0)) == []
