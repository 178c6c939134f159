"""Rules that stand by themselves: each row says one, and what would be decided without it."""

from __future__ import annotations

import pytest
from action_texts import actions, any_cib, done, plan_of, started, state, watched
from histories import FENCE_DEVICE, NOW, cib, entry, history, primitive, read
from small_clusters import cib as small_cib
from small_clusters import colocation, scores_of
from small_clusters import plan_of as small_plan
from small_clusters import primitive as plain_primitive
from small_clusters import promotable as small_promotable

from reconciler.model.resource import Operation
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.recalling.fail_counts import fail_count

STANDBY = Operation("monitor", "10s", {"on-fail": "standby"})


@pytest.mark.parametrize("policy", ["standby", "restart"])
def test_a_success_does_not_call_off_a_standby(policy: str) -> None:
    """The node is left by all although the resource was started anew there; a failure that only asks for a restart is over."""
    entries = (started(), entry("monitor", 1, interval_ms=10_000, call=2), started(call=3))
    operation = Operation("monitor", "10s", {"on-fail": policy})
    plan = plan_of(any_cib(primitive("A", None, operation), states=[state("n1", done(*entries)), state("n2")]))
    starts = [text for text in actions(plan, task="start") if "optional" not in text]
    assert starts == (["A_start_0 n2"] if policy == "standby" else [])


def test_while_a_node_shuts_down_only_the_stop_carries_the_lock() -> None:
    """The lock says where the resource has to come back to; nothing else that is done meanwhile is bound by it."""
    failed = {"fail-count-A#monitor_10000": "1", "last-failure-A#monitor_10000": str(NOW - 1000)}
    states = [state("n1", done(started(), watched()), transient={"shutdown": str(NOW - 5), **failed}), state("n2")]
    one = primitive("A", {"failure-timeout": "100"}, Operation("monitor", "10s"))
    plan = plan_of(any_cib(one, states=states, options={"shutdown-lock": "true"}))
    locks = {action.key: action.shutdown_lock_s for action in plan.actions if action.resource == "A"}
    assert locks["A_stop_0"] == NOW - 5
    assert locks["A_clear_failcount_0"] is None


def test_guests_are_down_with_a_fenced_host() -> None:
    vm = primitive("vm", {"remote-node": "guest"})
    lost = state(
        "n1",
        history(started("vm"), id="vm"),
        history(entry("start", name="guest"), id="guest", type="remote"),
        in_ccm="false",
        crmd="offline",
    )
    given = cib(vm, FENCE_DEVICE, states=[lost, state("n2")], options={"stonith-enabled": "true"})
    (fencing,) = [action for action in plan_of(given).actions if action.task == "stonith" and action.node == "n1"]
    assert set(fencing.downed) == {"n1", "guest"}


def test_the_cluster_is_asked_again_a_second_after_a_failure_expires() -> None:
    """In the second of the expiry the failure still counts."""
    attributes = {"fail-count-A#monitor_10000": "2", "last-failure-A#monitor_10000": str(NOW - 1000)}

    def counted(timeout_s: int) -> tuple[int, int | None]:
        meta = {"failure-timeout": str(timeout_s)}
        cluster = read(cib(primitive("A", meta), states=[state("n1", transient=attributes)]))
        resource = find(cluster, "A")
        assert resource is not None
        count = fail_count(cluster, resource, cluster.node_index["n1"], effective=True, include_fillers=False)
        return count, cluster.recheck_by_s

    assert counted(1500) == (2, NOW + 501)
    assert counted(1000) == (2, NOW + 1)
    assert counted(999) == (0, None)


STICKY = [
    pytest.param({}, ["n1"], "1", id="one point is enough"),
    pytest.param({"resource-stickiness": "0"}, ["n1"], "0", id="none is none"),
    pytest.param({"resource-stickiness": "-5"}, ["n1"], "0", id="less than none is none"),
    pytest.param({"is-managed": "false"}, ["n1"], "10", id="what is not managed pulls by its place alone"),
    pytest.param({}, [], "0", id="what runs nowhere sticks nowhere"),
    pytest.param({}, ["n1", "n2"], "0", id="nor does what runs twice"),
]


@pytest.mark.parametrize(("meta", "nodes", "score"), STICKY)
def test_stickiness(meta: dict[str, str], nodes: list[str], score: str) -> None:
    """B takes into account where A would rather be."""
    a = plain_primitive("A", {"resource-stickiness": "1"} | meta)
    plan = small_plan(small_cib(a, plain_primitive("B"), constraints=[colocation("A", "B", 10)], active={"A": nodes}))
    assert scores_of(plan, "B") == {"n1": score, "n2": "0"}


def test_a_recurring_monitor_whose_failure_expired_is_begun_anew() -> None:
    """Its failed entry says nothing of the parameters it has now: without that it would never be run again."""
    entries = (started(), entry("monitor", 7, interval_ms=10_000, call=2, id="A_last_failure_0", age_s=1000))
    attributes = {"fail-count-A#monitor_10000": "1", "last-failure-A#monitor_10000": str(NOW - 1000)}
    one = primitive("A", {"failure-timeout": "100"}, Operation("monitor", "10s"))
    plan = plan_of(any_cib(one, states=[state("n1", done(*entries), transient=attributes), state("n2")]))
    assert "A_monitor_10000 n1" in actions(plan, task="monitor")


ROLES = [
    ("Promoted", "20", {"n1", "n2"}),
    ("Promoted", "-20", {"n2"}),
    ("Promoted", "INFINITY", {"n1"}),
    ("Promoted", "-INFINITY", {"n2"}),
]


@pytest.mark.parametrize("dependent", ["P", "p"])
@pytest.mark.parametrize(("role", "score", "promoted_on"), ROLES)
def test_a_colocation_of_a_role_moves_the_promotion(
    dependent: str, role: str, score: str, promoted_on: set[str]
) -> None:
    """A is on n1, and a promotion score of 10 less the 20 of a colocation is not enough to be promoted."""
    given = small_cib(
        small_promotable("P", "p", {"promoted-max": "2"}),
        plain_primitive("A"),
        constraints=[colocation(dependent, "A", score, role=role)],
        active={"A": ["n1"], "p": ["n1", "n2"]},
        attributes={"n1": {"master-p": "10"}, "n2": {"master-p": "10"}},
    )
    promotes = {action.node for action in small_plan(given).actions if action.task == "promote" and action.node}
    assert promotes == promoted_on
