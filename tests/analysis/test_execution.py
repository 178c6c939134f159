"""The simulated execution: what is carried out in which order, what comes of it, and how failures stop it."""

from __future__ import annotations

from reconciler.analysis.execution import Depth, Execution, Failure, simulate_execution
from reconciler.analysis.steady import settle, steady
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.scheduler import schedule
from reconciler.scheduler.digest import digest
from reconciler.scheduler.plan import Verb

NOW = Instant(1_700_000_000)
ONLINE = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
MONITOR = Operation("monitor", "10s", id="m")


def cluster(*resources: Primitive, constraints: tuple[Order, ...] = (), nodes: tuple[NodeState, ...] = ()) -> Cib:
    states = nodes or (NodeState("1", "n1", ONLINE),)
    configuration = Configuration(
        options=plain({"stonith-enabled": "false"}),
        nodes=tuple(NodeDefinition(state.name, state.id) for state in states),
        resources=resources,
        constraints=constraints,
    )
    return Cib(configuration, Status(states), have_quorum=True, dc_id="1", feature_set="3.16.1")


def dummy(id: str) -> Primitive:
    return Primitive(id, Agent("ocf", "Dummy", "pacemaker"), operations=(MONITOR,))


def carried_out(cib: Cib, *failures: Failure, depth: Depth = Depth.FULL) -> Execution:
    return simulate_execution(schedule(cib, NOW), cib, failures=failures, depth=depth)


def tasks(execution: Execution) -> list[str]:
    return [f"{step.name} {step.action.task} {step.action.interval_ms}" for step in execution.steps]


def history(cib: Cib, node: int = 0) -> dict[str, dict[str, str]]:
    return {entry.id: dict(entry.attributes) for own in cib.status.nodes[node].history for entry in own.entries}


def test_probe_start_and_monitor_follow_one_another_and_are_recorded():
    execution = carried_out(cluster(dummy("A")))
    assert tasks(execution) == ["A monitor 0", "A start 0", "A monitor 10000"]
    entries = history(execution.cib)
    assert [(id, entry["rc-code"], entry["call-id"]) for id, entry in entries.items()] == [
        ("A_last_0", "0", "2"),
        ("A_monitor_10000", "0", "3"),
    ]
    assert entries["A_last_0"]["op-digest"] == "f2317cad3d54cec5d7d7aa7d0bf35cf8"
    assert entries["A_last_0"]["last-rc-change"] == str(NOW.epoch_s)
    assert not execution.unfinished
    assert not execution.failed


def test_afterwards_there_is_nothing_left_to_do():
    assert schedule(carried_out(cluster(dummy("A"), dummy("B"))).cib, NOW).empty


def test_what_depends_on_a_failed_action_is_not_carried_out():
    cib = cluster(dummy("A"), dummy("B"), constraints=(Order("o", "A", "B"),))
    execution = carried_out(cib, Failure("A", "start", 0, "n1", 1))
    assert execution.failed
    assert {(action.resource, action.task) for action in execution.unfinished} >= {("B", "start"), ("A", "monitor")}
    assert execution.steps[-1].rc == 1
    node = execution.cib.status.nodes[0]
    counted = {name: value for block in node.transient for name, value in block.values.items()}
    assert counted == {"fail-count-A#start_0": "1", "last-failure-A#start_0": str(NOW.epoch_s)}
    assert set(history(execution.cib)) == {"A_last_0", "A_last_failure_0", "B_last_0"}


def test_a_failure_counts_on_top_of_earlier_ones():
    old = plain({"fail-count-A#start_0": "4", "other": "x"})
    cib = cluster(dummy("A"), nodes=(NodeState("1", "n1", ONLINE, transient=old),))
    execution = carried_out(cib, Failure("a", "start", 0, "N1", 1))
    (block,) = execution.cib.status.nodes[0].transient
    assert block.values["fail-count-A#start_0"] == "5"
    assert block.values["other"] == "x"


def test_a_probe_that_finds_nothing_is_no_failure():
    execution = carried_out(cluster(dummy("A")), Failure("A", "monitor", 0, "n1", 7))
    assert execution.failed
    assert execution.cib.status.nodes[0].transient == ()


def test_an_entry_that_is_replaced_keeps_its_other_keys():
    entry = HistoryEntry("A_last_0", {"operation": "stop", "rc-code": "0", "call-id": "7", "on_node": "n1"})
    known = ResourceHistory("A", {"class": "ocf", "provider": "pacemaker", "type": "Dummy"}, (entry,))
    cib = cluster(dummy("A"), nodes=(NodeState("1", "n1", ONLINE, history=(known,)),))
    replaced = history(carried_out(cib).cib)["A_last_0"]
    assert (replaced["operation"], replaced["on_node"], replaced["call-id"]) == ("start", "n1", "9")


def shutting_down() -> Cib:
    leaving = NodeState("1", "n1", ONLINE, transient=plain({"shutdown": "1700000000"}))
    return cluster(dummy("A"), nodes=(leaving, NodeState("2", "n2", ONLINE)))


def test_a_shutdown_takes_the_node_away_where_all_has_its_effect():
    execution = carried_out(shutting_down())
    assert execution.cib.status.nodes[0].attributes["crmd"] == "offline"
    assert schedule(execution.cib, NOW).empty


def test_a_shutdown_has_no_effect_where_the_reference_has_none():
    execution = carried_out(shutting_down(), depth=Depth.SHALLOW)
    assert execution.cib.status.nodes[0].attributes["crmd"] == "online"


def fenced() -> Cib:
    lost = NodeState("2", "n2", {"in_ccm": "false", "crmd": "offline", "expected": "member"}, plain({"x": "1"}))
    cib = cluster(Primitive("F", Agent("stonith", "fence_dummy")), nodes=(NodeState("1", "n1", ONLINE), lost))
    options = plain({"stonith-enabled": "true"})
    return replace(cib, configuration=replace(cib.configuration, options=options))


def test_fencing_clears_what_was_known_of_the_node():
    execution = carried_out(fenced())
    assert [step.fencing for step in execution.steps if step.fencing] == ["reboot"]
    node = execution.cib.status.nodes[1]
    assert (node.transient, node.history, node.has_history) == ((), (), False)
    assert node.attributes == {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
    assert schedule(execution.cib, NOW).empty


def test_the_input_is_left_alone():
    cib = cluster(dummy("A"))
    before = repr(cib)
    carried_out(cib)
    assert repr(cib) == before


def test_a_restart_for_a_parameter_that_is_not_reloadable_happens_once() -> None:
    """What was recorded by an agent that reloads has a digest of its own for such parameters, which the new start renews."""
    agent = Agent("ocf", "Dummy", "pacemaker")

    def web(port: str) -> Configuration:
        primitive = Primitive("web", agent, params=plain({"port": port, "note": "x"}))
        options = plain({"stonith-enabled": "false"})
        return Configuration("c", options=options, nodes=(NodeDefinition("n1"),), resources=(primitive,))

    now = Instant(1_700_000_000)
    before = steady(web("80"), now).cib
    reloading = {"op-force-restart": " port ", "op-restart-digest": digest({"port": "80"})}
    states = tuple(
        replace(
            state,
            history=tuple(
                replace(
                    history,
                    entries=tuple(replace(one, attributes={**one.attributes, **reloading}) for one in history.entries),
                )
                for history in state.history
            ),
        )
        for state in before.status.nodes
    )
    changed = replace(before, configuration=web("8080"), status=replace(before.status, nodes=states))
    settled = settle(changed, now)
    assert settled.final is not None
    assert [change.verb for plan in settled.plans for change in plan.changes] == [Verb.RESTART]
