"""What each effect of an edge does to its two actions (specification part 3, section 11.4).

Each row is a sentence, the effects, the flags of both actions before, and what has changed after. Flags are words:
`required`, `unrunnable`, `migratable`, `pseudo`, `shown`; an action is optional and runnable without any.
"""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.model.date import Instant
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.condition import block
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.ordering.propagation import Propagation
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.action import Action
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.effects import (
    ANTI,
    ANY,
    ASY,
    CXL,
    LOAD,
    MIGF,
    ORD,
    PRB,
    PSD,
    RF,
    RFP,
    RN,
    RST,
    RT,
    RTN,
    SAME,
    SER,
    SHF,
    SHT,
)
from reconciler.scheduler.working.node import ClusterNode, NodeKind
from reconciler.scheduler.working.resource import Resource

FIRST, THEN = "first: ", "then: "

EFFECTS = [
    pytest.param(ORD | SER | LOAD | ANTI, "required unrunnable", "", [], id="mere order changes nothing"),
    pytest.param(RT, "required", "", [THEN + "required"], id="RT: first required makes then required"),
    pytest.param(RT, "", "", [], id="RT: first optional changes nothing"),
    pytest.param(RT, "required migratable", "", [], id="RT: a first that may migrate makes nothing required"),
    pytest.param(RTN, "required", "", [THEN + "required"], id="RTN: acts like RT on one node"),
    pytest.param(RN, "unrunnable", "", [THEN + "unrunnable"], id="RN: first unrunnable makes then unrunnable"),
    pytest.param(RN, "unrunnable", "migratable", [THEN + "unrunnable"], id="RN: and then can't migrate either"),
    pytest.param(RN, "required", "", [], id="RN: first required changes nothing"),
    pytest.param(RF, "", "required", [], id="RF: then required does not make first required, whatever its purpose"),
    pytest.param(RF, "migratable", "required", [FIRST + ""], id="RF: but then, required, keeps first from migrating"),
    pytest.param(RFP, "", "required", [], id="RFP: nothing as long as then is not promoted"),
    pytest.param(RST, "", "required", [FIRST + "required"], id="RST: a required start makes the stop required"),
    pytest.param(
        RST, "required unrunnable", "required", [THEN + "required unrunnable"], id="RST: no start without stop"
    ),
    pytest.param(RST, "required", "", [], id="RST: nothing as long as then is optional"),
    pytest.param(MIGF, "", "", [FIRST + "unrunnable"], id="MIGF: first can't be, as then doesn't migrate"),
    pytest.param(MIGF, "", "required migratable", [FIRST + "required"], id="MIGF: first is required with then"),
    pytest.param(PSD, "unrunnable", "pseudo migratable", [THEN + ""], id="PSD: then is real when first can't be"),
    pytest.param(PSD, "", "pseudo migratable", [], id="PSD: nothing as long as first can be"),
    pytest.param(ASY, "unrunnable", "", [THEN + "required unrunnable"], id="ASY: then is required, and can't be"),
    pytest.param(ASY, "required", "", [], id="ASY: nothing as long as first can be"),
    pytest.param(PRB, "unrunnable", "", [THEN + "unrunnable"], id="PRB: RN while first's resource is not active"),
    pytest.param(SHT, "required", "", [THEN + "shown"], id="SHT: then is shown with first"),
    pytest.param(SHT, "required unrunnable", "", [], id="SHT: but not if first can't be"),
    pytest.param(SHF, "", "required", [FIRST + "shown"], id="SHF: first is shown with then"),
    pytest.param(CXL, "required", "required", [FIRST + ""], id="CXL: then required makes first optional"),
    pytest.param(CXL, "required", "", [], id="CXL: then optional leaves first alone"),
    pytest.param(RT | SAME, "required", "", [THEN + "required"], id="SAME: no matter as long as a node is unknown"),
]


@pytest.mark.parametrize(("effects", "first", "then", "changed"), EFFECTS)
def test_what_an_effect_does(effects: int, first: str, then: str, changed: list[str]) -> None:
    one, other = _action(1, "A", "stop", first), _action(2, "B", "start", then)
    assert _after(effects, one, other) == changed


def test_a_change_of_another_resource_gives_its_reason() -> None:
    one, other = _action(1, "A", "start", "required unrunnable"), _action(2, "B", "start", "")
    _after(RN, one, other)
    assert other.reason == "unrunnable A start"


def test_the_first_reason_stays_but_a_lost_migration_overwrites() -> None:
    one, other = _action(1, "A", "start", "required unrunnable"), _action(2, "B", "stop", "migratable")
    other.reason = "node availability"
    _after(RT, one, other)
    assert other.reason == "node availability"
    _after(RN, one, other)
    assert other.reason == "unrunnable A start"


def test_a_change_within_one_resource_gives_no_reason() -> None:
    one = _action(1, "A", "stop", "")
    other = _action(2, "A", "start", "required")
    other.resource = one.resource
    assert _after(RST | RT, one, other) == [FIRST + "required"]
    assert one.reason is None


def test_a_start_that_can_not_be_requires_the_stop_of_its_own_resource() -> None:
    one, other = _action(1, "A", "stop", ""), _action(2, "A", "start", "unrunnable")
    other.resource = one.resource
    assert _after(RST, one, other) == [FIRST + "required"]


def test_a_dangling_stop_does_not_require_a_start() -> None:
    from reconciler.scheduler.noting.orderings import order
    from reconciler.scheduler.ordering.applying import apply_orderings

    cluster = Cluster(Cib(), Instant(0))
    one, other = _action(1, "A", "stop", "required"), _action(2, "A", "start", "")
    other.resource, one.dangling = one.resource, True
    order(cluster, one, other, ORD | RT, Cause(Why.IMPLICIT))
    apply_orderings(cluster)
    assert [edge.effects for edge in other.inputs] == [ORD]


def test_a_required_stop_of_what_is_promoted_requires_its_demote() -> None:
    one, other = _action(1, "A", "demote", ""), _action(2, "A", "stop", "required")
    assert other.resource is not None
    other.resource.found.role = Role.PROMOTED
    assert _after(RFP, one, other) == [FIRST + "required"]


def test_an_order_on_one_node_is_none_on_two() -> None:
    one, other = _action(1, "A", "stop", "required"), _action(2, "B", "start", "")
    one.node, other.node = ClusterNode(0, "1", "n1", NodeKind.CLUSTER), ClusterNode(1, "2", "n2", NodeKind.CLUSTER)
    assert _after(RT | SAME, one, other) == []
    assert other.inputs[0].effects == 0


def test_a_probe_that_can_not_be_doesnt_stop_what_is_active() -> None:
    one, other = _action(1, "A", "monitor", "unrunnable"), _action(2, "B", "start", "")
    assert one.resource is not None
    one.resource.found.active_on = [ClusterNode(0, "1", "n1", NodeKind.CLUSTER)]
    assert _after(PRB, one, other) == []
    assert other.inputs[0].effects == 0


@pytest.mark.parametrize(("needed", "reached"), [(1, True), (2, True), (3, False)])
def test_a_gate_opens_when_enough_can_be(needed: int, reached: bool) -> None:
    cluster = Cluster(Cib(), Instant(0))
    gate = Action(9, "one-or-more:x", "one-or-more:x", None, None)
    gate.requires_any, gate.needed_count = True, needed
    for number, flags in enumerate(("required", "unrunnable", "")):
        add_edge(_action(number, f"A{number}", "start", flags), gate, ANY | SHT, None)
    Propagation(cluster).update(gate)
    assert gate.runnable is reached
    assert gate.shown


def test_what_follows_the_stop_of_a_blocked_resource_can_not_be() -> None:
    one, other = _action(1, "A", "stop", "unrunnable"), _action(2, "B", "stop", "")
    assert one.resource is not None
    block(one.resource)
    assert _after(RF, one, other) == [THEN + "unrunnable"]


def test_a_chain_may_be_longer_than_the_interpreters_own_limit() -> None:
    from reconciler.scheduler.ordering.propagation import propagate

    cluster = Cluster(Cib(), Instant(0))
    length = 3000
    cluster.actions = [_action(number, f"A{number}", "start", "") for number in range(length)]
    for first, then in zip(cluster.actions, cluster.actions[1:], strict=False):
        add_edge(first, then, RN | RT, None)
    cluster.actions[0].optional = cluster.actions[0].runnable = False
    propagate(cluster)
    assert not any(action.optional or action.runnable for action in cluster.actions)


def test_an_edge_that_shares_an_effect_is_refused_even_when_disabled() -> None:
    one, other = _action(1, "A", "stop", ""), _action(2, "B", "start", "")
    assert add_edge(one, other, ORD | RT, None)
    other.inputs[0].effects = 0
    assert not add_edge(one, other, ORD, None)
    assert add_edge(one, other, RN, None)


def _action(number: int, resource: str, task: str, flags: str) -> Action:
    action = Action(number, f"{resource}_{task}_0", task, Resource(resource, Kind.PRIMITIVE), None)
    words = flags.split()
    action.optional = "required" not in words
    action.runnable = "unrunnable" not in words
    action.migratable = "migratable" in words
    action.pseudo = "pseudo" in words
    return action


def _words(action: Action) -> str:
    words = ["required"] * (not action.optional) + ["unrunnable"] * (not action.runnable)
    words += ["migratable"] * action.migratable + ["pseudo"] * action.pseudo + ["shown"] * action.shown
    return " ".join(words)


def _after(effects: int, first: Action, then: Action) -> list[str]:
    """Which of the two has changed by the edge, with its flags now."""
    before = _words(first), _words(then)
    add_edge(first, then, effects, None)
    Propagation(Cluster(Cib(), Instant(0))).update(then)
    after = ((FIRST, _words(first), before[0]), (THEN, _words(then), before[1]))
    return [side + now for side, now, then_ in after if now != then_]
