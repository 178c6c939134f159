"""Groups, clones and bundles as wholes: the order of their parts, and the points that others wait for (part 3, sections 9 and 10).

Each row is a sentence, a cluster, and what is done in an order in which it can be done.
"""

from __future__ import annotations

import pytest
from action_texts import UNCHANGED, actions, any_cib, done, entry, found, monitor, plan_of, reasons, started, state
from histories import FENCE_DEVICE, Texts, primitive
from test_migration import graph

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.resource import Bundle, BundleNetwork, Clone, Group, Primitive
from reconciler.model.score import INFINITY
from reconciler.model.status import NodeState, ResourceHistory

QUIET = {"enable-startup-probes": "false"}
STANDBY = {"standby": "on"}


def group(meta: Texts | None = None, *members: str) -> Group:
    return Group("G", tuple(primitive(name) for name in members or ("a", "b", "c")), meta=plain(meta or {}))


def clone(inner: Primitive | Group, **meta: str) -> Clone:
    return Clone("C", inner, meta=plain({name.replace("_", "-"): value for name, value in meta.items()}))


def histories(names: str, *, on: bool) -> list[ResourceHistory]:
    return [done(started(name) if on else found(name), name=name) for name in names.split()]


def running(names: str, transient: Texts | None = None) -> tuple[NodeState, NodeState]:
    """These primitives run on n1 and not on n2."""
    return state("n1", *histories(names, on=True), transient=transient), state("n2", *histories(names, on=False))


FAILED_B = done(
    started("b"), entry("monitor", 1, interval_ms=10_000, call=3, name="b", id="b_last_failure_0"), name="b"
)
PARTLY = (
    state("n1", done(started("a"), name="a"), FAILED_B, done(started("c"), name="c")),
    state("n2", *histories("a b c", on=False)),
)
PROMOTED = done(started("A"), entry("promote", call=2, op_digest=UNCHANGED))
BUNDLE = Bundle(
    "bu",
    "docker",
    {"image": "i", "replicas": "2"},
    BundleNetwork({"ip-range-start": "10.0.0.1", "control-port": "3121"}),
    primitive=primitive("w"),
)
LOST = (
    state("n1", done(started())),
    state("n2", done(started()), in_ccm="false", crmd="offline", join="down"),
)
FENCING_MONITOR = monitor(**{"on-fail": "fence"})
FAILED_THERE = (
    state("n1", done(started())),
    state("n2", done(started(), entry("monitor", 1, interval_ms=10_000, call=3, id="A_last_failure_0"))),
)
NOWHERE = (state("n1"), state("n2"))


WHOLES = [
    pytest.param(
        any_cib(group(), states=NOWHERE, options=QUIET),
        ["G_start_0", "a_start_0 n1", "b_start_0 n1", "c_start_0 n1", "G_running_0"],
        id="a group starts member by member",
    ),
    pytest.param(
        any_cib(group(), states=running("a b c", STANDBY)),
        [
            "G_stop_0",
            "c_stop_0 n1",
            "b_stop_0 n1",
            "a_stop_0 n1",
            "G_stopped_0",
            "G_start_0",
            "a_start_0 n2",
            "b_start_0 n2",
            "c_start_0 n2",
            "G_running_0",
        ],
        id="a group stops backwards, wholly, before it starts elsewhere",
    ),
    pytest.param(
        any_cib(group({"ordered": "false"}), states=running("a b c", STANDBY)),
        [
            "G_stop_0",
            "a_stop_0 n1",
            "b_stop_0 n1",
            "c_stop_0 n1",
            "G_stopped_0",
            "G_start_0",
            "a_start_0 n2",
            "b_start_0 n2",
            "c_start_0 n2",
            "G_running_0",
        ],
        id="an unordered group in any order",
    ),
    pytest.param(
        any_cib(group(), states=PARTLY),
        [
            "G_stop_0",
            "c_stop_0 n1",
            "b_stop_0 n1",
            "b_monitor_10000 n1",
            "G_stopped_0",
            "G_start_0",
            "b_start_0 n1",
            "c_start_0 n1",
            "G_running_0",
        ],
        id="a failed member takes the later ones along, not the earlier",
    ),
    pytest.param(
        any_cib(clone(primitive()), states=NOWHERE, options=QUIET),
        ["C_start_0", "A:0_start_0 n1", "A:1_start_0 n2", "C_running_0"],
        id="a clone has started when all instances have",
    ),
    pytest.param(
        any_cib(clone(primitive(), ordered="true"), states=NOWHERE, options=QUIET),
        ["C_start_0", "A:0_start_0 n1", "A:1_start_0 n2", "C_running_0"],
        id="an ordered clone starts instance by instance",
    ),
    pytest.param(
        any_cib(
            clone(primitive(), ordered="true", target_role="Stopped"),
            states=(state("n1", done(started())), state("n2", done(started()))),
        ),
        ["C_stop_0", "A_stop_0 n2", "A_stop_0 n1", "C_stopped_0"],
        id="an ordered clone stops backwards",
    ),
    pytest.param(
        any_cib(
            clone(primitive(), promotable="true", clone_max="1"),
            states=(state("n1", PROMOTED, transient=STANDBY), state("n2", done(found()), transient={"master-A": "5"})),
        ),
        [
            "C_demote_0",
            "A_demote_0 n1",
            "C_demoted_0",
            "C_stop_0",
            "A_stop_0 n1",
            "C_stopped_0",
            "C_start_0",
            "A_start_0 n2",
            "C_running_0",
            "C_promote_0",
            "A_promote_0 n2",
            "C_promoted_0",
        ],
        id="a promotable clone demotes, stops, starts, promotes",
    ),
    pytest.param(
        any_cib(clone(primitive(), notify="true"), states=(state("n1", done(started())), state("n2", done(found())))),
        [
            "C_pre_notify_start_0",
            "A_pre_notify_start_0 n1",
            "C_confirmed-pre_notify_start_0",
            "C_start_0",
            "A_start_0 n2",
            "C_running_0",
            "C_post_notify_running_0",
            "A_post_notify_start_0 n1",
            "A_post_notify_start_0 n2",
            "C_confirmed-post_notify_running_0",
        ],
        id="notify: those that run are told before and after, the new one after",
    ),
    pytest.param(
        any_cib(
            clone(primitive(), notify="true"),
            states=(state("n1", done(started())), state("n2", done(started()), transient=STANDBY)),
        ),
        [
            "C_pre_notify_stop_0",
            "A_pre_notify_stop_0 n1",
            "A_pre_notify_stop_0 n2",
            "C_confirmed-pre_notify_stop_0",
            "C_stop_0",
            "A_stop_0 n2",
            "C_stopped_0",
            "C_post_notify_stopped_0",
            "A_post_notify_stop_0 n1",
            "C_confirmed-post_notify_stopped_0",
        ],
        id="notify: who stops is told before, but not after",
    ),
    pytest.param(
        any_cib(
            clone(primitive(), notify="true"), FENCE_DEVICE, states=LOST, options={"stonith-enabled": "true", **QUIET}
        ),
        [
            "stonith-n2-reboot n2",
            "C_pre_notify_stop_0",
            "fencing_start_0 n1",
            "A_post_notify_stop_0",
            "A_pre_notify_stop_0 n1",
            "C_confirmed-pre_notify_stop_0",
            "C_stop_0",
            "A_stop_0",
            "C_stopped_0",
            "C_post_notify_stopped_0",
            "A_post_notify_stop_0 n1",
            "C_confirmed-post_notify_stopped_0",
            "A_notified_0",
        ],
        id="notify: of an instance that is lost the others are told once its node is fenced",
    ),
    pytest.param(
        any_cib(
            clone(primitive("A", {}, FENCING_MONITOR), notify="true"),
            FENCE_DEVICE,
            states=FAILED_THERE,
            options={"stonith-enabled": "true", **QUIET},
        ),
        [
            "stonith-n2-reboot n2",
            "C_pre_notify_stop_0",
            "fencing_start_0 n1",
            "A_post_notify_stop_0",
            "A_pre_notify_stop_0 n1",
            "C_confirmed-pre_notify_stop_0",
            "C_stop_0",
            "A_stop_0",
            "C_stopped_0",
            "C_post_notify_stopped_0",
            "A_post_notify_stop_0 n1",
            "C_confirmed-post_notify_stopped_0",
            "A_notified_0",
            "A_monitor_10000 n1",
        ],
        id="notify: on a node that is to be fenced nobody is told",
    ),
    pytest.param(
        any_cib(BUNDLE, states=NOWHERE, options=QUIET),
        [
            "bu-ip-10.0.0.1_start_0 n1",
            "bu-ip-10.0.0.1_monitor_60000 n1",
            "bu-ip-10.0.0.2_start_0 n2",
            "bu-ip-10.0.0.2_monitor_60000 n2",
            "bu_start_0",
            "bu-docker-0_start_0 n1",
            "bu-docker-0_monitor_60000 n1",
            "bu-0_start_0 n1",
            "bu-0_monitor_30000 n1",
            "bu-docker-1_start_0 n2",
            "bu-docker-1_monitor_60000 n2",
            "bu-1_start_0 n2",
            "bu-1_monitor_30000 n2",
            "bu-clone_start_0",
            "w:0_start_0 bu-0",
            "w:1_start_0 bu-1",
            "bu-clone_running_0",
            "bu_running_0",
        ],
        id="a bundle: address, container, connection, contents, replica by replica",
    ),
]


@pytest.mark.parametrize(("given", "ordered"), WHOLES)
def test_wholes_and_their_parts(given: Cib, ordered: list[str]) -> None:
    assert graph(plan_of(given)) == ordered


def test_instances_are_told_who_else_is_there() -> None:
    given = any_cib(
        clone(primitive(), notify="true"), states=(state("n1", done(started())), state("n2", done(found())))
    )
    plan = plan_of(given)
    told = next(action for action in plan.cluster.actions if action.key == "A:0_post_notify_start_0")
    assert {name: told.meta[name] for name in told.meta if name.startswith("notify_") and told.meta[name] != " "} == {
        "notify_key_type": "post",
        "notify_key_operation": "running",
        "notify_type": "post",
        "notify_operation": "start",
        "notify_start_resource": "A:1",
        "notify_start_uname": "n2",
        "notify_active_resource": "A:0",
        "notify_active_uname": "n1",
        "notify_inactive_resource": "A:1",
        "notify_available_uname": "n1 n2",
        "notify_all_uname": "n1 n2",
    }


def test_what_is_told_afterwards_comes_first() -> None:
    """Those who wait for the end of a change wait for being told of it, so that is done before other work."""
    given = any_cib(
        clone(primitive(), notify="true"), states=(state("n1", done(started())), state("n2", done(found())))
    )
    urgent = {action.internal_key or action.key for action in plan_of(given).actions if action.priority == INFINITY}
    assert urgent == {
        "C_running_0",
        "C_post_notify_running_0",
        "C_confirmed-post_notify_running_0",
        "A:0_post_notify_start_0",
        "A:1_post_notify_start_0",
    }


def test_recurring_actions_wait_until_all_have_been_told() -> None:
    given = any_cib(
        clone(primitive("A", {}, monitor()), notify="true"),
        states=(state("n1", done(started())), state("n2", done(found()))),
    )
    plan = plan_of(given)
    by_key = {(action.internal_key or action.key): action for action in plan.actions}
    new = by_key["A:1_monitor_10000"]
    assert by_key["C_confirmed-post_notify_running_0"].id in new.triggers


def test_a_failed_member_restarts_the_later_ones() -> None:
    plan = plan_of(any_cib(group(), states=PARTLY))
    assert reasons(plan) == ["Recover b", "Restart c: required b start"]
    assert actions(plan, "a") == ["a_stop_0 n1 optional", "a_start_0 n1 optional"]


def test_what_a_promotion_is_worth_only_matters_for_placement() -> None:
    """It stands for the instance's priority there, and says nothing about the order of work."""
    given = any_cib(
        clone(primitive(), promotable="true", clone_max="1", priority="3"),
        states=(state("n1", done(started()), transient={"master-A": "50"}), state("n2", done(found()))),
    )
    plan = plan_of(given)
    assert max(child.priority for child in plan.cluster.resources[0].children) == 50
    assert {action.priority for action in plan.actions if action.agent is not None} == {3}
