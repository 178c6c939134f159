"""Which monitors have to run where, and which have to be cancelled (specification part 3, section 6).

Each row is a sentence, a cluster where A runs on n1 unless said otherwise, and A's recurring actions in order of creation.
"""

from __future__ import annotations

import pytest
from action_texts import UNCHANGED, actions, any_cib, done, entry, found, monitor, plan_of, started, state, watched
from finished import Finished
from histories import Texts, primitive

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.resource import Clone, Operation
from reconciler.model.status import HistoryEntry

TEN = monitor()
STOPPED = monitor("20s", role="Stopped")
WATCHED_STOPPED = watched(interval_ms=20_000, rc=7)


def running(
    *operations: Operation,
    n1: tuple[HistoryEntry, ...] = (started(), watched()),
    n2: tuple[HistoryEntry, ...] = (found(),),
    meta: Texts | None = None,
    transient: Texts | None = None,
    options: Texts | None = None,
) -> Cib:
    """A with these operations, as recorded on n1 (started and watched) and n2 (not running)."""
    states = (state("n1", done(*n1), transient=transient), state("n2", done(*n2)))
    return any_cib(primitive("A", meta, *operations), states=states, options=options)


def recurring(plan: Finished, about: str = "A") -> list[str]:
    return [line for line in actions(plan, about) if not line.split()[0].endswith("_0")]


RULES = [
    pytest.param(running(TEN), ["A_monitor_10000 n1 optional"], id="what runs already is optional"),
    pytest.param(running(TEN, n1=(started(),)), ["A_monitor_10000 n1"], id="what doesn't run yet is required"),
    pytest.param(running(TEN, n1=(found(),)), ["A_monitor_10000 n1"], id="it comes with a start"),
    pytest.param(
        running(TEN, transient={"standby": "on"}),
        ["A_monitor_10000 n1 optional", "A_monitor_10000 n2"],
        id="it moves with the resource",
    ),
    pytest.param(
        running(TEN, meta={"target-role": "Stopped"}),
        ["A_monitor_10000 n1 optional unrunnable"],
        id="a stopped resource has none",
    ),
    pytest.param(running(), ["A_monitor_10000 (cancel) n1"], id="what is configured no more is cancelled"),
    pytest.param(
        running(options={"stop-orphan-actions": "false"}),
        ["A_monitor_10000 n1 optional"],
        id="unless orphan actions are to stay",
    ),
    pytest.param(
        running(monitor(enabled="false")), ["A_monitor_10000 (cancel) n1"], id="what is disabled is cancelled"
    ),
    pytest.param(
        running(monitor(timeout="7s")),
        ["A_monitor_10000 n1 reschedule"],
        id="a changed timeout schedules it again, without a cancel",
    ),
    pytest.param(
        running(TEN, Operation("monitor", "10s", id="m2"), n1=(started(),)),
        [],
        id="two with the same interval are both ignored",
    ),
    pytest.param(
        running(Operation("monitor", "10s", id=""), n1=(started(),)), [], id="one with an empty id is ignored"
    ),
    pytest.param(
        running(Operation("monitor", "10s"), n1=(started(),)), ["A_monitor_10000 n1"], id="one that needs no id is not"
    ),
    pytest.param(running(Operation("start", "10s", id="s"), n1=(started(),)), [], id="a start can't recur"),
    pytest.param(
        running(Operation("status", "10s", id="s"), n1=(started(),)), ["A_status_10000 n1"], id="other names can"
    ),
    pytest.param(
        running(TEN, meta={"maintenance": "true"}),
        ["A_monitor_10000 (cancel) n1"],
        id="maintenance of the resource cancels it",
    ),
    pytest.param(
        running(TEN, transient={"maintenance": "true"}),
        ["A_monitor_10000 (cancel) n1"],
        id="maintenance of the node cancels it",
    ),
    pytest.param(running(TEN, n1=(started(),), transient={"maintenance": "true"}), [], id="and none is started there"),
    pytest.param(running(TEN, n1=(entry("start"), watched())), ["A_monitor_10000 n1"], id="a restart takes it along"),
    pytest.param(running(TEN, n1=(started(), entry("stop", 1, call=3))), [], id="a blocked resource keeps what it has"),
    pytest.param(
        running(TEN, n1=(started(),), meta={"is-managed": "false"}),
        ["A_monitor_10000 n1"],
        id="an unmanaged resource is watched nevertheless",
    ),
    pytest.param(
        running(monitor(role="Started")), ["A_monitor_10000 n1 optional"], id="role Started is for what is started"
    ),
    pytest.param(
        running(monitor(role="Promoted")), ["A_monitor_10000 (cancel) n1"], id="a monitor of another role is cancelled"
    ),
    pytest.param(
        running(STOPPED, n1=(started(),)),
        ["A_monitor_20000 n2 rc=7"],
        id="role Stopped: it watches where the resource is not",
    ),
    pytest.param(
        running(STOPPED, n1=(started(),), n2=(found(), WATCHED_STOPPED)),
        ["A_monitor_20000 n2 optional rc=7"],
        id="role Stopped: what runs already is optional",
    ),
    pytest.param(
        running(STOPPED, n1=(found(), WATCHED_STOPPED)),
        ["A_monitor_20000 (cancel) n1", "A_monitor_20000 n2 rc=7"],
        id="role Stopped: it is cancelled where the resource starts",
    ),
]


@pytest.mark.parametrize(("given", "planned"), RULES)
def test_recurring_actions_of_a_primitive(given: Cib, planned: list[str]) -> None:
    assert recurring(plan_of(given)) == planned


def promotable(score: str | None, role: str, *entries: HistoryEntry) -> Cib:
    """A promotable instance on n1 with monitors: 10s for any role, 9s for Promoted, 8s for Unpromoted."""
    operations = (monitor(), monitor("9s", role="Promoted"), monitor("8s", role="Unpromoted"))
    promoted = [entry("promote", call=2, op_digest=UNCHANGED)] * (role == "Promoted")
    states = (
        state("n1", done(started(), *promoted, *entries), transient={"master-A": score} if score else None),
        state("n2", done(found())),
    )
    clone = Clone("C", primitive("A", {}, *operations), meta=plain({"promotable": "true", "clone-max": "1"}))
    return any_cib(clone, states=states)


ROLES = [
    pytest.param(
        promotable("10", "Promoted"),
        ["A:0_monitor_9000 n1 rc=8"],
        id="promoted: only the promoted role's, which expects 8",
    ),
    pytest.param(
        promotable(None, "Started"),
        ["A:0_monitor_10000 n1", "A:0_monitor_8000 n1"],
        id="unpromoted: those without role or with role Unpromoted",
    ),
    pytest.param(
        promotable("10", "Started", watched(call=3), watched(interval_ms=8000, call=4)),
        ["A:0_monitor_10000 (cancel) n1", "A:0_monitor_8000 (cancel) n1", "A:0_monitor_9000 n1 rc=8"],
        id="a promotion cancels the others",
    ),
    pytest.param(
        promotable(None, "Promoted", watched(interval_ms=9000, rc=8, call=3)),
        ["A:0_monitor_9000 (cancel) n1", "A:0_monitor_10000 n1", "A:0_monitor_8000 n1"],
        id="a demotion cancels the promoted role's",
    ),
]


@pytest.mark.parametrize(("given", "planned"), ROLES)
def test_recurring_actions_follow_the_role(given: Cib, planned: list[str]) -> None:
    assert recurring(plan_of(given), "A:0") == planned


def test_an_anonymous_clone_is_not_watched_where_it_is_not() -> None:
    for unique, planned in (("false", []), ("true", ["A:0_monitor_20000 n2 rc=7"])):
        meta = plain({"globally-unique": unique, "clone-max": "1"})
        clone = Clone("C", primitive("A", {}, STOPPED), meta=meta)
        states = (state("n1", done(started("A:0"), name="A:0")), state("n2", done(found("A:0"), name="A:0")))
        assert recurring(plan_of(any_cib(clone, states=states)), "A:0") == planned


def test_a_promotion_waits_for_the_cancels() -> None:
    plan = plan_of(promotable("10", "Started", watched(call=3)))
    by_key = {action.internal_key or action.key: action for action in plan.actions}
    assert by_key["A:0_monitor_10000"].id in by_key["A:0_promote_0"].triggers
    assert by_key["A:0_promote_0"].id in by_key["A:0_monitor_9000"].triggers
