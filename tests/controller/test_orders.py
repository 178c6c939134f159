"""What an order says of a planned action, how many travel together, and what the history is told of how one ended."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.analysis.recording import Launched, OperationOutcome
from reconciler.cib import Cib
from reconciler.cib.observations import EntryForgotten, Recorded, ResourceForgotten
from reconciler.controller.agent_calls import agent_call, observations_of, probe_attributes
from reconciler.controller.messages import AgentOrder
from reconciler.controller.orders import bundles, history_id, make_order
from reconciler.frozen import replace
from reconciler.model.operation import OperationStatus
from reconciler.model.resource import Agent
from reconciler.model.status import NodeState, ResourceHistory, Status
from reconciler.scheduler.plan import Terms

from .test_coordinator import DUMMY, act, plan


def remembered(*names: str) -> Cib:
    histories = tuple(ResourceHistory(name, {}, ()) for name in names)
    return Cib(status=Status(nodes=(NodeState("n1", "n1", history=histories),)))


@pytest.mark.parametrize(
    ("known", "long", "id"),
    [
        ((), "a:0", "a"),
        (("a",), "a:0", "a"),
        (("a:0",), "a:0", "a:0"),
        (("a", "a:0"), "a:0", "a"),
        (("a:0",), None, "a"),
    ],
)
def test_a_resource_goes_by_the_name_that_the_node_remembers(known: tuple[str, ...], long: str | None, id: str) -> None:
    action = act(1, "start", long_id=long)
    assert history_id(action, remembered(*known)) == id
    assert history_id(replace(action, node=None), remembered(*known)) == "a"
    assert history_id(replace(action, primitive_id=None, long_id=None), Cib()) == "a"


def test_an_order_has_everything_that_carrying_it_out_takes() -> None:
    action = act(
        7, "start", target_rc=5, interval_ms=9, layers=({"x": "1", "CRM_meta_timeout": "2"},), digested={"x": "d"}
    )
    order = make_order(plan(action, terms=Terms(start_failure_is_fatal=False)), action, Cib(), 41, "run")
    assert (order.action, order.timeout_ms) == (7, 20_000)
    launched = order.launched
    assert (launched.resource, launched.task, launched.node, launched.node_id) == ("a", "start", "n1", "n1")
    assert (launched.agent, launched.transition_key, launched.target_rc) == (DUMMY, "7:41:5:run", 5)
    assert (launched.interval_ms, launched.start_failure_is_fatal, launched.digested) == (9, False, {"x": "d"})
    call = agent_call(order)
    assert (call.parameters, call.meta, call.timeout_ms) == ({"x": "1"}, {"CRM_meta_timeout": "2"}, 20_000)


def test_what_no_agent_carries_out_has_an_order_all_the_same() -> None:
    action = act(7, "delete", agent=None, node=None)
    launched = make_order(plan(action), action, Cib(), 41, "run").launched
    assert (launched.agent, launched.node) == (Agent("", ""), "")


def sizes(*bytes_of: int) -> list[int]:
    order = AgentOrder(1, 5, Launched("a", "start", "n1", "n1", DUMMY, "1:1:0:run"))
    return [len(part) for part in bundles((order, size) for size in bytes_of)]


MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        (sizes(), []),
        (sizes(5), [1]),
        (sizes(*[1] * 200), [200]),
        (sizes(*[1] * 401), [200, 200, 1]),
        (sizes(MIB // 2, MIB // 2), [2]),
        (sizes(MIB // 2, MIB // 2, 1), [2, 1]),
        (sizes(MIB // 2, MIB // 2 + 1), [1, 1]),
        (sizes(3 * MIB, 1, 1), [1, 2]),
    ],
)
def test_as_many_orders_travel_together_as_a_message_of_a_bounded_size_takes(told: list[int], parts: list[int]) -> None:
    assert told == parts


def seen(task: str, rc: int = 0, **attributes: str) -> tuple[Any, ...]:
    launched = Launched("a", task, "n1", "n1", DUMMY, "1:1:0:run", attributes=attributes)
    return observations_of(launched, OperationOutcome(rc, OperationStatus.DONE, 5, 9))


def test_what_was_deleted_is_forgotten_and_what_was_cancelled_with_its_entry() -> None:
    assert seen("delete") == (ResourceForgotten("n1", "a"),)
    told = {"CRM_meta_operation": "monitor", "CRM_meta_interval": "5000"}
    assert seen("cancel", **told) == (EntryForgotten("n1", "a", "a_monitor_5000"),)
    assert seen("notify", 1) == ()
    (entry,) = seen("start")
    assert isinstance(entry, Recorded)
    assert (entry.entry.id, entry.entry.attributes["call-id"]) == ("a_last_0", "9")


def test_what_is_said_of_one_operation_is_not_said_of_a_probe() -> None:
    dropped = {
        f"CRM_meta_{name}": "1" for name in ("interval", "name", "op_target_rc", "timeout", "start_delay", "on_fail")
    }
    assert probe_attributes({**dropped, "CRM_meta_other": "1", "interval": "2"}) == {
        "CRM_meta_other": "1",
        "interval": "2",
    }
