"""What brings a primitive from the role it has to the role it will have (specification part 3, section 4).

Each row is a sentence, a cluster, the resource's own actions in order of creation, and what the summary says.
"""

from __future__ import annotations

import pytest
from action_texts import (
    UNCHANGED,
    actions,
    any_cib,
    done,
    entry,
    found,
    monitor,
    plan_of,
    reasons,
    started,
    state,
)
from histories import Texts, primitive

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.resource import Clone
from reconciler.model.status import HistoryEntry, NodeState
from reconciler.scheduler.acting.role_steps import STEPS
from reconciler.scheduler.roles import Role

STANDBY = {"standby": "on"}


def on_n1(*entries: HistoryEntry, transient: Texts | None = None) -> tuple[NodeState, NodeState]:
    """A as recorded on n1, and known not to run on n2."""
    return state("n1", done(*entries), transient=transient), state("n2", done(found()))


def active(meta: Texts | None = None, *, quorum: bool = True, **options: str) -> Cib:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return any_cib(primitive("A", meta), states=on_n1(started()), options=given, quorum=quorum)


def inactive(*, quorum: bool = True, **options: str) -> Cib:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return any_cib(primitive(), states=on_n1(found()), options=given, quorum=quorum)


def twice(policy: str, *, standby: str | None = None) -> Cib:
    """A active on both nodes."""
    states = [state(node, done(started()), transient=STANDBY if node == standby else None) for node in ("n1", "n2")]
    return any_cib(primitive("A", {"multiple-active": policy}), states=states)


def failed(*, unmanaged: bool = False, **keys: str) -> Cib:
    last = entry("monitor", 1, interval_ms=10_000, call=3, id="A_last_failure_0")
    meta = {"is-managed": "false"} if unmanaged else {}
    return any_cib(primitive("A", meta, monitor(**keys)), states=on_n1(started(), last))


def failed_while_promoted() -> Cib:
    """A promoted instance whose monitor failed, which calls for a demotion only."""
    last = entry("monitor", 1, interval_ms=9000, call=3, id="A_last_failure_0")
    demote = monitor("9s", **{"role": "Promoted", "on-fail": "demote"})
    states = (
        state("n1", done(started(), entry("promote", call=2, op_digest=UNCHANGED), last), transient={"master-A": "9"}),
        state("n2", done(found())),
    )
    return any_cib(
        Clone("C", primitive("A", {}, demote), meta=plain({"promotable": "true", "clone-max": "1"})), states=states
    )


def promotable_on_n1(
    score: str | None, role: str = "Promoted", meta: Texts | None = None, *, standby: bool = False
) -> Cib:
    """One promotable instance on n1, with its promotion score there; n2 has a smaller one."""
    entries = [started()] + [entry("promote", call=2, op_digest=UNCHANGED)] * (role == "Promoted")
    transient = {"master-A": score} if score else {}
    states = (
        state("n1", done(*entries), transient=transient | (STANDBY if standby else {})),
        state("n2", done(found()), transient={"master-A": "1"} if standby else {}),
    )
    clone = Clone("C", primitive(), meta=plain({"promotable": "true", "clone-max": "1", **(meta or {})}))
    return any_cib(clone, states=states)


TRANSITIONS = [
    pytest.param(inactive(), ["A_start_0 n1"], ["Start A"], id="what is stopped is started"),
    pytest.param(
        active(), ["A_stop_0 n1 optional", "A_start_0 n1 optional"], [], id="what stays has an optional stop and start"
    ),
    pytest.param(
        active({"target-role": "Stopped"}),
        ["A_stop_0 n1"],
        ["Stop A: node availability"],
        id="what goes down has no start",
    ),
    pytest.param(
        any_cib(primitive(), states=on_n1(started(), transient=STANDBY)),
        ["A_stop_0 n1", "A_start_0 n2"],
        ["Move A"],
        id="moving is a stop here and a start there",
    ),
    pytest.param(
        any_cib(primitive(), states=on_n1(started(), transient=STANDBY), nodes=("n1",)),
        ["A_stop_0 n1"],
        ["Stop A: node availability"],
        id="without a node it stops",
    ),
    pytest.param(
        failed(),
        ["A_monitor_10000 n1 reschedule", "A_stop_0 n1", "A_start_0 n1"],
        ["Recover A"],
        id="a failure makes stop and start required",
    ),
    pytest.param(
        failed(unmanaged=True),
        ["A_monitor_10000 n1 reschedule", "A_stop_0 n1 optional unrunnable", "A_start_0 n1 optional"],
        [],
        id="an unmanaged failure changes nothing",
    ),
    pytest.param(
        failed(**{"on-fail": "ignore"}),
        ["A_monitor_10000 n1 reschedule", "A_stop_0 n1 optional", "A_start_0 n1 optional"],
        [],
        id="a failure to be ignored changes nothing",
    ),
    pytest.param(
        any_cib(primitive("A", {"is-managed": "false", "target-role": "Stopped"}), states=on_n1(started())),
        ["A_stop_0 n1 optional unrunnable", "A_start_0 n1 optional"],
        [],
        id="an unmanaged resource can't be stopped",
    ),
    pytest.param(
        twice("stop_start"),
        ["A_stop_0 n1", "A_stop_0 n2", "A_start_0 n1"],
        ["Restart A"],
        id="stop_start: active twice, it is stopped everywhere and started once",
    ),
    pytest.param(
        twice("stop_only"),
        ["A_stop_0 n1", "A_stop_0 n2"],
        ["Stop A: node availability", "Stop A: node availability"],
        id="stop_only: it is stopped everywhere",
    ),
    pytest.param(
        twice("block"),
        ["A_stop_0 n1 optional unrunnable", "A_stop_0 n2 optional unrunnable"],
        [],
        id="block: it is left alone",
    ),
    pytest.param(
        twice("stop_unexpected"),
        ["A_stop_0 n2", "A_start_0 n1 pseudo"],
        ["Restart A"],
        id="stop_unexpected: it goes on where it is expected",
    ),
    pytest.param(
        twice("stop_unexpected", standby="n1"),
        ["A_stop_0 n1", "A_start_0 n2 pseudo"],
        ["Move A: being multiply active"],
        id="stop_unexpected: even if it counted as being elsewhere",
    ),
    pytest.param(
        active({"target-role": "Stopped"}, remove_after_stop="true"),
        ["A_stop_0 n1", "A_delete_0 n1"],
        ["Stop A: node availability"],
        id="remove-after-stop: its history is deleted",
    ),
    pytest.param(
        any_cib(primitive(), states=on_n1(entry("start", -1, -1, call=-1, op_digest=UNCHANGED))),
        ["A_start_0 n1 optional shown", "A_stop_0 n1 optional"],
        [],
        id="a start under way is shown again",
    ),
    pytest.param(
        inactive(quorum=False),
        ["A_start_0 n1 optional unrunnable"],
        ["Start A: no quorum"],
        id="stop without quorum: a start is optional and can't be",
    ),
    pytest.param(
        active(quorum=False),
        ["A_stop_0 n1", "A_start_0 n1 unrunnable"],
        ["Stop A: no quorum"],
        id="stop without quorum: what is active stops",
    ),
    pytest.param(
        inactive(quorum=False, no_quorum_policy="freeze"),
        ["A_start_0 n1 optional unrunnable"],
        ["Start A: quorum freeze"],
        id="freeze: nothing is started",
    ),
    pytest.param(
        active(quorum=False, no_quorum_policy="freeze"),
        ["A_stop_0 n1 optional", "A_start_0 n1 optional"],
        [],
        id="freeze: what is active stays",
    ),
    pytest.param(
        inactive(quorum=False, no_quorum_policy="ignore"),
        ["A_start_0 n1"],
        ["Start A"],
        id="ignore: quorum doesn't matter",
    ),
]


@pytest.mark.parametrize(("given", "planned", "said"), TRANSITIONS)
def test_a_primitive_comes_to_its_next_role(given: Cib, planned: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert actions(plan) == planned
    assert reasons(plan) == said


PROMOTIONS = [
    pytest.param(
        promotable_on_n1("10"),
        ["A:0_start_0 n1 optional", "A:0_demote_0 n1 optional", "A:0_stop_0 n1 optional", "A:0_promote_0 n1 optional"],
        [],
        id="what stays promoted could step down and up again",
    ),
    pytest.param(
        promotable_on_n1("10", "Started"),
        ["A:0_start_0 n1 optional", "A:0_stop_0 n1 optional", "A:0_promote_0 n1"],
        ["Promote A:0"],
        id="what is to be promoted need not stop",
    ),
    pytest.param(
        promotable_on_n1(None),
        [
            "A:0_start_0 n1 optional",
            "A:0_demote_0 n1",
            "A:0_stop_0 n1 optional",
            "A:0_promote_0 n1 optional unrunnable",
        ],
        ["Demote A:0"],
        id="without a promotion score it is demoted",
    ),
    pytest.param(
        promotable_on_n1("10", meta={"target-role": "Unpromoted"}),
        [
            "A:0_start_0 n1 optional",
            "A:0_demote_0 n1",
            "A:0_stop_0 n1 optional",
            "A:0_promote_0 n1 optional unrunnable",
        ],
        ["Demote A:0"],
        id="it is demoted to its target role",
    ),
    pytest.param(
        promotable_on_n1("10", meta={"target-role": "Stopped"}),
        ["A:0_demote_0 n1", "A:0_stop_0 n1", "A:0_start_0 optional unrunnable", "A:0_promote_0 optional unrunnable"],
        ["Stop A:0: node availability"],
        id="promoted is demoted before it stops",
    ),
    pytest.param(
        promotable_on_n1("10", standby=True),
        ["A:0_demote_0 n1", "A:0_stop_0 n1", "A:0_start_0 n2", "A:0_promote_0 n2"],
        ["Move A:0"],
        id="promoted moves by all four steps",
    ),
    pytest.param(
        failed_while_promoted(),
        [
            "A:0_monitor_9000 n1 reschedule rc=8",
            "A:0_demote_0 n1",
            "A:0_stop_0 n1 optional",
            "A:0_start_0 n1 optional",
            "A:0_promote_0 n1",
        ],
        ["Re-promote A:0"],
        id="a failure that calls for a demotion only: no stop",
    ),
]


@pytest.mark.parametrize(("given", "planned", "said"), PROMOTIONS)
def test_a_promotable_instance_comes_to_its_next_role(given: Cib, planned: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert actions(plan, "A:0") == planned
    assert reasons(plan) == said


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("final", [role for role in Role if role is not Role.UNKNOWN])
def test_every_walk_through_the_roles_ends(role: Role, final: Role) -> None:
    """It ends in the final role, or by a step that takes no action (a started promotable instance is unpromoted anyway)."""
    steps = 0
    while role is not final:
        role, task = STEPS[role][final]
        steps += 1
        assert steps <= 3
        if task is None:
            assert (role, final) == (Role.UNPROMOTED, Role.UNPROMOTED)
