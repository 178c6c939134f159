"""Fail counts: which attributes count, when failures are forgotten, and when that is told."""

from __future__ import annotations

import pytest
from histories import NOW, cib, entry, history, primitive, read, shown, state

from reconciler.model.attributes import plain
from reconciler.model.resource import Clone, Operation, Primitive
from reconciler.model.score import INFINITY
from reconciler.scheduler.placing.thresholds import threshold_reached
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.recalling.fail_counts import fail_count, last_failure
from reconciler.scheduler.working.cluster import Cluster

FAILED = (entry("start"), entry("monitor", 1, interval_ms=10_000, call=2, id="A_last_failure_0"))


def counted(
    attributes: dict[str, str], meta: dict[str, str] | None = None, id: str = "A", *, effective: bool = True
) -> int:
    cluster = read(cib(primitive(id, meta), states=[state("n1", history(*FAILED, id=id), transient=attributes)]))
    resource = find(cluster, id)
    assert resource is not None
    return fail_count(cluster, resource, cluster.node_index["n1"], effective=effective, include_fillers=False)


NAMES = [
    pytest.param({"fail-count-A#monitor_10000": "2"}, 2, id="one operation's failures"),
    pytest.param({"fail-count-A#start_0": "1", "fail-count-A#stop_0": "2"}, 3, id="those of all operations add up"),
    pytest.param({"fail-count-A#start_0": "INFINITY", "fail-count-A#stop_0": "2"}, INFINITY, id="as scores do"),
    pytest.param({"fail-count-AB#start_0": "2"}, 0, id="another resource's don't count"),
    pytest.param({"fail-count-A": "2"}, 0, id="nor do those without an operation"),
    pytest.param({"fail-count-A:0#start_0": "2"}, 0, id="nor an instance's, for what is no instance"),
    pytest.param({"fail-count-A#start": "2"}, 0, id="an interval belongs to the operation"),
]


@pytest.mark.parametrize(("attributes", "expected"), NAMES)
def test_which_attributes_count(attributes: dict[str, str], expected: int) -> None:
    assert counted(attributes) == expected


def test_a_dot_in_a_name_stands_for_any_character_as_it_does_for_pacemaker() -> None:
    assert counted({"fail-count-AxB#start_0": "2"}, id="A.B") == 2


def test_all_instances_of_an_anonymous_clone_count_together() -> None:
    attributes = {"fail-count-A:7#start_0": "2", "fail-count-A#stop_0": "1"}
    cluster = read(cib(Clone("C", primitive()), states=[state("n1", transient=attributes)]))
    instance = find(cluster, "A:0")
    assert instance is not None
    assert fail_count(cluster, instance, cluster.node_index["n1"], effective=True, include_fillers=False) == 3


def test_an_instance_of_a_unique_clone_counts_alone() -> None:
    unique = Clone("C", primitive(), meta=plain({"globally-unique": "true", "clone-max": "2"}))
    cluster = read(cib(unique, states=[state("n1", transient={"fail-count-A:1#start_0": "2"})]))
    counts = [
        fail_count(cluster, instance, cluster.node_index["n1"], effective=True, include_fillers=False)
        for instance in cluster.resources[0].children
    ]
    assert counts == [0, 2]


COUNT = {"fail-count-A#monitor_10000": "3", "last-failure-A#monitor_10000": str(NOW - 1000)}

EXPIRED = [
    pytest.param("999", 0, "Started n1", id="the timeout is over"),
    pytest.param("1000", 3, "FAILED Started n1", id="the entry's is over, the fail count's ends with this second"),
    pytest.param("1001", 3, "FAILED Started n1", id="neither is over"),
    pytest.param("0", 3, "FAILED Started n1", id="without a timeout nothing is forgotten"),
    pytest.param("PT15M", 0, "Started n1", id="a duration by ISO 8601"),
]


@pytest.mark.parametrize(("timeout", "expected", "role"), EXPIRED)
def test_expiry(timeout: str, expected: int, role: str) -> None:
    meta = {"failure-timeout": timeout}
    cluster = read(cib(primitive("A", meta), states=[state("n1", history(*FAILED), transient=COUNT)]))
    assert shown(cluster) == role
    assert counted(COUNT, meta) == expected
    assert counted(COUNT, meta, effective=False) == 3


ALONE = [
    pytest.param("1000", "Started n1", id="in the very second"),
    pytest.param("1001", "FAILED Started n1", id="not before"),
]


@pytest.mark.parametrize(("timeout", "role"), ALONE)
def test_an_entry_without_a_fail_count_expires_by_itself(timeout: str, role: str) -> None:
    one = primitive("A", {"failure-timeout": timeout})
    assert shown(read(cib(one, states=[state("n1", history(*FAILED))]))) == role


def test_without_a_recorded_time_nothing_expires() -> None:
    assert counted({"fail-count-A#monitor_10000": "3"}, {"failure-timeout": "10"}) == 3


def test_the_last_of_several_failures_decides() -> None:
    attributes = COUNT | {"fail-count-A#start_0": "1", "last-failure-A#start_0": str(NOW - 5)}
    assert counted(attributes, {"failure-timeout": "999"}) == 4


BLOCKING = Operation("monitor", "10s", {"on-fail": "block"})


def test_a_failure_that_blocks_never_expires() -> None:
    blocked = Primitive("A", primitive().agent, meta=plain({"failure-timeout": "500"}), operations=(BLOCKING,))
    cluster = read(cib(blocked, states=[state("n1", history(*FAILED), transient=COUNT)]))
    assert shown(cluster) == "FAILED Started n1 blocked"


def test_a_success_of_an_operation_that_would_block_does_not_keep_other_failures() -> None:
    blocked = Primitive("A", primitive().agent, meta=plain({"failure-timeout": "500"}), operations=(BLOCKING,))
    fine = (entry("start"), entry("monitor", interval_ms=10_000, call=2, id="A_monitor_10000"))
    attributes = {"fail-count-A#start_0": "3", "last-failure-A#start_0": str(NOW - 1000)}
    cluster = read(cib(blocked, states=[state("n1", history(*fine), transient=attributes)]))
    resource = find(cluster, "A")
    assert resource is not None
    assert fail_count(cluster, resource, cluster.node_index["n1"], effective=True, include_fillers=False) == 0


def cleared(cluster: Cluster) -> list[str]:
    return [
        f"{action.key} {action.cause.detail}" for action in cluster.actions if "clear" in action.task and action.cause
    ]


def test_what_expired_is_cleared() -> None:
    one = primitive("A", {"failure-timeout": "999"})
    cluster = read(cib(one, states=[state("n1", history(*FAILED), transient=COUNT)]))
    assert cleared(cluster) == ["A_clear_failcount_0 it expired"]
    (action,) = [action for action in cluster.actions if "clear" in action.task]
    assert (action.optional, action.meta["op_no_wait"]) == (False, "true")


def test_a_failure_under_other_parameters_is_cleared() -> None:
    changed = (entry("start", 1, id="A_last_failure_0", op_digest="0" * 32),)
    cluster = read(cib(primitive(), states=[state("n1", history(*changed), transient=COUNT)]))
    assert cleared(cluster) == ["A_clear_failcount_0 resource parameters have changed"]


def test_also_when_what_is_recorded_as_the_last_failure_found_it_stopped() -> None:
    changed = (entry("monitor", 7, id="A_last_failure_0", op_digest="0" * 32),)
    cluster = read(cib(primitive(), states=[state("n1", history(*changed), transient=COUNT)]))
    assert cleared(cluster) == ["A_clear_failcount_0 resource parameters have changed"]


def test_a_failure_whose_parameters_nobody_recorded_is_not() -> None:
    unknown = (entry("start", 1, id="A_last_failure_0"),)
    assert cleared(read(cib(primitive(), states=[state("n1", history(*unknown), transient=COUNT)]))) == []


def test_the_cluster_is_told_when_a_failure_will_be_forgotten() -> None:
    one = primitive("A", {"failure-timeout": "1500"})
    assert read(cib(one, states=[state("n1", history(*FAILED), transient=COUNT)])).recheck_by_s == NOW + 500


THRESHOLDS = [
    pytest.param({"migration-threshold": "3"}, 3, id="reached"),
    pytest.param({"migration-threshold": "4"}, 0, id="not yet reached"),
    pytest.param({"migration-threshold": "0"}, 0, id="switched off"),
    pytest.param({"migration-threshold": "-5"}, 3, id="what is negative counts as one"),
    pytest.param({}, 0, id="without one, only infinitely many failures count"),
]


@pytest.mark.parametrize(("meta", "expected"), THRESHOLDS)
def test_migration_threshold(meta: dict[str, str], expected: int) -> None:
    cluster = read(cib(primitive("A", meta), states=[state("n1", history(*FAILED), transient=COUNT)]))
    resource = find(cluster, "A")
    assert resource is not None
    assert threshold_reached(cluster, resource, cluster.node_index["n1"]) == expected


def test_the_last_failure_is_the_latest_time_recorded() -> None:
    attributes = {"last-failure-A#start_0": "17", "last-failure-A#stop_0": "19", "last-failure-B#stop_0": "23"}
    cluster = read(cib(primitive(), states=[state("n1", transient=attributes)]))
    resource = find(cluster, "A")
    assert resource is not None
    assert last_failure(cluster, resource, cluster.node_index["n1"]) == 19


def test_old_clusters_record_no_operation() -> None:
    from dataclasses import replace

    old = replace(cib(primitive(), states=[state("n1", transient={"fail-count-A": "2"})]), feature_set="3.0.12")
    cluster = read(old)
    resource = find(cluster, "A")
    assert resource is not None
    assert fail_count(cluster, resource, cluster.node_index["n1"], effective=True, include_fillers=False) == 2
