"""What actions tell whoever carries them out, and what their digests are made from where that differs."""

from __future__ import annotations

import pytest
from action_texts import done, entry, found, state
from histories import DUMMY, NOW, cib

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.date import Instant
from reconciler.model.resource import Operation, Primitive
from reconciler.scheduler import schedule
from reconciler.scheduler.digest import digest
from reconciler.scheduler.plan import PlannedAction, merged


def action(given: Cib, task: str, node: str = "n1") -> PlannedAction:
    """The planned action of A with this task on the node."""
    plan = schedule(given, Instant(NOW))
    (wanted,) = (one for one in plan.actions if (one.resource, one.task, one.node) == ("A", task, node))
    return wanted


def with_start(params: dict[str, str], **of_start: str) -> Cib:
    """A, to be started on n1; `of_start` are parameters that its start sets itself."""
    start = Operation("start", params=plain(of_start), id="A-start")
    return cib(Primitive("A", DUMMY, params=plain(params), operations=(start,)), states=(state("n1", done(found(7))),))


def test_of_a_name_that_repeats_the_first_layer_counts() -> None:
    assert merged(({"a": "1"}, {"a": "2", "b": "3"}, {"b": "4"})) == {"a": "1", "b": "3"}


SAID = [
    pytest.param({"p": "1"}, {}, {"p": "1"}, None, id="its parameters, and nothing else is digested"),
    pytest.param({"p": "1"}, {"q": "2"}, {"p": "1", "q": "2"}, None, id="those of the operation beside them"),
    pytest.param(
        {"p": "1"},
        {"p": "2"},
        {"p": "2"},
        {"p": "1"},
        id="the operation's own value goes to the agent, the resource's is digested",
    ),
    pytest.param({"p": "1"}, {"p": "1"}, {"p": "1"}, None, id="the same value twice is nothing to tell apart"),
]


@pytest.mark.parametrize(("params", "of_start", "told", "digested"), SAID)
def test_parameters_and_what_is_digested(params, of_start, told, digested) -> None:
    start = action(with_start(params, **of_start), "start")
    assert {name: value for name, value in start.attributes.items() if name in "pq"} == told
    assert start.digested == digested


def test_a_reload_is_digested_as_the_start_that_it_stands_for() -> None:
    recorded = {"op_digest": digest({"p": "0"}), "op_restart_digest": digest({}), "op_force_restart": " q "}
    reload = Operation("reload-agent", params=plain({"p": "3"}), id="A-reload")
    given = cib(
        Primitive("A", DUMMY, params=plain({"p": "1"}), operations=(reload,)),
        states=(state("n1", done(entry("start", **recorded))),),
    )
    planned = action(given, "reload-agent")
    assert planned.attributes["p"] == "3"
    assert planned.digested == {"p": "1"}


def test_the_same_operation_on_many_nodes_is_told_from_shared_layers() -> None:
    given = cib(Primitive("A", DUMMY, params=plain({"p": "1"})), states=(state("n1"), state("n2")))
    plan = schedule(given, Instant(NOW))
    first, second = (one for one in plan.actions if one.task == "monitor" and one.resource == "A")
    shared = [one is other for one, other in zip(first.layers, second.layers, strict=True)]
    assert shared.count(False) == 1, "all but the node's own"
    assert first.attributes["CRM_meta_on_node"] != second.attributes["CRM_meta_on_node"]


def test_failures_of_a_plan_say_which_were_recovered_from() -> None:
    failed = entry("monitor", 1, interval_ms=10_000, call=2)
    given = cib(Primitive("A", DUMMY), states=(state("n1", done(entry("start"), failed)),))
    (failure,) = schedule(given, Instant(NOW)).failures
    assert (failure.resource, failure.node, failure.over, failure.entry.attributes["rc-code"]) == (
        "A",
        "n1",
        False,
        "1",
    )


def test_what_actions_of_several_resources_have_in_common_is_kept_once() -> None:
    given = cib(
        *(Primitive(id, DUMMY) for id in "AB"), states=(state("n1", done(found()), done(found("B"), name="B")),)
    )
    one, other = (action for action in schedule(given, Instant(NOW)).actions if action.task == "start")
    assert one.attributes == other.attributes
    assert {id(layer) for layer in one.layers} == {id(layer) for layer in other.layers}
