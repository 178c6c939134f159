"""What the cluster says of itself at rest is true under any configuration, and more instances are never promoted than may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutations import nothing_is_held_back

from reconciler.cib import Cib
from reconciler.cli.inputs.configurations import named
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent, Bundle, Clone, Group, Operation, Primitive, Resource
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.simulator.faults import Fault, Trouble
from reconciler.simulator.life import Life
from reconciler.simulator.placement import longest_monitor_ms, untrue_history, watched
from reconciler.simulator.scenario import Scenario, promoted_most
from reconciler.simulator.world import World

OURS = Path(__file__).parents[2] / "cluster.d"
AGENT = Agent("ocf", "Dummy", "reconciler")
HOSTS = ("n1", "n2", "n3")


def service(name: str, every: str = "10s") -> Primitive:
    return Primitive(name, AGENT, operations=(Operation("monitor", every),))


def configured(*resources: Resource, **options: str) -> Configuration:
    locations = (
        Location("best", resource="db-clone", node="n1", score="100", role="Promoted"),
        Location("second", resource="db-clone", node="n2", score="50", role="Promoted"),
    )
    likes = locations if any(one.id == "db-clone" for one in resources) else ()
    return Configuration(options=plain({"stonith-enabled": "false"} | options), resources=resources, constraints=likes)


def grouped() -> Configuration:
    return configured(Group("site", (service("ip", "30s"), service("web", "1min"))), Clone("all", service("agent")))


def promotable(**meta: str) -> Configuration:
    return configured(Clone("db-clone", service("db"), meta=plain({"promotable": "true"} | meta)))


def blind(patch: pytest.MonkeyPatch) -> None:
    """A monitor that recurs never sees that something died."""
    monitor = World._monitor
    patch.setattr(World, "_monitor", lambda self, host, call: 0 if call.interval_ms else monitor(self, host, call))


def deaths(hosts: tuple[str, ...], configuration: Configuration, number: int = 0) -> Scenario:
    """Something dies on each host."""
    faults = tuple(Fault(20_000, Trouble.RESOURCE_DIES, host, number) for host in hosts)
    return Scenario(1, hosts, (configuration,), faults)


@pytest.mark.parametrize("number", range(2))
def test_that_a_monitor_sees_no_death_is_found_over_our_own_configuration(number: int) -> None:
    configuration = named(str(OURS)).configuration
    lived = deaths(tuple(node.name for node in configuration.nodes), configuration, number)
    assert Life(lived).live().broken is None
    with pytest.MonkeyPatch.context() as patch:
        blind(patch)
        found = Life(lived).live().broken
    assert found is not None
    assert "is active on" in found
    assert "by its history, and does not run" in found


@pytest.mark.parametrize("number", range(3))
def test_that_a_monitor_sees_no_death_is_found_in_groups_and_clones(number: int) -> None:
    lived = deaths(HOSTS, grouped(), number)
    assert Life(lived).live().broken is None
    with pytest.MonkeyPatch.context() as patch:
        blind(patch)
        found = Life(lived).live().broken
    assert found is not None
    assert "by its history, and does not run" in found


def test_what_nobody_looks_at_may_be_gone_unseen() -> None:
    unwatched = configured(Group("site", (Primitive("ip", AGENT), Primitive("web", AGENT))))
    assert Life(deaths(HOSTS, unwatched)).live().broken is None


def test_what_runs_and_no_history_tells_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is removed is said to be stopped, and runs on."""
    removed = configured(Clone("all", service("agent")))
    lived = Scenario(1, HOSTS, (grouped(), removed), (Fault(20_000, Trouble.COMMIT, "n1", 1),))
    assert Life(lived).live().broken is None
    act = World._act
    monkeypatch.setattr(
        World, "_act", lambda self, host, call, us: 0 if call.operation == "stop" else act(self, host, call, us)
    )
    found = Life(lived).live().broken
    assert found is not None
    assert "ip, web runs on n" in found
    assert found.endswith(" unknown")


@pytest.mark.parametrize(
    ("operation", "interval", "known"),
    [("monitor", "30000", True), ("monitor", "0", False), ("start", "0", False)],
)
def test_a_monitor_that_was_ordered_and_never_began_tells_nothing(operation: str, interval: str, known: bool) -> None:
    stopped = {"operation": "stop", "interval": "0", "rc-code": "0", "op-status": "0"}
    ordered = {"operation": operation, "interval": interval, "rc-code": "193", "op-status": "-1"}
    entries = (HistoryEntry("ip_last_0", stopped), HistoryEntry("ip_other", ordered))
    state = NodeState("n1", "n1", history=(ResourceHistory("ip", entries=entries),))
    assert (untrue_history(Status(nodes=(state,)), World(), {"n1"}, (), ()) is None) == known


@pytest.mark.parametrize(
    ("operation", "looks"),
    [
        (Operation("monitor", "10s"), True),
        (Operation("monitor", "10s", attributes={"role": "Unpromoted"}), True),
        (Operation("monitor", "10s", attributes={"role": "Promoted"}), False),
        (Operation("monitor", "10s", attributes={"enabled": "false"}), False),
        (Operation("monitor"), False),
        (Operation("start", "10s"), False),
    ],
)
def test_what_is_watched_has_a_monitor_that_recurs_wherever_it_runs(operation: Operation, looks: bool) -> None:
    known = configured(Clone("all", Primitive("agent", AGENT, operations=(operation,))))
    assert watched(Cib(configuration=known)) == ({"agent"} if looks else set())


@pytest.mark.parametrize(
    "known",
    [
        configured(service("a"), **{"maintenance-mode": "true"}),
        configured(replace(service("a"), meta=plain({"maintenance": "true"}))),
        configured(Group("site", (service("a"),), meta=plain({"maintenance": "true"}))),
    ],
)
def test_under_maintenance_nothing_is_watched(known: Configuration) -> None:
    assert watched(Cib(configuration=known)) == set()


def test_the_end_is_looked_at_after_the_longest_monitor() -> None:
    assert longest_monitor_ms(grouped()) == 60_000
    assert longest_monitor_ms(configured()) == 0


def call(operation: str, resource: str) -> AgentCall:
    return AgentCall(operation=operation, resource=resource, agent=AGENT)


def promoted(world: World, *instances: tuple[str, str]) -> list[str]:
    for host, resource in instances:
        world.call(host, call("start", resource), 0)
        world.call(host, call("promote", resource), 0)
    return [str(one) for one in world.doubles]


def test_a_second_promoted_instance_is_seen_by_its_host() -> None:
    world = World(anonymous=frozenset({"db"}))
    assert promoted(world, ("n1", "db")) == []
    assert promoted(world, ("n1", "db")) == [], "it is promoted already"
    assert promoted(world, ("n2", "db")) == ["db is promoted on n2 while it is promoted on n1: 1 may be"]


def test_instances_of_one_clone_count_together_up_to_what_is_configured() -> None:
    world = World(anonymous=frozenset({"db:0", "db:1", "db:2"}), promoted_most={"db": 2})
    assert promoted(world, ("n1", "db:0"), ("n2", "db:1")) == []
    world.call("n2", call("demote", "db:1"), 0)
    assert promoted(world, ("n3", "db:2")) == []
    world.call("n2", call("promote", "db:1"), 0)
    assert [str(one) for one in world.doubles] == ["db:1 is promoted on n2 while it is promoted on n1, n3: 2 may be"]


@pytest.mark.parametrize(
    ("meta", "most"),
    [({}, 1), ({"promoted-max": "2"}, 2), ({"master-max": "3"}, 3), ({"promoted-max": "many"}, 1)],
)
def test_how_many_may_be_promoted_is_configured(meta: dict[str, str], most: int) -> None:
    assert dict(promoted_most(promotable(**meta))) == {"db": most}


def test_how_many_may_be_promoted_in_a_bundle_is_configured_with_its_container() -> None:
    bundle = Bundle("boxes", "docker", {"image": "x", "replicas": "3", "promoted-max": "2"}, primitive=service("db"))
    assert dict(promoted_most(configured(bundle))) == {"db": 2}


def test_that_both_sides_of_a_cut_have_one_promoted_is_found() -> None:
    lived = Scenario(1, HOSTS, (promotable(),), (Fault(20_000, Trouble.CUT, "n1"), Fault(90_000, Trouble.HEAL, "n1")))
    assert Life(lived).live().broken is None
    with pytest.MonkeyPatch.context() as patch:
        nothing_is_held_back(patch)
        found = Life(lived).live().broken
    assert found == "db is promoted on n2 while it is promoted on n1: 1 may be"


@pytest.mark.parametrize("fault", [Trouble.KILL, Trouble.CUT, Trouble.FREEZE, Trouble.PAUSE])
def test_what_is_promoted_where_the_daemon_is_gone_is_promoted_elsewhere_once_that_node_is_fenced(
    fault: Trouble,
) -> None:
    """With fencing: a promoted instance runs on without a daemon, and nobody can demote it."""
    known = promotable()
    fencing = configured(
        Primitive("power", Agent("stonith", "fence_lab")), *known.resources, **{"stonith-enabled": "true"}
    )
    found = Life(Scenario(1, HOSTS, (fencing,), (Fault(20_000, fault, "n1"), Fault(90_000, Trouble.HEAL, "n1")))).live()
    assert found.broken is None
    assert "fencing n1 is down" in found.story


def test_the_agent_of_what_is_promoted_says_its_attributes_with_each_look_as_others_do() -> None:
    world = World(values={("n1", "db"): {"lag": "3"}})
    promoted(world, ("n1", "db"))
    seen = world.call("n1", call("monitor", "db"), 0)
    assert (seen.code, seen.attributes) == (8, {"lag": "3"})
