"""What a commit removes is stopped in the order that it had, and then goes: a node of one in virtual time."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.controller.journal import restore
from reconciler.controller.messages import Settled
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Order
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive


def primitive(id: str, **params: str) -> Primitive:
    agent = Agent("ocf", "Dummy", "reconciler")
    return Primitive(id, agent, params=plain(params), operations=(Operation("monitor", "10s"),))


def configuration(*resources, constraints=(), **options: str) -> Configuration:
    written = {"stonith-enabled": "false"} | {name.replace("_", "-"): value for name, value in options.items()}
    return Configuration(options=plain(written), resources=resources, constraints=constraints)


FILES, DATABASE, WEB = primitive("files"), primitive("database"), primitive("web")
UNDER = Order("files-then-database", first="files", then="database")
WITH = Colocation("database-with-files", resource="database", with_resource="files", score="INFINITY")
BOTH = configuration(FILES, DATABASE, WEB, constraints=(UNDER, WITH))
REST = configuration(WEB)


def told(world) -> list[str]:
    """What was done, without monitors."""
    calls = [call for call in world.calls if "monitor" not in call]
    world.calls.clear()
    return calls


@pytest.fixture
def running(single, world):
    """A node on which the database runs on its files."""
    single.apply(BOTH)
    single.converge()
    told(world)
    return single


def departing(single) -> list[str]:
    return [resource.id for resource in single.cib.departing.resources]


@pytest.mark.parametrize(
    ("before", "after", "calls"),
    [
        (BOTH, REST, ["database stop", "files stop"]),
        (configuration(Group("g", (FILES, DATABASE)), WEB), REST, ["database stop", "files stop"]),
        (
            configuration(Group("g", (FILES, DATABASE, WEB))),
            configuration(Group("g", (WEB,))),
            ["database stop", "files stop"],
        ),
        (
            configuration(Group("g", (WEB, FILES, DATABASE))),
            configuration(Group("g", (WEB,))),
            ["database stop", "files stop"],
        ),
        (
            configuration(Clone("c", Group("g", (FILES, DATABASE))), WEB),
            REST,
            ["database stop", "files stop"],
        ),
        (
            configuration(Clone("c", Group("g", (FILES, DATABASE, WEB)))),
            configuration(Clone("c", Group("g", (WEB,)))),
            ["database stop", "files stop"],
        ),
        # The name of the group is used for something else.
        (
            configuration(Group("g", (FILES, DATABASE))),
            configuration(primitive("g", x="1")),
            ["database stop", "g start", "files stop"],
        ),
    ],
    ids=["order", "group", "group-front", "group-end", "clone", "part-of-clone", "name-of-group"],
)
def test_what_is_removed_stops_in_the_order_that_it_had(single, world, before, after, calls) -> None:
    single.apply(before)
    single.converge()
    told(world)
    single.apply(after)
    single.converge()
    assert told(world) == calls
    assert departing(single) == []
    assert {history.id for history in single.cib.status.nodes[0].history} == {
        one for one in ("web", "g") if one in world.running
    }
    single.assert_nothing_to_do()


def test_what_stays_is_not_stopped_for_what_goes_under_it(running, world) -> None:
    running.apply(configuration(DATABASE, WEB))
    running.converge()
    assert told(world) == ["files stop"]


def test_what_stays_stops_first_if_it_is_to_be_restarted_anyway(running, world) -> None:
    running.apply(configuration(primitive("database", at="elsewhere"), WEB))
    running.converge()
    calls = told(world)
    assert calls.index("database stop") < calls.index("files stop")
    assert set(calls) == {"database stop", "files stop", "database start"}


def test_what_goes_stops_before_what_it_depended_on_is_restarted(running, world) -> None:
    running.apply(configuration(primitive("files", device="another"), WEB))
    running.converge()
    assert told(world) == ["database stop", "files stop", "files start"]


def test_an_order_that_is_turned_round_does_not_close_a_circle(single, world) -> None:
    """`middle` came after `low` and before `high`, of which now the one comes after the other."""
    low, middle, high = (primitive(name) for name in ("low", "middle", "high"))
    orders = (Order("a", first="low", then="middle"), Order("b", first="middle", then="high"))
    single.apply(configuration(low, middle, high, constraints=orders))
    single.converge()
    told(world)
    turned = (Order("c", first="high", then="low"),)
    single.apply(configuration(primitive("low", x="1"), primitive("high", x="1"), constraints=turned))
    single.converge()
    assert told(world) == ["middle stop", "low stop", "high stop", "high start", "low start"]


@pytest.mark.parametrize("in_flight_done", [True, False])
def test_a_restart_in_the_middle_forgets_neither_order_nor_definition(running, world, in_flight_done) -> None:
    running.apply(REST)
    running.tick()
    assert departing(running) == ["files", "database"]
    running.crash(in_flight_done=in_flight_done)
    assert departing(running) == ["files", "database"]
    running.converge()
    calls = told(world)
    assert calls.index("files stop") > max(at for at, call in enumerate(calls) if call == "database stop")
    assert set(world.running) == {"web"}
    assert departing(running) == []


def test_a_revert_in_the_middle_starts_again_what_had_stopped(running, world) -> None:
    running.apply(REST)
    while "database stop" not in world.calls:
        running.tick()
    assert set(world.running) == {"files", "web"}
    running.apply(BOTH)
    assert departing(running) == []
    running.converge()
    assert told(world) in (
        ["database stop", "database start"],
        ["database stop", "files stop", "files start", "database start"],
    )
    assert set(world.running) == {"files", "database", "web"}


def test_a_commit_on_top_goes_on_with_what_still_departs(running, world) -> None:
    running.apply(REST)
    running.tick()
    assert "database stop" in world.calls
    running.apply(configuration(primitive("web", x="1")))
    assert departing(running) == ["files"], "what has stopped by then has gone"
    running.converge()
    calls = told(world)
    assert calls.index("database stop") < calls.index("files stop")
    assert set(world.running) == {"web"}


def test_what_fails_to_start_while_it_is_removed_is_no_problem(running, world) -> None:
    world.failing["late", "start"] = 1
    running.apply(configuration(FILES, DATABASE, WEB, primitive("late"), constraints=(UNDER, WITH)))
    while not any((call.resource, call.operation) == ("late", "start") for _, _, call in running.agents):
        assert running.tick()
    told = len(running.emitted)
    running.apply(BOTH)
    running.converge()
    assert "late start" in world.calls
    rests = [emit.fields["problems"] for emit in running.emitted[told:] if emit.type == "converged"]
    assert rests
    assert not any(rests)


def test_a_stop_that_fails_keeps_what_it_stands_on(running, world) -> None:
    world.failing["database", "stop"] = 1
    running.apply(REST)
    running.converge()
    assert set(world.running) == {"files", "database", "web"}
    assert departing(running) == ["files", "database"]
    assert "database" in {problem["resource"] for problem in running.node.problems}
    del world.failing["database", "stop"]
    running.feed(ev.CleanupAsked(running.now, ("database",)))
    running.converge()
    assert set(world.running) == {"web"}
    assert departing(running) == []


def test_what_is_removed_is_left_running_where_the_configuration_says_so(running, world) -> None:
    running.apply(configuration(WEB, stop_orphan_resources="false"))
    running.converge()
    assert told(world) == []
    assert set(world.running) == {"files", "database", "web"}


def test_the_same_under_a_new_name_starts_only_once_the_old_has_stopped(running, world) -> None:
    running.apply(configuration(FILES, DATABASE, replace(WEB, id="site"), constraints=(UNDER, WITH)))
    while not running.node.converged:
        running.tick()
        assert not {"web", "site"} <= set(world.running), "both run at once"
    assert "site monitor" not in world.calls, "it would have found the old one"
    assert told(world) == ["web stop", "site start"]
    assert running.cib.departing == Configuration()


def test_the_same_under_a_new_name_is_not_started_when_the_old_does_not_stop(running, world) -> None:
    world.failing["web", "stop"] = 1
    running.apply(configuration(FILES, DATABASE, replace(WEB, id="site"), constraints=(UNDER, WITH)))
    running.converge()
    assert "site start" not in world.calls
    assert set(world.running) == {"files", "database", "web"}


def test_what_has_stopped_goes_by_the_dcs_word_that_nothing_is_left(running) -> None:
    """The rule is one of the shared state, so every member drops it when it hears that."""
    running.apply(REST)
    running.converge()
    settled = [message for data in running.sent if isinstance(message := unseal(data).message, Settled)]
    assert settled[-1].version == str(running.cib.version)
    replica, unused = restore("n1", running.snapshot, running.journal[running.kept :])
    assert unused == []
    assert replica.shared == running.node.replica.shared
