"""Live migration: what it is made of, what it waits for, and when a resource moves the ordinary way (specification part 3, section 8).

Each row is a sentence, a cluster where everything leaves n1 for n2, what is done in the order of the graph, and the summary.
"""

from __future__ import annotations

import pytest
from action_texts import UNCHANGED, actions, any_cib, done, entry, found, plan_of, reasons, started, state
from finished import Finished
from histories import FENCE_DEVICE, Texts, primitive

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.constraint import Constraint, Order
from reconciler.model.status import HistoryEntry

CAN = {"allow-migrate": "true"}
TO = {"migrate_source": "n1", "migrate_target": "n2", "op_digest": UNCHANGED}


def leaving(a: Texts | None = None, b: Texts | None = None, *constraints: Constraint, n2: bool = True) -> Cib:
    """A and B with these meta-attributes on n1, which goes to standby."""
    states = (
        state("n1", done(started()), done(started("B"), name="B"), transient={"standby": "on"}),
        state("n2", done(found()), done(found("B"), name="B")),
    )
    given = any_cib(primitive("A", a), primitive("B", b), states=states)
    return replace(given, configuration=replace(given.configuration, constraints=constraints))


def graph(plan: Finished) -> list[str]:
    """What is done, in an order in which it can be done."""
    names = {action.id: f"{action.key} {action.node or ''}".strip() for action in plan.actions}
    waiting = {action.id: set(action.triggers) for action in plan.actions}
    order: list[str] = []
    while waiting:
        ready = sorted(number for number, before in waiting.items() if not before & waiting.keys())
        assert ready, "a loop"
        order.append(names[ready[0]])
        del waiting[ready[0]]
    return order


A_THEN_B = Order("o", first="A", then="B")

SHAPES = [
    pytest.param(
        leaving(CAN, {"target-role": "Stopped"}),
        ["A_migrate_to_0 n1", "A_migrate_from_0 n2", "A_stop_0 n1", "A_start_0", "B_stop_0 n1"],
        ["Migrate A", "Stop B: node availability"],
        id="migrate_to, migrate_from, then a stop where it was and a start in name only",
    ),
    pytest.param(
        leaving(CAN, CAN, A_THEN_B),
        [
            "A_migrate_to_0 n1",
            "A_migrate_from_0 n2",
            "B_migrate_to_0 n1",
            "B_migrate_from_0 n2",
            "B_stop_0 n1",
            "A_stop_0 n1",
            "A_start_0",
            "B_start_0",
        ],
        ["Migrate A", "Migrate B"],
        id="A then B, both can: A migrates before B, B stops before A",
    ),
    pytest.param(
        leaving(CAN, {}, A_THEN_B),
        ["B_stop_0 n1", "A_migrate_to_0 n1", "A_migrate_from_0 n2", "A_stop_0 n1", "A_start_0", "B_start_0 n2"],
        ["Migrate A", "Move B"],
        id="A then B, only A can: B is stopped while A migrates",
    ),
    pytest.param(
        leaving({}, CAN, A_THEN_B),
        ["B_stop_0 n1", "A_stop_0 n1", "A_start_0 n2", "B_start_0 n2"],
        ["Move A", "Move B: unrunnable A stop"],
        id="A then B, only B can: it can't, as it must be stopped before A",
    ),
    pytest.param(
        leaving({"target-role": "Stopped"}, {"target-role": "Stopped"}),
        ["A_stop_0 n1", "B_stop_0 n1"],
        ["Stop A: node availability", "Stop B: node availability"],
        id="what goes down does not migrate",
    ),
]


@pytest.mark.parametrize(("given", "ordered", "said"), SHAPES)
def test_shapes_of_migrations(given: Cib, ordered: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert graph(plan) == ordered
    assert reasons(plan) == said


def alone(
    meta: Texts | None = None,
    n1: tuple[HistoryEntry, ...] = (started(),),
    n2: tuple[HistoryEntry, ...] = (found(),),
    *,
    standby: str = "n1",
) -> Cib:
    """A with these meta-attributes, as recorded, where one node goes to standby."""
    states = [
        state(name, done(*entries), transient={"standby": "on"} if name == standby else None)
        for name, entries in (("n1", n1), ("n2", n2))
    ]
    return any_cib(primitive("A", CAN if meta is None else meta), states=states)


MIGRATE_TO = entry("migrate_to", call=2, **TO)
MIGRATE_FROM = entry("migrate_from", call=3, **TO)
FAILED = entry("monitor", 1, interval_ms=10_000, call=3, id="A_last_failure_0")
START_PENDING = entry("start", -1, -1, call=-1, op_digest=UNCHANGED)


def alone_thrice() -> Cib:
    """A half migrated from n1 to n2, and active on n3 as well."""
    given = alone(n1=(started(), MIGRATE_TO))
    return any_cib(
        primitive("A", CAN), nodes=("n1", "n2", "n3"), states=(*given.status.nodes, state("n3", done(started())))
    )


ALONE = [
    pytest.param(
        alone(),
        [
            "A_stop_0 n1 migratable",
            "A_start_0 n2 pseudo migratable",
            "A_migrate_to_0 n1 migratable",
            "A_migrate_from_0 n2 migratable",
        ],
        ["Migrate A"],
        id="all four actions can be",
    ),
    pytest.param(alone({}), ["A_stop_0 n1", "A_start_0 n2"], ["Move A"], id="not allowed: stop and start"),
    pytest.param(
        alone({**CAN, "is-managed": "false"}),
        ["A_stop_0 n1 optional unrunnable", "A_start_0 n1 optional"],
        [],
        id="unmanaged: it stays",
    ),
    pytest.param(
        alone(n1=(started(), FAILED)),
        ["A_monitor_10000 n1 optional", "A_stop_0 n1", "A_start_0 n2"],
        ["Recover A"],
        id="failed: stop and start",
    ),
    pytest.param(
        alone(n1=(START_PENDING,)),
        ["A_start_0 n2 shown", "A_stop_0 n1"],
        ["Move A"],
        id="still starting: stop and start",
    ),
    pytest.param(
        alone(n1=(started(), MIGRATE_TO), n2=(found(),), standby="n1"),
        ["A_stop_0 n1 migratable", "A_start_0 n2 pseudo migratable", "A_migrate_from_0 n2 migratable"],
        ["Migrate A"],
        id="half done towards the next node: it is completed",
    ),
    pytest.param(
        alone(n1=(started(), MIGRATE_TO), n2=(found(),), standby="n2"),
        ["A_stop_0 n2", "A_stop_0 n1", "A_start_0 n1"],
        ["Move A"],
        id="half done away from the next node: it is given up",
    ),
    pytest.param(
        alone_thrice(),
        ["A_stop_0 n2", "A_stop_0 n1", "A_stop_0 n3", "A_start_0 n2"],
        ["Restart A"],
        id="half done, but active elsewhere too: it is given up",
    ),
    pytest.param(
        alone(n1=(started(), MIGRATE_TO), n2=(MIGRATE_FROM,)),
        ["A_stop_0 n1 dangling", "A_stop_0 n2 optional", "A_start_0 n2 optional"],
        [],
        id="done but for the stop: only that is left",
    ),
]


@pytest.mark.parametrize(("given", "planned", "said"), ALONE)
def test_when_a_resource_migrates(given: Cib, planned: list[str], said: list[str]) -> None:
    plan = plan_of(given)
    assert actions(plan) == planned
    assert reasons(plan) == said


def test_both_halves_name_source_and_target() -> None:
    plan = plan_of(alone())
    halves = [action for action in plan.cluster.actions if action.task.startswith("migrate")]
    assert [(half.meta["migrate_source"], half.meta["migrate_target"]) for half in halves] == [("n1", "n2")] * 2
    assert [half.meta.get("record-pending") for half in halves] == ["true", None]


def test_a_migration_waits_for_fencing_as_a_start_would() -> None:
    given = alone()
    lost = state("n3", done(found()), in_ccm="false", crmd="offline", join="down")
    resources = (primitive("A", CAN), FENCE_DEVICE)
    options = {"stonith-enabled": "true", "enable-startup-probes": "false"}
    nodes = ("n1", "n2", "n3")
    order = graph(plan_of(any_cib(*resources, nodes=nodes, states=(*given.status.nodes, lost), options=options)))
    assert order.index("stonith-n3-reboot n3") < order.index("A_migrate_to_0 n1")
