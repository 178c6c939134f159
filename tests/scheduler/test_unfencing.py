"""Unfencing: which nodes are unfenced, for what, and what waits for it (specification part 3, section 12.6).

The device `d` provides unfencing, A requires it. Each row is a sentence, a cluster, and the operations that unfence with their reasons.
"""

from __future__ import annotations

import pytest
from action_texts import UNCHANGED, any_cib, done, entry, found, plan_of, started, state
from finished import Finished
from histories import Texts, primitive
from test_migration import graph

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.model.status import HistoryEntry, ResourceHistory
from reconciler.scheduler.digest import digest

ON = {"stonith-enabled": "true"}
UNFENCED = {"#node-unfenced": "1600000000"}


def device(params: Texts | None = None, kind: str = "fence_scsi", *operations: Operation) -> Primitive:
    return Primitive(
        "d",
        Agent("stonith", kind),
        params=plain(params or {}),
        meta=plain({"provides": "unfencing"}),
        operations=operations,
    )


def device_history(*entries: HistoryEntry) -> ResourceHistory:
    return ResourceHistory("d", {"class": "stonith", "type": "fence_scsi"}, entries)


def unfenced(
    n1: Texts | None = None,
    n2: Texts | None = None,
    *,
    d: Primitive | None = None,
    recorded: str = UNCHANGED,
    **more: str,
) -> Cib:
    """d and A stay on n1; the nodes' attributes say whether they were unfenced."""
    states = (
        state("n1", device_history(started("d", op_digest=recorded, **more)), done(started()), transient=n1),
        state("n2", device_history(found("d")), done(found()), transient=n2),
    )
    return any_cib(d or device(), primitive("A", {"resource-stickiness": "1"}), states=states, options=ON)


def unfencings(plan: Finished) -> list[str]:
    return [
        f"{action.node.name}: {action.reason}"
        for action in plan.cluster.actions
        if action.task == "stonith" and action.required and action.node is not None
    ]


def digests(of: str) -> Texts:
    """A node that was unfenced with this definition of the device."""
    return UNFENCED | {"#digests-all": f"d:fence_scsi:{of},", "#digests-secure": f"d:fence_scsi:{of},"}


KEY = {"key": "1"}
MONITOR = Operation("monitor", "10s", id="d-m")

ROWS = [
    pytest.param(unfenced(UNFENCED, UNFENCED), [], id="a node that was unfenced need not be again"),
    pytest.param(
        unfenced(None, UNFENCED), ["n1: required by d start"], id="one where it is needed and that never was has to be"
    ),
    pytest.param(unfenced({"#node-unfenced": "0"}, UNFENCED), ["n1: required by d start"], id="0 is never"),
    pytest.param(unfenced(UNFENCED, None), [], id="where nothing is to start nobody asks for it"),
    pytest.param(
        unfenced(UNFENCED, UNFENCED, recorded="other"),
        ["n1: Device parameters changed"],
        id="a changed device: its node",
    ),
    pytest.param(
        unfenced(UNFENCED, UNFENCED, recorded="other", **{"op-restart-digest": UNCHANGED}),
        ["n1: Device parameters changed (reload)"],
        id="a device that can be reloaded",
    ),
    pytest.param(
        unfenced(UNFENCED, UNFENCED, d=device({}, "fence_mpath")),
        ["n1: Device definition changed", "n2: Device definition changed"],
        id="another agent",
    ),
    pytest.param(unfenced(digests(UNCHANGED), digests(UNCHANGED)), [], id="the same definition as then"),
    pytest.param(unfenced(digests("other"), digests(UNCHANGED)), ["n1: None"], id="another definition than then"),
    pytest.param(
        unfenced(digests(UNCHANGED), digests(UNCHANGED), d=device(KEY), recorded=digest(KEY)),
        ["n1: None", "n2: None"],
        id="another definition than then everywhere",
    ),
]


@pytest.mark.parametrize(("given", "expected"), ROWS)
def test_who_is_unfenced(given: Cib, expected: list[str]) -> None:
    assert unfencings(plan_of(given)) == expected


def test_what_is_active_restarts_around_the_unfencing() -> None:
    order = graph(plan_of(unfenced(None, UNFENCED)))
    assert order.index("A_stop_0 n1") < order.index("stonith-n1-on n1") < order.index("A_start_0 n1")


def test_a_changed_device_monitor_is_scheduled_after_the_unfencing() -> None:
    states = (
        state(
            "n1",
            device_history(started("d"), entry("monitor", call=2, name="d", interval_ms=10_000, op_digest="other")),
            transient=UNFENCED,
        ),
        state("n2", device_history(found("d")), transient=UNFENCED),
    )
    plan = plan_of(any_cib(device({}, "fence_scsi", MONITOR), states=states, options=ON))
    assert unfencings(plan) == ["n1: Device parameters changed (reschedule)"]
    order = graph(plan)
    assert order.index("stonith-n1-on n1") < order.index("d_monitor_10000 n1")
