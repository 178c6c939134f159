"""Asking for actions: what is found and what is made, whether it is required and can be, and why (specification part 3, section 3)."""

from __future__ import annotations

import pytest
from action_texts import any_cib, state
from histories import FENCE_DEVICE, NOW, Texts, primitive

from reconciler.model.attributes import plain
from reconciler.model.date import Instant
from reconciler.model.resource import Operation
from reconciler.scheduler.noting.actions import (
    action_key,
    assigned_nowhere,
    find_actions,
    find_actions_exactly,
    make_required,
    make_unrunnable,
    newest,
)
from reconciler.scheduler.noting.fencing import fence_operation
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.state import read_state
from reconciler.scheduler.working.action import Action
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.resource import Resource

LOST = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "member"}
DOWN = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}


def cluster(
    *operations: Operation,
    meta: Texts | None = None,
    quorum: bool = True,
    n2: Texts | None = None,
    **options: str,
) -> Cluster:
    """Two nodes with A and a fence device; `n2` is what is recorded of n2."""
    given = {name.replace("_", "-"): value for name, value in options.items()}
    resources = (primitive("A", meta, *operations), FENCE_DEVICE)
    states = (state("n1"), state("n2", **(n2 or {})))
    return read_state(any_cib(*resources, states=states, options=given, quorum=quorum), Instant(NOW))


def a_of(one: Cluster) -> tuple[Resource, ClusterNode, ClusterNode]:
    resource = find(one, "A")
    assert resource is not None
    return resource, one.node_index["n1"], one.node_index["n2"]


def ask(one: Cluster, task: str, node: ClusterNode | None, *, optional: bool = False, interval_ms: int = 0) -> Action:
    resource = find(one, "A")
    assert resource is not None
    return request(one, resource, action_key("A", task, interval_ms), task, node, optional=optional)


def test_what_is_asked_for_again_is_found() -> None:
    one = cluster()
    _, n1, n2 = a_of(one)
    first = ask(one, "stop", n1)
    assert ask(one, "stop", n1, optional=True) is first
    assert first.required, "once required, a request for an optional action changes nothing"
    assert ask(one, "stop", n2) is not first
    assert ask(one, "stop", None) is first, "without a node the oldest will do"


def test_keys_are_the_same_in_any_case() -> None:
    one = cluster()
    resource, n1, _ = a_of(one)
    action = ask(one, "start", n1)
    assert request(one, resource, "a_START_0", "start", n1, optional=True) is action


def test_an_action_without_a_node_is_given_the_first_that_asks() -> None:
    one = cluster()
    resource, n1, _ = a_of(one)
    action = ask(one, "start", None)
    assert not action.runnable
    assert find_actions_exactly(resource, "A_start_0", n1) == []
    assert find_actions(resource, "A_start_0", n1) == [action]
    assert action.node is n1
    assert ask(one, "start", n1).runnable


def test_the_newest_is_of_one_node_or_of_any() -> None:
    one = cluster()
    resource, n1, n2 = a_of(one)
    first, second = ask(one, "stop", n1), ask(one, "stop", n2)
    assert newest(resource, task="stop") is second
    assert newest(resource, task="stop", node=n1) is first
    assert newest(resource, key="A_stop_0", node=n2) is second
    assert newest(resource, task="start") is None


def test_ids_count_in_order_of_creation() -> None:
    one = cluster()
    _, n1, n2 = a_of(one)
    begin = one.next_action_id
    ids = [ask(one, "monitor", n1).id, ask(one, "monitor", n2).id, ask(one, "monitor", n1).id]
    assert ids == [begin, begin + 1, begin]


RUNNABLE = [
    pytest.param(cluster(), "start", "n1", True, None, id="an online node can"),
    pytest.param(cluster(n2=DOWN), "start", "n2", False, None, id="an offline node can't"),
    pytest.param(cluster(n2=DOWN), "lrm_delete", "n2", True, None, id="but its history can be deleted"),
    pytest.param(cluster(quorum=False), "start", "n1", False, "no quorum", id="a start needs quorum"),
    pytest.param(cluster(quorum=False), "stop", "n1", True, None, id="a stop doesn't"),
    pytest.param(cluster(quorum=False, meta={"requires": "nothing"}), "start", "n1", True, None, id="requires=nothing"),
    pytest.param(
        cluster(quorum=False, no_quorum_policy="freeze"), "start", "n1", False, "quorum freeze", id="frozen, not active"
    ),
    pytest.param(cluster(quorum=False, no_quorum_policy="ignore"), "start", "n1", True, None, id="quorum is ignored"),
    pytest.param(
        cluster(quorum=False, no_quorum_policy="demote"), "start", "n1", False, "no quorum", id="demote: not promotable"
    ),
]


@pytest.mark.parametrize(("one", "task", "node", "runnable", "reason"), RUNNABLE)
def test_whether_an_action_can_be(one: Cluster, task: str, node: str, runnable: bool, reason: str | None) -> None:
    action = ask(one, task, one.node_index[node])
    assert (action.runnable, action.reason) == (runnable, reason)


def test_on_a_node_that_is_joining_nothing_can_be_but_deletions() -> None:
    one = cluster()
    _, n1, _ = a_of(one)
    n1.pending = True
    assert not ask(one, "monitor", n1).runnable
    assert ask(one, "lrm_delete", n1).runnable


def test_a_stop_on_a_lost_node_has_it_fenced() -> None:
    one = cluster(n2=DOWN, stonith_enabled="true")
    n2 = one.node_index["n2"]
    ask(one, "stop", n2)
    assert n2.unclean
    assert [(action.key, action.reason) for action in one.actions if action.task == "stonith"] == [
        ("stonith-n2-reboot", "stop is unrunnable")
    ]


def test_asking_again_judges_anew_and_forgets_the_reason() -> None:
    one = cluster()
    _, n1, _ = a_of(one)
    action = ask(one, "stop", n1)
    make_unrunnable(action, "unrunnable B start")
    assert ask(one, "stop", n1).runnable
    assert action.reason is None


def test_an_unmanaged_resource_has_optional_actions_but_for_recurring_ones() -> None:
    one = cluster(meta={"is-managed": "false"})
    _, n1, _ = a_of(one)
    assert ask(one, "start", n1).optional
    assert ask(one, "stop", None).required, "without a node it is not clear yet"
    assert ask(one, "monitor", n1, interval_ms=10_000).required


def test_the_first_reason_stays_unless_overwritten() -> None:
    one = cluster()
    _, n1, _ = a_of(one)
    action = ask(one, "stop", n1, optional=True)
    make_required(action, "required B stop")
    make_required(action, "required C stop")
    assert action.reason == "required B stop"
    make_required(action, "node availability", overwrite=True)
    assert (action.reason, action.required) == ("node availability", True)


def test_what_is_planned_for_a_resource_without_node() -> None:
    one = cluster()
    resource, n1, _ = a_of(one)
    tasks = {task: ask(one, task, n1, optional=True) for task in ("start", "stop", "delete")}
    active, inactive = (ask(one, "monitor", n1, optional=True, interval_ms=ms) for ms in (10_000, 20_000))
    inactive.expected_rc = 7
    assigned_nowhere(one, resource)
    assert tasks["stop"].required
    assert not tasks["start"].runnable
    assert tasks["delete"].runnable
    assert (active.runnable, inactive.runnable) == (False, True)


def test_values_belong_to_the_action_and_come_from_the_operation() -> None:
    operation = Operation("monitor", "10s", {"timeout": "7s"}, params=plain({"depth": "20"}), id="m")
    one = cluster(operation)
    _, n1, n2 = a_of(one)
    first, second = (ask(one, "monitor", node, interval_ms=10_000) for node in (n1, n2))
    first.meta["timeout"] = "1"
    assert (second.meta["timeout"], second.meta["interval"], second.extra) == ("7000", "10000", {"depth": "20"})
    assert first.operation is operation


def test_a_disabled_operation_has_values_too() -> None:
    one = cluster(Operation("start", attributes={"timeout": "9s", "enabled": "false"}, id="s"))
    assert ask(one, "start", one.node_index["n1"]).meta["timeout"] == "9000"


def test_one_fence_operation_for_each_node_and_kind() -> None:
    one = cluster(stonith_enabled="true")
    n2 = one.node_index["n2"]
    operation = fence_operation(one, n2, optional=True, reason="first")
    assert fence_operation(one, n2, optional=False, reason="second") is operation
    assert (operation.required, operation.reason) == (True, "first")
    assert operation.meta == {"on_node": "n2", "on_node_uuid": "n2", "stonith_action": "reboot"}
    assert fence_operation(one, n2, "on", optional=True, reason=None) is not operation


def test_a_node_that_cannot_be_fenced_is_not() -> None:
    one = cluster(stonith_enabled="false")
    assert fence_operation(one, one.node_index["n2"], optional=False, reason="why").optional


DELAYS = [
    pytest.param({"n1": 5, "n2": 9}, LOST, "30", id="the partition that lost more waits"),
    pytest.param({"n1": 9, "n2": 5}, LOST, "0", id="the one with the highest priority doesn't"),
    pytest.param({"n1": 5, "n2": 5}, LOST, "0", id="with equal priorities nobody waits"),
    pytest.param({"n1": 5, "n2": 9}, {}, "0", id="a target that is here is fenced at once"),
]


@pytest.mark.parametrize(("priorities", "n2", "delay"), DELAYS)
def test_priority_fencing_delay(priorities: dict[str, int], n2: Texts, delay: str) -> None:
    one = cluster(n2=n2, stonith_enabled="true", priority_fencing_delay="30s")
    for name, priority in priorities.items():
        one.node_index[name].priority = priority
    operation = fence_operation(one, one.node_index["n2"], optional=True, reason=None, priority_delay=True)
    assert operation.meta["priority-fencing-delay"] == delay


def test_a_partition_with_most_members_does_not_wait() -> None:
    states = (state("n1"), state("n3"), state("n2", **LOST))
    options = {"stonith-enabled": "true", "priority-fencing-delay": "30s"}
    given = any_cib(primitive(), FENCE_DEVICE, nodes=("n1", "n2", "n3"), states=states, options=options)
    one = read_state(given, Instant(NOW))
    one.node_index["n2"].priority = 9
    operation = fence_operation(one, one.node_index["n2"], optional=True, reason=None, priority_delay=True)
    assert operation.meta["priority-fencing-delay"] == "0"
