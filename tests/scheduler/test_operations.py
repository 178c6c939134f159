"""Configured operations: which one belongs to an action, its values, and what follows its failure."""

from __future__ import annotations

import pytest
from histories import DUMMY, NOW, cib, read

from reconciler.model.attributes import AttributeBlock, Defaults, plain
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.model.rule import OperationExpression, Rule
from reconciler.scheduler.evaluating.operations import (
    action_values,
    find_operation,
    on_fail,
    operation_for,
    requirement,
)
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.resource import Resource


def cluster_with(
    *operations: Operation,
    defaults: dict[str, str] | None = None,
    agent: Agent = DUMMY,
    params: dict[str, str] | None = None,
) -> tuple[Cluster, Resource]:
    one = Primitive("A", agent, operations=operations, params=plain(params or {}))
    cluster = read(cib(one, defaults=Defaults(operations=plain(defaults or {}))))
    resource = find(cluster, "A")
    assert resource is not None
    return cluster, resource


def values(cluster: Cluster, resource: Resource, task: str, interval_ms: int = 0) -> dict[str, str]:
    operation = operation_for(resource, task, interval_ms, include_disabled=True)
    return action_values(cluster, resource, task, interval_ms, operation, cluster.nodes[0])[0]


OFTEN, RARELY = Operation("monitor", "10s", id="often"), Operation("monitor", "1min", id="rarely")

FOUND = [
    pytest.param("A_monitor_10000", "often", id="by name and interval"),
    pytest.param("A_monitor_60000", "rarely", id="whatever the unit"),
    pytest.param("a_MONITOR_10000", "often", id="the case doesn't count"),
    pytest.param("A_monitor_20000", None, id="another interval"),
    pytest.param("B_monitor_10000", None, id="another resource's key"),
    pytest.param("A_migrate_to_0", "migrate", id="a migration takes the operation migrate"),
    pytest.param("A_migrate_from_0", "own", id="unless it has one of its own"),
    pytest.param("A_pre_notify_start_0", "notify", id="a notification takes the operation notify"),
    pytest.param("A_last_failure", None, id="what is no key"),
]


@pytest.mark.parametrize(("key", "expected"), FOUND)
def test_which_operation_belongs_to_a_key(key: str, expected: str | None) -> None:
    others = (Operation("migrate", id="migrate"), Operation("migrate_from", id="own"), Operation("notify", id="notify"))
    _, resource = cluster_with(OFTEN, RARELY, *others)
    found = find_operation(resource, key, include_disabled=True)
    assert (None if found is None else found.id) == expected


def test_disabled_operations_give_values_but_do_not_count_as_configured() -> None:
    off, on = Operation("monitor", "10s", {"enabled": "no"}, id="off"), Operation("monitor", "10s", id="on")
    _, resource = cluster_with(off, on)
    assert operation_for(resource, "monitor", 10_000, include_disabled=True) is off
    assert operation_for(resource, "monitor", 10_000, include_disabled=False) is on
    _, resource = cluster_with(off)
    assert operation_for(resource, "monitor", 10_000, include_disabled=False) is None


TIMEOUTS = [
    pytest.param("start", 0, (Operation("start", "0", {"timeout": "5s"}, plain({"timeout": "6s"})),), {}, "5000", id="own key"),
    pytest.param("start", 0, (Operation("start", meta=plain({"timeout": "6s"})),), {"timeout": "77s"}, "6000", id="own block"),
    pytest.param("start", 0, (), {"timeout": "77s"}, "77000", id="defaults"),
    pytest.param("start", 0, (), {}, "20000", id="nothing said"),
    pytest.param("start", 0, (Operation("start", "0", {"timeout": "PT5S"}),), {}, "20000", id="what can't be read"),
    pytest.param("start", 0, (Operation("start", "0", {"timeout": "0"}),), {}, "0", id="zero stays zero"),
    pytest.param(
        "monitor",
        0,
        (Operation("monitor", "10s", {"timeout": "9s"}), Operation("monitor", "5s", {"timeout": "8s"})),
        {},
        "8000",
        id="a probe takes the timeout of the most frequent monitor",
    ),
    pytest.param(
        "monitor",
        0,
        (Operation("monitor", "10s", {"timeout": "9s"}), Operation("monitor", "5s", {"timeout": "8s", "enabled": "false"})),
        {},
        "9000",
        id="but not of one that is disabled",
    ),
    pytest.param(
        "monitor", 0, (Operation("monitor", "10s", meta=plain({"timeout": "6s"})),), {"timeout": "77s"}, "77000",
        id="only the monitor's own key counts for a probe",
    ),
    pytest.param(
        "monitor",
        0,
        (Operation("monitor", "10s", {"timeout": "9s"}), Operation("monitor", "0", {"timeout": "3s"})),
        {},
        "3000",
        id="a probe's own operation counts most",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("task", "interval_ms", "operations", "defaults", "expected"), TIMEOUTS)
def test_timeouts(
    task: str, interval_ms: int, operations: tuple[Operation, ...], defaults: dict[str, str], expected: str
) -> None:
    assert values(*cluster_with(*operations, defaults=defaults), task, interval_ms)["timeout"] == expected


def test_a_fence_device_has_a_timeout_of_its_own_for_start_and_probe() -> None:
    device = cluster_with(agent=Agent("stonith", "fence_xvm"), params={"pcmk_monitor_timeout": "90"})
    assert [values(*device, task)["timeout"] for task in ("start", "monitor", "stop")] == ["90000", "90000", "20000"]


def test_operation_defaults_may_depend_on_the_operation() -> None:
    rule = Rule((OperationExpression("monitor", "10s"),))
    one = Primitive("A", DUMMY)
    cluster = read(cib(one, defaults=Defaults(operations=(AttributeBlock({"timeout": "7s"}, (rule,)),))))
    resource = find(cluster, "A")
    assert resource is not None
    assert values(cluster, resource, "monitor", 10_000)["timeout"] == "7000"
    assert values(cluster, resource, "monitor", 20_000)["timeout"] == "20000"


def test_values_are_the_callers_own() -> None:
    cluster, resource = cluster_with(OFTEN)
    values(cluster, resource, "monitor", 10_000)["timeout"] = "changed"
    assert values(cluster, resource, "monitor", 10_000) == {"name": "monitor", "interval": "10000", "timeout": "20000"}


def origin(text: str) -> Operation:
    return Operation("monitor", "60s", {"interval-origin": text})


DELAYS = [
    pytest.param(Operation("monitor", "60s", {"start-delay": "5s"}), "5000", id="a delay that is given"),
    pytest.param(Operation("monitor", "60s", {"start-delay": "soon"}), "0", id="one that can't be read"),
    pytest.param(origin("2023-11-14 22:13:15Z"), "55000", id="five seconds after the origin: 55 to go"),
    pytest.param(origin("2023-11-14 22:13:20Z"), "0", id="at the origin"),
    pytest.param(origin("2023-11-14 22:14:00Z"), "40000", id="before the origin: until then"),
    pytest.param(origin("2023-11-14 23:13:30Z"), "10000", id="less whole intervals"),
]


@pytest.mark.parametrize(("operation", "expected"), DELAYS)
def test_start_delays(operation: Operation, expected: str) -> None:
    assert NOW == 1_700_000_000, "2023-11-14 22:13:20Z"
    assert values(*cluster_with(operation), "monitor", 60_000)["start-delay"] == expected


PROMOTED_MONITOR = Operation("monitor", "10s", {"role": "Promoted", "on-fail": "block"})

POLICIES = [
    pytest.param("monitor", 10_000, (), "recover Started", id="nothing said: recover"),
    pytest.param("promote", 0, (), "recover Unpromoted", id="after a promotion that failed it is unpromoted"),
    pytest.param("stop", 0, (), "block Started", id="a stop that fails blocks, where there is no fencing"),
    pytest.param(
        "stop", 0, (Operation("stop", "0", {"on-fail": "standby"}),), "block Started", id="standby is no answer to it"
    ),
    pytest.param("stop", 0, (Operation("stop", "0", {"on-fail": "ignore"}),), "ignore Started", id="ignore is"),
    pytest.param(
        "start", 0, (Operation("start", "0", {"on-fail": "FENCE"}),), "stop Stopped", id="fence without fencing: stop"
    ),
    pytest.param(
        "start", 0, (Operation("start", "0", {"on-fail": "demote"}),), "recover Started", id="a start can't be demoted"
    ),
    pytest.param(
        "promote", 0, (Operation("promote", "0", {"on-fail": "demote"}),), "demote Unpromoted", id="a promotion can"
    ),
    pytest.param(
        "demote", 0, (PROMOTED_MONITOR,), "block Started", id="a demotion follows the promoted role's monitor"
    ),
    pytest.param(
        "lrm_delete", 0, (Operation("lrm_delete", "0", {"on-fail": "block"}),), "ignore Started", id="clean-up"
    ),
    pytest.param(
        "start",
        0,
        (Operation("start", "0", {"role_after_failure": "Stopped"}),),
        "recover Stopped",
        id="a role that is given",
    ),
]


@pytest.mark.parametrize(("task", "interval_ms", "operations", "expected"), POLICIES)
def test_what_follows_a_failure(task: str, interval_ms: int, operations: tuple[Operation, ...], expected: str) -> None:
    cluster, resource = cluster_with(*operations)
    operation = operation_for(resource, task, interval_ms, include_disabled=True)
    policy = on_fail(cluster, resource, task, interval_ms, operation, values(cluster, resource, task, interval_ms))
    assert f"{policy.on_fail} {policy.role}" == expected


NEEDS = [
    pytest.param({}, {"stonith-enabled": "true"}, "fencing", id="fencing where it is enabled"),
    pytest.param({}, {}, "quorum", id="else quorum"),
    pytest.param({}, {"no-quorum-policy": "ignore"}, "nothing", id="unless nobody cares for it"),
    pytest.param({"requires": "nothing"}, {"stonith-enabled": "true"}, "nothing", id="what is said counts"),
    pytest.param({"requires": "fencing"}, {}, "fencing", id="even where it can't be had"),
    pytest.param({"requires": "unfencing"}, {}, "quorum", id="unfencing without fencing is quorum"),
    pytest.param({"requires": "luck"}, {"stonith-enabled": "true"}, "fencing", id="an unknown word is none"),
]


@pytest.mark.parametrize(("meta", "options", "expected"), NEEDS)
def test_what_a_start_needs(meta: dict[str, str], options: dict[str, str], expected: str) -> None:
    cluster = read(cib(Primitive("A", DUMMY, meta=plain(meta)), options=options))
    resource = find(cluster, "A")
    assert resource is not None
    assert requirement(resource, "start") == expected
    assert requirement(resource, "stop") == "nothing"
