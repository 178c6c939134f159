"""Recorded results: what they say about a resource, and what follows from them."""

from __future__ import annotations

import pytest
from histories import FENCE_DEVICE, cib, entry, history, primitive, promotable, read, shown, state

from reconciler.model.attributes import Defaults, plain
from reconciler.model.resource import Clone, Group, Operation
from reconciler.model.status import HistoryEntry
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.working.cluster import Cluster

START = entry("start", call=1)


def monitored(rc: int, status: int | None = None, **more: str) -> tuple[HistoryEntry, ...]:
    return START, entry("monitor", rc, status, interval_ms=10_000, call=2, **more)


def after(*entries: HistoryEntry, operation: Operation | None = None, meta: dict[str, str] | None = None) -> Cluster:
    """A cluster of two nodes without fencing, where n1 remembers the entries of A."""
    operations = () if operation is None else (operation,)
    return read(cib(primitive("A", meta, *operations), states=[state("n1", history(*entries)), state("n2")]))


PROBES = [
    pytest.param(0, None, "Started n1", id="a probe that finds it running"),
    pytest.param(7, None, "Stopped", id="or not running, as expected"),
    pytest.param(8, None, "Promoted n1", id="or promoted"),
    pytest.param(1, None, "FAILED Started n1", id="an error leaves it presumed active"),
    pytest.param(9, None, "FAILED Promoted n1", id="promoted but failed"),
    pytest.param(3, None, "FAILED Started n1, not on n1", id="an agent that can't do it bans the node"),
    pytest.param(4, None, "FAILED Started n1, not on n1", id="so do insufficient privileges"),
    pytest.param(6, None, "FAILED Started n1, not on n1 n2", id="a faulty configuration bans every node"),
    pytest.param(124, None, "FAILED Started n1", id="a code that nobody knows is an error"),
    pytest.param(2, None, "Stopped, not on n1", id="invalid parameters: it can't run here, and doesn't"),
    pytest.param(5, None, "Stopped, not on n1", id="not installed: the same"),
    pytest.param(0, 7, "Stopped, not on n1", id="the agent is not installed: the same, whatever the code"),
    pytest.param(190, None, "Started n1", id="degraded is running"),
    pytest.param(191, None, "Promoted n1", id="degraded and promoted"),
    pytest.param(193, -1, "Stopped", id="a probe under way says nothing"),
]


@pytest.mark.parametrize(("rc", "status", "expected"), PROBES)
def test_probes(rc: int, status: int | None, expected: str) -> None:
    assert shown(after(entry("monitor", rc, status))) == expected


@pytest.mark.parametrize(("rc", "masked"), [(5, True), (2, True), (190, False), (191, False), (1, False)])
def test_failed_probes_are_listed_and_those_for_want_of_software_beside_the_resource(rc: int, masked: bool) -> None:
    (failed,) = after(entry("monitor", rc)).failed
    assert failed.masked is masked


RESULTS = [
    pytest.param((START,), "Started n1", id="a start"),
    pytest.param((START, entry("stop", call=2)), "Stopped", id="a stop after it"),
    pytest.param(monitored(0), "Started n1", id="a monitor that finds it running"),
    pytest.param(monitored(7), "FAILED Started n1", id="a monitor that finds it stopped when it shouldn't be"),
    pytest.param(monitored(8), "FAILED Promoted n1", id="or promoted when it shouldn't be"),
    pytest.param(monitored(193, -1), "Started n1", id="a monitor under way"),
    pytest.param((entry("start", 193, -1, call=-1),), "Started n1", id="a start under way counts as started"),
    pytest.param((entry("start", 1),), "FAILED Started n1", id="a start that failed leaves it presumed active"),
    pytest.param((entry("start", 1), entry("stop", call=2)), "Stopped", id="a stop cleans up after it"),
    pytest.param((START, entry("stop", 1, call=2)), "FAILED Started n1 blocked, not on n1", id="a stop that failed"),
    pytest.param(monitored(1, 2), "FAILED Started n1", id="a timeout is a failure"),
    pytest.param(monitored(0, 1), "Started n1", id="a cancellation is none"),
    pytest.param(monitored(1, 99), "Started n1", id="a status that nobody knows is skipped"),
    pytest.param(
        (START, entry("start", call=2, name="A"), entry("notify", 1, call=3)), "Started n1", id="notify is skipped"
    ),
    pytest.param(monitored(1, 10), "FAILED Started n1, not on n1", id="no fence device: banned here"),
    pytest.param(
        (*monitored(1), entry("monitor", interval_ms=10_000, call=3)), "Started n1", id="the same monitor is well again"
    ),
    pytest.param(
        (*monitored(1), entry("monitor", interval_ms=20_000, call=3)),
        "FAILED Started n1",
        id="another monitor doesn't help",
    ),
]


@pytest.mark.parametrize(("entries", "expected"), RESULTS)
def test_results(entries: tuple[HistoryEntry, ...], expected: str) -> None:
    assert shown(after(*entries)) == expected


POLICIES = [
    pytest.param("ignore", "Started n1", id="ignore: nothing happened"),
    pytest.param("restart", "FAILED Started n1", id="restart: it failed"),
    pytest.param("block", "FAILED Started n1 blocked", id="block: it stays as it is"),
    pytest.param(
        "stop", "FAILED Started n1, next Stopped, not on n1 n2", id="stop: it has to stay stopped, everywhere"
    ),
    pytest.param("migrate", "FAILED Started n1, not on n1", id="migrate: away from here"),
    pytest.param("standby", "FAILED Started n1", id="standby: the node has to be left by all"),
    pytest.param("fence", "FAILED Started n1, next Stopped, not on n1 n2", id="fence, where there is none, is stop"),
    pytest.param("demote", "FAILED Started n1", id="demote of an operation that can't: it failed"),
    pytest.param("restart-container", "FAILED Started n1", id="restart-container without one: it failed"),
    pytest.param("whatever", "FAILED Started n1", id="a word that there isn't: it failed"),
]


@pytest.mark.parametrize(("word", "expected"), POLICIES)
def test_policies_of_a_monitor(word: str, expected: str) -> None:
    cluster = after(*monitored(1), operation=Operation("monitor", "10s", {"on-fail": word}))
    assert shown(cluster) == expected
    assert cluster.node_index["n1"].standby_on_fail is (word == "standby")


def test_an_ignored_failure_is_listed_and_noted() -> None:
    cluster = after(*monitored(1), operation=Operation("monitor", "10s", {"on-fail": "ignore"}))
    resource = find(cluster, "A")
    assert resource is not None
    assert resource.found.failure_ignored
    assert [failed.entry.id for failed in cluster.failed] == ["A_monitor_10000_2"]


def test_fencing_follows_a_failed_stop_where_it_is_possible() -> None:
    states = [state("n1", history(START, entry("stop", 1, call=2))), state("n2")]
    cluster = read(cib(FENCE_DEVICE, primitive(), states=states, options={"stonith-enabled": "true"}))
    node = cluster.node_index["n1"]
    assert (node.unclean, node.fence_reason) == (True, "A failed there")
    assert shown(cluster).startswith("FAILED Started n1, not on n1")


def test_what_runs_on_a_lost_node_gets_it_fenced() -> None:
    states = [state("n1", history(START), in_ccm="false", crmd="offline", join="down", expected="down"), state("n2")]
    cluster = read(cib(FENCE_DEVICE, primitive(), states=states, options={"stonith-enabled": "true"}))
    assert cluster.node_index["n1"].fence_reason == "A is thought to be active there"


def test_without_fencing_the_history_of_a_lost_node_is_not_read() -> None:
    states = [state("n1", history(START), in_ccm="false", crmd="offline", join="down", expected="down"), state("n2")]
    assert shown(read(cib(primitive(), states=states))) == "Stopped"


def test_a_failure_that_calls_for_recovery_requires_a_stop() -> None:
    cluster = after(*monitored(1))
    assert [(action.key, action.node and action.node.name, action.optional) for action in cluster.actions] == [
        ("A_monitor_10000", "n1", True),
        ("A_stop_0", "n1", False),
    ]


def test_results_count_in_order_of_time_not_in_the_order_written() -> None:
    assert shown(after(entry("stop", call=5), entry("start", call=4))) == "Stopped"


def test_a_result_that_was_stopped_elsewhere_later_stays_active_where_it_was() -> None:
    states = [state("n1", history(START)), state("n2", history(entry("stop")))]
    assert shown(read(cib(primitive(), states=states))) == "Started n1"


MULTIPLE = [
    pytest.param("stop_start", "Started n1 n2", id="usually it is stopped and started again"),
    pytest.param("stop_only", "Started n1 n2, not on n1 n2", id="stop_only: it may not start anywhere"),
    pytest.param("block", "Started n1 n2 blocked", id="block: it is left alone"),
    pytest.param("what?", "Started n1 n2", id="a word that there isn't means the usual"),
]


@pytest.mark.parametrize(("policy", "expected"), MULTIPLE)
def test_active_on_two_nodes(policy: str, expected: str) -> None:
    states = [state("n1", history(START)), state("n2", history(START))]
    assert shown(read(cib(primitive("A", {"multiple-active": policy}), states=states))) == expected


def test_blocking_a_member_blocks_the_group_that_says_so_too() -> None:
    web = Group("G", (primitive("A"), primitive("B")), meta=plain({"multiple-active": "block"}))
    states = [state("n1", history(START)), state("n2", history(START))]
    cluster = read(cib(web, states=states))
    assert shown(cluster, "B") == "Stopped blocked"


PROMOTIONS = [
    pytest.param(
        (*monitored(1), entry("demote", call=3)), "FAILED Unpromoted n1", id="a demotion makes up for nothing else"
    ),
    pytest.param((START,), "Started n1", id="a start alone"),
    pytest.param((entry("monitor", 0),), "Unpromoted n1", id="what is found running is unpromoted"),
    pytest.param((START, entry("promote", call=2)), "Promoted n1", id="promoted"),
    pytest.param((START, entry("promote", call=2), entry("demote", call=3)), "Unpromoted n1", id="and demoted"),
    pytest.param(
        (START, entry("promote", 1, call=2)), "FAILED Promoted n1, next Unpromoted", id="a promotion that failed"
    ),
    pytest.param(
        (START, entry("demote", 1, call=2)),
        "FAILED Unpromoted n1",
        id="a demotion that failed leaves it unpromoted, presumably",
    ),
    pytest.param((START, entry("demote", 7, call=2)), "FAILED Unpromoted n1", id="also when the agent says stopped"),
]


@pytest.mark.parametrize(("entries", "expected"), PROMOTIONS)
def test_promotion(entries: tuple[HistoryEntry, ...], expected: str) -> None:
    cluster = read(cib(promotable("P", primitive()), states=[state("n1", history(*entries)), state("n2")]))
    assert shown(cluster, "A:0") == expected


def test_a_failed_member_of_an_anonymous_clone_bans_the_whole_clone() -> None:
    cluster = read(cib(Clone("C", primitive()), states=[state("n1", history(entry("monitor", 5))), state("n2")]))
    clone = find(cluster, "C")
    assert clone is not None
    assert shown(cluster, "A:1").endswith("not on n1")


def test_anonymous_instances_are_numbered_in_the_order_in_which_nodes_are_recorded() -> None:
    states = [state("n2", history(START)), state("n1", history(START))]
    cluster = read(cib(Clone("C", primitive()), states=states))
    assert [shown(cluster, f"A:{number}") for number in (0, 1)] == ["Started n2", "Started n1"]


def test_a_second_history_of_an_anonymous_clone_on_one_node_is_an_orphan() -> None:
    twice = state("n1", history(entry("start", name="A:0"), id="A:0"), history(entry("start", name="A:1"), id="A:1"))
    cluster = read(cib(Clone("C", primitive()), states=[twice, state("n2")]))
    extra = find(cluster, "A:2")
    assert extra is not None
    assert extra.configured.orphan
    assert shown(cluster, "A:2") == "Started n1"


def test_what_is_no_longer_configured_is_an_orphan_that_may_run_nowhere() -> None:
    cluster = read(cib(primitive(), states=[state("n1", history(entry("start", name="old"), id="old")), state("n2")]))
    orphan = find(cluster, "old")
    assert orphan is not None
    assert orphan.configured.orphan
    assert shown(cluster, "old") == "Started n1, not on n1 n2"


def test_orphans_may_be_left_alone() -> None:
    states = [state("n1", history(entry("start", name="old"), id="old"))]
    cluster = read(cib(states=states, options={"stop-orphan-resources": "false"}))
    assert shown(cluster, "old") == "Started n1 unmanaged"


def test_resource_defaults_apply_to_orphans() -> None:
    defaults = Defaults(resources=plain({"priority": "7"}))
    cluster = read(cib(states=[state("n1", history(entry("start", name="old"), id="old"))], defaults=defaults))
    orphan = find(cluster, "old")
    assert orphan is not None
    assert orphan.priority == 7


RECURRING = [
    pytest.param((START, *monitored(0)[1:]), ["A_monitor_10000"], id="a monitor after the start is current"),
    pytest.param((*monitored(0), entry("stop", call=3)), [], id="not after a stop"),
    pytest.param((entry("monitor", interval_ms=10_000, call=1), entry("start", call=2)), [], id="not before the start"),
    pytest.param(monitored(193, -1), [], id="not while it is under way"),
]


@pytest.mark.parametrize(("entries", "expected"), RECURRING)
def test_current_recurring_operations_exist_as_optional_actions(
    entries: tuple[HistoryEntry, ...], expected: list[str]
) -> None:
    actions = after(*entries).actions
    assert [action.key for action in actions if action.interval_ms] == expected
    assert all(action.optional for action in actions if action.interval_ms)


def test_a_target_role_limits_what_follows() -> None:
    assert shown(after(START, meta={"target-role": "Stopped"})) == "Started n1, next Stopped"
    assert shown(after(START, meta={"target-role": "Promoted"})) == "Started n1"


def test_instances_are_counted_but_not_orphans_that_are_stopped() -> None:
    states = [state("n1", history(START, entry("stop", 1, call=2)), history(entry("stop", name="old"), id="old"))]
    cluster = read(cib(primitive(), primitive("B", {"target-role": "Stopped"}), states=states))
    assert (cluster.instance_count, cluster.disabled_count, cluster.blocked_count) == (2, 1, 1)


def test_a_group_counts_as_active_where_an_unmanaged_member_is() -> None:
    web = Group("G", (primitive("A", {"is-managed": "false"}), primitive("B")))
    cluster = read(cib(web, states=[state("n1", history(START)), state("n2")]))
    assert [node.name for node in cluster.resources[0].found.active_on] == ["n1"]


def test_but_not_on_a_node_that_is_gone() -> None:
    web = Group("G", (primitive("A", {"is-managed": "false"}), primitive("B")))
    gone = state("n1", history(START), in_ccm="false", crmd="offline", join="down", expected="down")
    cluster = read(cib(FENCE_DEVICE, web, states=[gone, state("n2")], options={"stonith-enabled": "true"}))
    assert shown(cluster) == "Started n1 unmanaged"
    assert [top.found.active_on for top in cluster.resources] == [[], []]
