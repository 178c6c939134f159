"""Removals and renames of three nodes: what one member knows, all know, whoever is lost in the middle."""

from __future__ import annotations

import pytest

from reconciler.cib.canonical import digest
from reconciler.controller import events as ev
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host


def primitive(id: str, **params: str) -> Primitive:
    agent = Agent("ocf", "Dummy", "reconciler")
    return Primitive(id, agent, params=plain(params), operations=(Operation("monitor", "10s"),))


def configuration(*resources: Primitive, constraints=(), moved: dict[str, str] | None = None) -> Configuration:
    options = plain({"stonith-enabled": "false"})
    return Configuration(options=options, resources=resources, constraints=constraints, moved=moved or {})


FILES, DATABASE, WEB = primitive("files"), primitive("database"), primitive("web")
TIED = (
    Order("files-then-database", first="files", then="database"),
    Colocation("database-with-files", resource="database", with_resource="files", score="INFINITY"),
    Location("files-on-n2", resource="files", node="n2", score="100"),
)
BOTH = configuration(FILES, DATABASE, WEB, constraints=TIED)


class Calls:
    """What agents were called for, in the order in which the calls began, without monitors."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.made: list[tuple[str, str]] = []
        cluster.watch.append(self._watch)

    def _watch(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        calls = (effect.call for effect in effects if isinstance(effect, ev.RunAgent))
        self.made += [(call.operation, call.resource) for call in calls if call.operation != "monitor"]


@pytest.fixture
def cluster() -> SimulatedCluster:
    made = SimulatedCluster(("n1", "n2", "n3"), 1)
    made.start()
    made.apply(BOTH, "n1")
    assert made.until(lambda: made.world.where("database") == ["n2"] and len(made.world.where("web")) == 1)
    made.run(15_000)
    return made


def nodes(cluster: SimulatedCluster):
    return [host.node for host in cluster.hosts.values() if host.node is not None]


def agree(cluster: SimulatedCluster) -> bool:
    return len({digest(node.replica.shared) for node in nodes(cluster)}) == 1


def at_rest(cluster: SimulatedCluster) -> bool:
    return all(node.converged and not node.replica.cib.departing.resources for node in nodes(cluster))


@pytest.mark.parametrize("lost", [None, "dc", "n2", "n3"])
def test_whoever_dies_amid_a_removal_the_order_is_kept(cluster: SimulatedCluster, lost: str | None) -> None:
    calls = Calls(cluster)
    commit = cluster.apply(configuration(WEB), "n1")
    assert cluster.until(lambda: all(node.replica.commit == commit for node in nodes(cluster)))
    assert {tuple(one.id for one in node.replica.cib.departing.resources) for node in nodes(cluster)} == {
        ("files", "database")
    }
    if lost is not None:
        name = (
            next(host.name for host in cluster.hosts.values() if host.node and host.node.is_dc)
            if lost == "dc"
            else lost
        )
        cluster.hosts[name].crash()
        cluster.run(1_000)
        cluster.hosts[name].start()
    assert cluster.until(lambda: not cluster.world.where("files") and at_rest(cluster), 300_000)
    stops = [resource for operation, resource in calls.made if operation == "stop"]
    assert stops.index("files") > max(at for at, resource in enumerate(stops) if resource == "database")
    cluster.run(5_000)
    assert agree(cluster)
    assert cluster.world.faults == []


def test_a_revert_amid_a_removal_brings_all_back(cluster: SimulatedCluster) -> None:
    cluster.apply(configuration(WEB), "n1")
    assert cluster.until(lambda: not cluster.world.where("database"))
    commit = cluster.apply(replace(BOTH, constraints=TIED[:2]), "n3")
    assert cluster.until(lambda: all(node.replica.commit == commit for node in nodes(cluster)))
    assert cluster.until(lambda: all(cluster.world.where(name) for name in ("files", "database", "web")))
    cluster.run(5_000)
    assert agree(cluster)
    assert cluster.world.faults == []


DEVICE = Primitive("device", Agent("stonith", "fence_lab"))
RENAMED = configuration(
    FILES,
    primitive("db"),
    WEB,
    constraints=(
        Order("files-then-database", first="files", then="db"),
        Colocation("database-with-files", resource="db", with_resource="files", score="INFINITY"),
        TIED[2],
    ),
    moved={"database": "db"},
)


def fenced(made: Configuration) -> Configuration:
    return replace(made, options=plain({"stonith-enabled": "true"}), resources=(DEVICE, *made.resources))


def histories(cluster: SimulatedCluster) -> set[str]:
    return {one.id for state in nodes(cluster)[0].replica.cib.status.nodes for one in state.history} - {"device"}


def test_a_rename_stops_nothing_on_any_node(cluster: SimulatedCluster) -> None:
    calls = Calls(cluster)
    commit = cluster.apply(RENAMED, "n3")
    assert cluster.until(lambda: all(node.replica.commit == commit for node in nodes(cluster)))
    cluster.run(60_000)
    assert calls.made == []
    assert cluster.world.where("database") == ["n2"], "that is what its agent calls it"
    assert histories(cluster) == {"files", "db", "web"}
    assert agree(cluster)
    assert cluster.world.faults == []


def test_who_was_down_amid_a_rename_takes_it_over_when_it_comes_back() -> None:
    """Its process was away: it remembers the old name, finds that running, and the others hold the new name against it."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    cluster.apply(fenced(BOTH), "n1")
    assert cluster.until(lambda: cluster.world.where("database") == ["n2"] and len(cluster.world.where("web")) == 1)
    cluster.run(15_000)
    calls = Calls(cluster)
    cluster.hosts["n2"].crash()
    cluster.run(2_000)
    commit = cluster.apply(fenced(RENAMED), "n1")
    assert cluster.until(lambda: all(node.replica.commit == commit for node in nodes(cluster)), 8_000)
    cluster.hosts["n2"].start()
    cluster.run(90_000)
    assert cluster.hosts["n2"].on, "it came back before its grace was over"
    assert cluster.world.where("database") == ["n2"]
    assert cluster.world.where("db") == []
    assert [call for call in calls.made if call[1] in ("database", "db", "files")] == []
    assert histories(cluster) == {"files", "db", "web"}
    assert agree(cluster)
    assert cluster.world.faults == []


def on_n2(name: str, *, policy: str = "stop", moved: dict[str, str] | None = None) -> Configuration:
    made = configuration(
        primitive(name), constraints=(Location("at", resource=name, node="n2", score="100"),), moved=moved
    )
    return replace(made, options=plain({"stonith-enabled": "false", "no-quorum-policy": policy}))


class Together:
    """How often more than one of these was running, which are the same to what they run."""

    def __init__(self, cluster: SimulatedCluster, *names: str) -> None:
        self.cluster, self.names = cluster, names
        self.seen: list[list[str]] = []
        cluster.watch.append(self._watch)

    def _watch(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        running = [f"{name} on {where}" for name in self.names for where in self.cluster.world.where(name)]
        if len(running) > 1:
            self.seen.append(running)


def running_on_n2(policy: str = "stop") -> SimulatedCluster:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    cluster.apply(on_n2("database", policy=policy), "n1")
    assert cluster.until(lambda: cluster.world.where("database") == ["n2"])
    cluster.run(15_000)
    return cluster


def apply(cluster: SimulatedCluster, made: Configuration) -> None:
    """Activate it on n1; as long as it is refused for now it is offered again."""
    for _ in range(10):
        commit = cluster.apply(made, "n1")
        if cluster.until(lambda commit=commit: commit_of(cluster) == commit, 2_000):  # type: ignore[misc]
            return
    pytest.fail("it does not become active")


def commit_of(cluster: SimulatedCluster) -> str | None:
    node = cluster.hosts["n1"].node
    return None if node is None else node.replica.commit


@pytest.mark.parametrize("policy", ["stop", "freeze"])
def test_what_is_renamed_without_a_word_starts_nowhere_while_the_old_one_may_run_where_nobody_is_heard(
    policy: str,
) -> None:
    """Without fencing. Only the process is gone, or (frozen) the whole node: the old one runs on, and nobody can stop it."""
    cluster = running_on_n2(policy)
    together = Together(cluster, "database", "db")
    if policy == "freeze":
        cluster.network.cut([["n2"], ["n1", "n3"]])
    else:
        cluster.hosts["n2"].crash()
    cluster.run(3_000)
    apply(cluster, on_n2("db", policy=policy))
    cluster.run(60_000)
    assert cluster.world.where("db") == []
    cluster.network.heal()
    if policy == "stop":
        cluster.hosts["n2"].start()
    assert cluster.until(lambda: cluster.world.where("db") == ["n2"])
    assert cluster.world.where("database") == []
    assert together.seen == []


def test_a_move_that_is_reverted_while_its_node_is_away_starts_nothing_twice() -> None:
    cluster = running_on_n2()
    together = Together(cluster, "database", "db")
    cluster.hosts["n2"].crash()
    cluster.run(3_000)
    apply(cluster, on_n2("db", moved={"database": "db"}))
    apply(cluster, on_n2("database"))
    cluster.run(60_000)
    cluster.hosts["n2"].start()
    cluster.run(60_000)
    assert cluster.world.where("database") == ["n2"]
    assert together.seen == []
    assert agree(cluster)


@pytest.mark.parametrize(
    ("second", "moved"),
    [("data", {"database": "db", "db": "data"}), ("data", {"db": "data"}), ("db", {})],
    ids=["moved twice", "the first line is gone", "the line is taken out"],
)
def test_what_moved_goes_on_whatever_else_was_decided_while_its_node_was_away(
    second: str, moved: dict[str, str]
) -> None:
    cluster = running_on_n2()
    calls = Calls(cluster)
    cluster.hosts["n2"].crash()
    cluster.run(3_000)
    apply(cluster, on_n2("db", moved={"database": "db"}))
    apply(cluster, on_n2(second, moved=moved))
    cluster.hosts["n2"].start()
    cluster.run(60_000)
    assert calls.made == []
    assert cluster.world.where("database") == ["n2"], "that is what its agent calls it"
    assert histories(cluster) == {second}
    assert agree(cluster)


def test_a_name_that_means_something_else_by_now_is_not_taken_for_what_runs_under_it() -> None:
    """`database` went on as `db`, and another service got its name, while the node that runs it was away."""
    cluster = running_on_n2()
    calls = Calls(cluster)
    cluster.hosts["n2"].crash()
    cluster.run(3_000)
    apply(cluster, on_n2("db", moved={"database": "db"}))
    other = replace(primitive("database"), agent=Agent("ocf", "Other", "reconciler"))
    both = on_n2("db", moved={"database": "db"})
    apply(cluster, replace(both, resources=(*both.resources, other), moved={}))
    cluster.run(5_000)
    calls.made.clear()
    cluster.hosts["n2"].start()
    cluster.run(60_000)
    assert histories(cluster) == {"db", "database"}
    assert ("stop", "database") not in calls.made
    assert ("start", "db") not in calls.made


def goes(cluster: SimulatedCluster, how: str) -> None:
    """n2 is away: its process alone, the whole node with what runs on it, or the way to it."""
    match how:
        case "process":
            cluster.hosts["n2"].crash()
        case "power":
            cluster.hosts["n2"].power_off()
        case "cut":
            cluster.network.cut([["n2"], ["n1", "n3"]])


def comes_back(cluster: SimulatedCluster) -> None:
    cluster.network.heal()
    cluster.hosts["n2"].power_on()
    cluster.hosts["n2"].start()


AWAY = pytest.mark.parametrize("how", ["process", "power", "cut"])
FENCING = pytest.mark.parametrize("fencing", [False, True], ids=["without fencing", "with fencing"])
LONG = pytest.mark.parametrize("away_ms", [3_000, 90_000], ids=["soon back", "long away"])


def tied_on_n2(fencing: bool, policy: str = "stop") -> SimulatedCluster:
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    cluster.apply(optioned(BOTH, fencing, policy), "n1")
    assert cluster.until(lambda: cluster.world.where("database") == ["n2"] and len(cluster.world.where("web")) == 1)
    cluster.run(15_000)
    return cluster


def optioned(made: Configuration, fencing: bool, policy: str = "stop") -> Configuration:
    made = fenced(made) if fencing else made
    return replace(made, options=plain({"stonith-enabled": str(fencing).lower(), "no-quorum-policy": policy}))


@AWAY
@FENCING
@LONG
@pytest.mark.parametrize("policy", ["stop", "freeze"])
def test_what_is_removed_while_its_node_is_away_stops_in_order_and_is_forgotten(
    how: str, fencing: bool, away_ms: int, policy: str
) -> None:
    cluster = tied_on_n2(fencing, policy)
    calls = Calls(cluster)
    goes(cluster, how)
    cluster.run(2_000)
    apply(cluster, optioned(configuration(WEB), fencing, policy))
    cluster.run(away_ms)
    comes_back(cluster)
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and at_rest(cluster), 300_000)
    assert cluster.world.where("files") + cluster.world.where("database") == []
    stops = [resource for operation, resource in calls.made if operation == "stop"]
    if "files" in stops and "database" in stops:
        assert stops.index("files") > max(at for at, resource in enumerate(stops) if resource == "database")
    elif not fencing and how != "power":
        pytest.fail(f"somebody stopped only {stops}")
    assert [call for call in calls.made if call[0] == "start" and call[1] in ("files", "database")] == []
    assert histories(cluster) == {"web"}
    cluster.run(5_000)
    assert agree(cluster)
    assert cluster.world.faults == []
    assert [one for one in cluster.world.doubles if one.resource != "device"] == []


@AWAY
@FENCING
@LONG
@pytest.mark.parametrize("policy", ["stop", "freeze"])
def test_what_is_removed_and_wanted_again_while_its_node_is_away_runs_once(
    how: str, fencing: bool, away_ms: int, policy: str
) -> None:
    cluster = tied_on_n2(fencing, policy)
    goes(cluster, how)
    cluster.run(2_000)
    apply(cluster, optioned(configuration(WEB), fencing, policy))
    cluster.run(1_000)
    apply(cluster, optioned(BOTH, fencing, policy))
    cluster.run(away_ms)
    comes_back(cluster)
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and at_rest(cluster), 300_000)
    cluster.run(5_000)
    assert cluster.world.where("files") == cluster.world.where("database") == ["n2"]
    assert agree(cluster)
    assert cluster.world.faults == []
    assert [one for one in cluster.world.doubles if one.resource != "device"] == []


@AWAY
@FENCING
@LONG
@pytest.mark.parametrize("policy", ["stop", "freeze"])
def test_what_is_renamed_while_its_node_is_away_runs_once(how: str, fencing: bool, away_ms: int, policy: str) -> None:
    cluster = tied_on_n2(fencing, policy)
    together = Together(cluster, "database", "db")
    goes(cluster, how)
    cluster.run(2_000)
    apply(cluster, optioned(RENAMED, fencing, policy))
    cluster.run(away_ms)
    comes_back(cluster)
    assert cluster.until(lambda: len(nodes(cluster)) == 3 and at_rest(cluster), 300_000)
    cluster.run(5_000)
    assert cluster.world.where("files") == ["n2"]
    assert len(cluster.world.where("database") + cluster.world.where("db")) == 1
    assert histories(cluster) == {"files", "db", "web"}
    assert together.seen == []
    assert agree(cluster)
    assert cluster.world.faults == []
    assert [one for one in cluster.world.doubles if one.resource != "device"] == []
