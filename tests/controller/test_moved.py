"""Resources that get another name go on without a stop: history, failures, monitors, and what their agents call them."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import transient
from reconciler.controller import events as ev
from reconciler.language import load
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive


def primitive(id: str, kind: str = "Dummy", **params: str) -> Primitive:
    agent = Agent("ocf", kind, "reconciler")
    return Primitive(id, agent, params=plain(params), operations=(Operation("monitor", "10s"),))


def configuration(*resources, moved: dict[str, str] | None = None, constraints=()) -> Configuration:
    options = plain({"stonith-enabled": "false", "start-failure-is-fatal": "false"})
    return Configuration(options=options, resources=resources, constraints=constraints, moved=moved or {})


BEFORE = configuration(primitive("files"), primitive("database"), constraints=(Order("o", "files", "database"),))
AFTER = configuration(
    primitive("files"), primitive("db"), constraints=(Order("o", "files", "db"),), moved={"database": "db"}
)


@pytest.fixture
def running(single, world):
    single.apply(BEFORE)
    single.converge()
    world.calls.clear()
    return single


def histories(single) -> set[str]:
    return {history.id for history in single.cib.status.nodes[0].history}


def test_nothing_is_asked_of_the_agent_but_a_monitor_under_the_name_it_knows(running, world) -> None:
    running.apply(AFTER)
    running.converge()
    assert histories(running) == {"files", "db"}
    assert world.calls == ["database monitor=10000"]
    running.assert_nothing_to_do()
    running.run(35_000)
    assert set(world.calls) == {"database monitor=10000", "files monitor=10000"}
    assert world.calls.count("database monitor=10000") >= 3
    assert not running.events("action_failed")


def test_it_is_stopped_under_the_name_it_was_started_with_and_starts_under_its_own(running, world) -> None:
    running.apply(AFTER)
    running.converge()
    world.calls.clear()
    running.apply(configuration(primitive("files"), primitive("db", x="1"), moved={"database": "db"}))
    running.converge()
    assert world.calls == ["database stop", "db start", "db monitor=10000"]
    assert world.running.keys() == {"files", "db"}


def test_it_can_be_removed_and_moved_once_more(running, world) -> None:
    running.apply(AFTER)
    running.converge()
    running.apply(configuration(primitive("files"), primitive("data"), moved={"database": "db", "db": "data"}))
    running.converge()
    assert histories(running) == {"files", "data"}
    running.apply(configuration(primitive("files")))
    running.converge()
    assert [call for call in world.calls if "monitor" not in call] == ["database stop"]
    assert world.running.keys() == {"files"}


@pytest.mark.parametrize("in_flight_done", [True, False])
def test_a_crash_leaves_both_names_known(running, world, in_flight_done) -> None:
    running.apply(AFTER)
    running.crash(in_flight_done=in_flight_done)
    running.converge()
    assert set(world.calls) <= {"database monitor", "database monitor=10000", "files monitor", "files monitor=10000"}
    running.run(15_000)
    running.crash()
    running.converge()
    assert not [call for call in world.calls if "stop" in call or "start" in call]
    assert histories(running) == {"files", "db"}


def test_failures_are_remembered_under_the_new_name(running, world) -> None:
    world.failing["database", "monitor"] = 1
    running.run(11_000)
    del world.failing["database", "monitor"]
    running.converge()
    assert "fail-count-database#monitor_10000" in transient(running.cib.status.nodes[0])
    running.apply(AFTER)
    running.converge()
    assert {name for name in transient(running.cib.status.nodes[0]) if name.startswith("fail-count")} == {
        "fail-count-db#monitor_10000"
    }


def test_a_failure_after_the_move_is_recovered_from(running, world) -> None:
    running.apply(AFTER)
    running.converge()
    world.calls.clear()
    del world.running["database"]
    running.feed(ev.ProcessesGone(running.now, "database"))
    running.converge()
    assert [call for call in world.calls if "monitor" not in call] == ["database stop", "db start"]


def test_a_promoted_instance_stays_promoted(single, world) -> None:
    def clone(id: str, moved: dict[str, str]) -> Configuration:
        return configuration(Clone("dbs", primitive(id), meta=plain({"promotable": "true"})), moved=moved)

    world.scores["db"] = "10"
    single.apply(clone("db", {}))
    single.converge()
    assert world.promoted == {"db"}
    world.calls.clear()
    single.apply(clone("data", {"db": "data"}))
    single.converge()
    assert {call for call in world.calls if "monitor" not in call} == set()
    assert transient(single.cib.status.nodes[0])["master-data"] == "10"
    single.assert_nothing_to_do()


def test_a_member_of_a_group_moves_alone(single, world) -> None:
    single.apply(configuration(Group("g", (primitive("a"), primitive("b"), primitive("c")))))
    single.converge()
    world.calls.clear()
    single.apply(configuration(Group("g", (primitive("a"), primitive("bb"), primitive("c"))), moved={"b": "bb"}))
    single.converge()
    assert world.calls == ["b monitor=10000"]


@pytest.mark.parametrize(
    ("after", "calls"),
    [
        (
            configuration(primitive("files"), primitive("db", "Other"), moved={"database": "db"}),
            ["database stop", "db start"],
        ),
        (
            configuration(primitive("files"), primitive("database"), primitive("db"), moved={"database": "db"}),
            ["db start"],
        ),
    ],
    ids=["another agent", "still there"],
)
def test_what_is_no_move_is_done_as_without(running, world, after, calls) -> None:
    running.apply(after)
    running.converge()
    assert [call for call in world.calls if "monitor" not in call] == calls


def test_a_move_waits_while_something_is_under_way(running, world) -> None:
    running.apply(configuration(primitive("files"), primitive("database", x="1")))
    running.apply(AFTER, "f" * 40)
    refused = running.events("rejected")[-1]
    assert refused["transient"]
    assert "under way" in refused["reason"]
    running.converge()
    world.calls.clear()
    running.apply(AFTER, "f" * 40)
    running.converge()
    assert [call for call in world.calls if "monitor" not in call] == ["database stop", "db start"], "x is gone again"


def test_a_name_that_its_agent_still_has_is_not_used_for_something_else(running, world) -> None:
    """What moved runs under its former name until it stops: a probe, start or stop of another resource of that name would be of it."""
    running.apply(AFTER)
    running.converge()
    world.calls.clear()
    both = configuration(primitive("files"), primitive("db"), primitive("database", x="2"))
    running.apply(both)
    running.run(30_000)
    assert {call for call in world.calls if "monitor=" not in call} == set(), "nothing is asked of the agent"
    assert world.running.keys() == {"files", "database"}, "that is db"
    assert "db has this name here" in running.events("action_failed")[-1]["exit_reason"]
    running.apply(configuration(primitive("files"), primitive("db", x="1"), primitive("database", x="2")))
    running.run(30_000)
    assert world.running.keys() == {"files", "database", "db"}, (
        "it was stopped for another reason, and the name is free"
    )


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("primitives: {db: {agent: 'ocf:reconciler:Dummy'}}\nmoved: {database: db}\n", []),
        (
            "primitives: {db: {agent: 'ocf:reconciler:Dummy'}}\nmoved: {db: data}\n",
            ["moved-nowhere", "moved-still-there"],
        ),
        ("primitives: {db: {agent: 'ocf:reconciler:Dummy'}}\nmoved: {a: db, b: db}\n", ["moved-twice"]),
        ("primitives: {db: {agent: 'ocf:reconciler:Dummy'}}\nmoved: {a: [db]}\n", ["wrong-type"]),
    ],
)
def test_the_language_says_what_moved(text: str, codes: list[str]) -> None:
    found = load({"c.yaml": (text + "cluster: {options: {fencing-enabled: false}}\n").encode()})
    assert sorted(finding.code for finding in found.findings if finding.code != "fencing-disabled") == codes
    if not codes:
        assert found.configuration is not None
        assert found.configuration.moved == {"database": "db"}
