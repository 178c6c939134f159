"""Fencing, shutdown, and actions on remote and guest nodes: what waits for what (specification part 3, sections 12 and 13).

Each row is a sentence, a cluster, the words that the waiting is about, what waits for what, and the summary.
"""

from __future__ import annotations

import pytest
from small_clusters import REMOTE, location, plan_of, primitive
from small_transitions import FENCING, cib, graph, lost, order, summary, unchanged, waits

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.resource import Primitive, Resource
from reconciler.model.status import NodeState, ResourceHistory, Status
from reconciler.scheduler.plan import ActionKind

FENCED = {"stonith-enabled": "true"}
FOUR = ("n1", "n2", "n3", "n4")
A = primitive("A")
LEAVING = {"shutdown": "1"}
NOT_ON_MEMBERS = [location("A", "n1", "-INFINITY"), location("A", "n2", "-INFINITY")]
GONE = "peer is no longer part of the cluster"


def two(*resources: Resource, quorum: bool = True, **options: str) -> Cib:
    """A was active on n2, which is lost; n1 is the DC."""
    given = cib(*resources, active={"A": ["n2"]}, options={**FENCED, **options}, quorum=quorum)
    return lost(unchanged(given), "n2")


def four(*gone: str, leaving: tuple[str, ...] = (), **options: str) -> Cib:
    """n1 is the DC; some nodes are lost, some shut down."""
    attributes = dict.fromkeys(leaving, LEAVING)
    return lost(cib(FENCING, A, nodes=FOUR, options={**FENCED, **options}, attributes=attributes), *gone)


def connection(**meta: str) -> Primitive:
    return Primitive("r1", REMOTE, meta=plain(meta))


FENCINGS = [
    pytest.param(
        two(FENCING, A),
        "A stonith",
        [
            "A_stop_0 -> A_start_0 n1",
            "stonith-n2-reboot n2 -> A_start_0 n1",
            "stonith-n2-reboot n2 -> A_stop_0",
        ],
        [f"Fence n2: {GONE}", "Start fencing (None -> n1)", "Move A (n2 -> n1)"],
        id="what was on a lost node starts elsewhere after its fencing, which implies the stop",
    ),
    pytest.param(
        two(FENCING, primitive("A", {"requires": "nothing"})),
        "A stonith",
        ["A_stop_0 -> A_start_0 n1"],
        [f"Fence n2: {GONE}", "Start fencing (None -> n1)", "Move A (n2 -> n1)"],
        id="what requires nothing does not wait for the fencing",
    ),
    pytest.param(two(A), "", [], [], id="without a fence device nothing happens at all"),
    pytest.param(
        two(FENCING, A, quorum=False),
        "",
        [],
        ["Start fencing (None -> n1): no quorum (blocked)", "Stop A (n2 -> None): no quorum (blocked)"],
        id="without quorum a lost node is not fenced, and what was there doesn't start elsewhere",
    ),
    pytest.param(
        two(FENCING, primitive("A", {"is-managed": "false"})),
        "stonith",
        [],
        [f"Fence n2: {GONE}", "Start fencing (None -> n1)"],
        id="what is unmanaged stays out of it",
    ),
    pytest.param(
        two(FENCING, A, **{"stonith-enabled": "false"}),
        "A stonith",
        [],
        ["Start fencing (None -> n1)", "Start A (None -> n1)"],
        id="with fencing disabled, what was on a lost node just starts elsewhere",
    ),
    pytest.param(
        four("n2", "n3", "n4"),
        "stonith",
        ["stonith-n2-reboot n2 -> stonith-n3-reboot n3", "stonith-n3-reboot n3 -> stonith-n4-reboot n4"],
        None,
        id="nodes are fenced one after the other, in the order of their names",
    ),
    pytest.param(
        four("n2", "n3", **{"concurrent-fencing": "true"}), "stonith", [], None, id="or at once if that is allowed"
    ),
    pytest.param(
        four("n3", "n4", leaving=("n1", "n2")),
        "stonith do_shutdown",
        [
            "do_shutdown-n2 n2 -> do_shutdown-n1 n1",
            "stonith-n3-reboot n3 -> stonith-n4-reboot n4",
            "stonith-n4-reboot n4 -> do_shutdown-n1 n1",
        ],
        None,
        id="the DC shuts down last, after other shutdowns and all fencing",
    ),
    pytest.param(
        unchanged(cib(A, active={"A": ["n2"]}, attributes={"n2": LEAVING})),
        "A do_shutdown",
        ["A_stop_0 n2 -> A_start_0 n1", "A_stop_0 n2 -> do_shutdown-n2 n2"],
        ["Move A (n2 -> n1)"],
        id="a node shuts down once what is on it has stopped",
    ),
    pytest.param(
        unchanged(cib(connection(), A, constraints=NOT_ON_MEMBERS)),
        "start",
        ["r1_start_0 n1 -> A_start_0 r1"],
        ["Start r1 (None -> n1)", "Start A (None -> r1)"],
        id="what starts on a remote node waits for its connection",
    ),
    pytest.param(
        unchanged(cib(primitive("vm", {"remote-node": "g1"}), A, constraints=NOT_ON_MEMBERS)),
        "start",
        ["g1_start_0 n1 -> A_start_0 g1", "vm_start_0 n1 -> A_start_0 g1", "vm_start_0 n1 -> g1_start_0 n1"],
        ["Start vm (None -> n1)", "Start A (None -> g1)", "Start g1 (None -> n1)"],
        id="what starts on a guest waits for the guest and its connection",
    ),
    pytest.param(
        two(FENCING, A, **{"maintenance-mode": "true"}), "", [], [], id="nothing is fenced while nothing is managed"
    ),
    pytest.param(
        unchanged(
            cib(
                connection(),
                A,
                primitive("Z", {"target-role": "Stopped"}),
                constraints=[*NOT_ON_MEMBERS, order("Z", "r1")],
            )
        ),
        "",
        [],
        ["Start r1 (None -> n1): unrunnable Z start (blocked)", "Start A (None -> r1): unrunnable r1 start (blocked)"],
        id="nothing starts on a remote node whose connection can't start",
    ),
]


@pytest.mark.parametrize(("given", "about", "expected", "changes"), FENCINGS)
def test_what_waits_for_fencing(given: Cib, about: str, expected: list[str], changes: list[str] | None) -> None:
    plan = plan_of(given)
    assert waits(plan, about) == expected
    if changes is not None:
        assert summary(plan) == changes


def test_the_fenced_node_is_down_afterwards() -> None:
    (fencing,) = [action for action in plan_of(two(FENCING, A)).actions if action.task == "stonith"]
    assert (fencing.kind, fencing.node, fencing.downed) == (ActionKind.CLUSTER, "n2", ("n2",))


def test_an_action_on_a_remote_node_goes_through_the_host_of_its_connection() -> None:
    plan = plan_of(unchanged(cib(connection(), A, constraints=NOT_ON_MEMBERS)))
    (start,) = [action for action in plan.actions if action.key == "A_start_0"]
    assert (start.node, start.router) == ("r1", "n1")


def test_what_leaves_a_remote_node_leaves_before_its_connection_moves() -> None:
    moving = [location("r1", "n1", "-INFINITY"), location("r1", "n2", "INFINITY"), *NOT_ON_MEMBERS]
    disabled = primitive("A", {"target-role": "Stopped"})
    given = cib(connection(), disabled, active={"r1": ["n1"]}, constraints=moving)
    at_r1 = NodeState("r1", "r1", {"remote_node": "true"}, history=(_started("A"),))
    given = replace(given, status=Status((*given.status.nodes, at_r1)))
    routes = {action.key: action.router for action in plan_of(unchanged(given)).actions if action.node == "r1"}
    assert routes == {"A_stop_0": "n1"}


def test_a_node_shuts_down_under_what_is_in_maintenance() -> None:
    resources = primitive("A", {"maintenance": "true"}), primitive("B")
    given = cib(*resources, active={"A": ["n2"], "B": ["n2"]}, attributes={"n2": LEAVING})
    assert waits(plan_of(unchanged(given)), "stop do_shutdown") == ["B_stop_0 n2 -> do_shutdown-n2 n2"]


def test_probes_elsewhere_do_not_hold_up_a_shutdown() -> None:
    given = unchanged(cib(A, nodes=("n1", "n2", "n3"), active={"A": ["n2"]}, attributes={"n2": LEAVING}))
    actions = {action.id: action for action in plan_of(given).actions}
    (shutdown,) = [action for action in actions.values() if action.task == "do_shutdown"]
    assert {action.node for action in actions.values() if action.task == "monitor"} == {"n1", "n3"}
    assert [actions[id].key for id in shutdown.triggers] == ["A_stop_0"]


def test_a_stop_by_fencing_is_nobodys_action() -> None:
    plan = plan_of(two(FENCING, A))
    assert [action.kind for action in plan.actions if action.key == "A_stop_0"] == [ActionKind.PSEUDO]
    assert graph(plan)[-1] == "stonith-n2-reboot n2"


def _started(id: str) -> ResourceHistory:
    (state,) = cib(primitive(id), nodes=("n1",), active={id: ["n1"]}).status.nodes
    return state.history[0]


def test_planning_again_once_everything_is_done_changes_nothing() -> None:
    given = unchanged(cib(A, active={"A": ["n1"]}, probed={"A": ["n2"]}))
    assert plan_of(given).plan.empty
