"""Twenty-two situations that puzzle people new to a cluster, with the answers of `why` kept as golden texts."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from reconciler.analysis.explanation import UnknownResource, explain
from reconciler.analysis.failures import Case, strike
from reconciler.analysis.steady import healthy, steady
from reconciler.cib import Cib
from reconciler.cli.explaining.why import lines
from reconciler.cli.terminal.paint import Paint
from reconciler.frozen import field, frozen, replace
from reconciler.model.attributes import AttributeBlock, plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order, Ticket
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive, Resource
from reconciler.scheduler import schedule

NOW = Instant(1_700_000_000)
NO_FENCING = {"stonith-enabled": "false"}


def primitive(name: str, meta: dict[str, str] | None = None, utilization: dict[str, str] | None = None) -> Primitive:
    return Primitive(
        name,
        Agent("ocf", "Stateful" if name == "db" else "Dummy", "pacemaker"),
        meta=plain(meta or {}),
        utilization=plain(utilization or {}),
        operations=(Operation("monitor", "10s"),),
    )


@frozen
class Situation:
    """A cluster, what is asked of it, and what has happened to it before."""

    resources: tuple[Resource, ...]
    ask: str
    on: str | None = None
    constraints: tuple[Constraint, ...] = ()
    options: dict[str, str] = field(default_factory=lambda: dict(NO_FENCING))
    nodes: tuple[NodeDefinition, ...] = (NodeDefinition("n1"), NodeDefinition("n2"))
    running: bool = False
    then: Callable[[Cib], Cib] = lambda cib: cib

    def cib(self) -> Cib:
        configuration = Configuration(
            "lab",
            options=plain(self.options),
            nodes=self.nodes,
            resources=self.resources,
            constraints=self.constraints,
        )
        start = steady(configuration, NOW).cib if self.running else healthy(configuration)
        return self.then(start)


def no_quorum(cib: Cib) -> Cib:
    return replace(cib, have_quorum=False)


def with_constraint(*more: Constraint) -> Callable[[Cib], Cib]:
    def add(cib: Cib) -> Cib:
        configuration = cib.configuration
        return replace(cib, configuration=replace(configuration, constraints=configuration.constraints + more))

    return add


def failing(name: str, node: str, for_good: bool) -> Callable[[Cib], Cib]:
    return lambda cib: strike(cib, Case(failed=(name, node, for_good)), NOW)


def losing(*nodes: str) -> Callable[[Cib], Cib]:
    return lambda cib: strike(cib, Case(lost=nodes), NOW)


def failed_start(cib: Cib) -> Cib:
    """Both nodes tried to start it, and failed for good."""
    for node in ("n1", "n2"):
        states = tuple(
            replace(
                state,
                transient=(
                    AttributeBlock({"fail-count-web#start_0": "INFINITY", "last-failure-web#start_0": "1699999000"}),
                ),
            )
            if state.name == node
            else state
            for state in cib.status.nodes
        )
        cib = replace(cib, status=replace(cib.status, nodes=states))
    return cib


BANNED = tuple(Location(f"no-web-on-{node}", "web", node=node, score="-INFINITY") for node in ("n1", "n2"))
STANDBY = (
    NodeDefinition("n1", attributes=plain({"standby": "true"})),
    NodeDefinition("n2", attributes=plain({"standby": "true"})),
)
DB_PROMOTED_FIRST = Order("db-first", "db-clone", "web", first_action="promote", then_action="start")
PROMOTABLE = Clone("db-clone", primitive("db"), meta=plain({"promotable": "true"}))

SITUATIONS = {
    "banned-everywhere": Situation((primitive("web"),), "web", constraints=BANNED),
    "stopped-by-target-role": Situation((primitive("web", {"target-role": "Stopped"}),), "web"),
    "group-stopped-by-target-role": Situation(
        (Group("site", (primitive("ip"), primitive("web")), meta=plain({"target-role": "Stopped"})),), "web"
    ),
    "waiting-for-a-promoted-role": Situation(
        (PROMOTABLE, primitive("web")),
        "web",
        constraints=(DB_PROMOTED_FIRST,),
    ),
    "never-promoted": Situation((PROMOTABLE,), "db-clone", running=True),
    "no-quorum": Situation((primitive("web"),), "web", then=no_quorum),
    "lost-ticket": Situation(
        (primitive("web"),), "web", constraints=(Ticket("web-needs-a", "site-a", "web", loss_policy="stop"),)
    ),
    "too-big-for-every-node": Situation(
        (primitive("web", utilization={"memory": "64"}),),
        "web",
        options={**NO_FENCING, "placement-strategy": "utilization"},
        nodes=tuple(NodeDefinition(name, utilization=plain({"memory": "32"})) for name in ("n1", "n2")),
    ),
    "failed-start": Situation((primitive("web"),), "web", then=failed_start),
    "one-failure-recovers-in-place": Situation(
        (primitive("web"),), "web", running=True, then=failing("web", "n1", False)
    ),
    "failed-too-often": Situation(
        (primitive("web", {"migration-threshold": "3"}),), "web", "n1", running=True, then=failing("web", "n1", True)
    ),
    "expired-failure": Situation(
        (primitive("web", {"migration-threshold": "1", "failure-timeout": "60s"}),),
        "web",
        "n1",
        running=True,
        then=lambda cib: strike(cib, Case(failed=("web", "n1", True)), Instant(NOW.epoch_s - 3600)),
    ),
    "colocated-with-something-that-cannot-run": Situation(
        (primitive("web"), primitive("ip")),
        "web",
        constraints=(
            Colocation("web-with-ip", "web", "ip", score="INFINITY"),
            *(Location(f"no-ip-on-{node}", "ip", node=node, score="-INFINITY") for node in ("n1", "n2")),
        ),
    ),
    "ordered-after-something-stopped": Situation(
        (primitive("web"), primitive("db", {"target-role": "Stopped"})),
        "web",
        constraints=(Order("db-then-web", "db", "web"),),
    ),
    "all-nodes-in-standby": Situation((primitive("web"),), "web", nodes=STANDBY),
    "maintenance-mode": Situation((primitive("web"),), "web", options={**NO_FENCING, "maintenance-mode": "true"}),
    "unmanaged": Situation((primitive("web", {"is-managed": "false"}),), "web"),
    "no-fence-device": Situation((primitive("web"),), "web", options={}),
    "stop-all-resources": Situation((primitive("web"),), "web", options={**NO_FENCING, "stop-all-resources": "true"}),
    "opt-in-cluster": Situation((primitive("web"),), "web", options={**NO_FENCING, "symmetric-cluster": "false"}),
    "prefers-the-other-node": Situation(
        (primitive("web", {"resource-stickiness": "100"}),),
        "web",
        "n1",
        constraints=(Location("likes-n2", "web", node="n2", score="500"),),
    ),
    "stays-where-it-is": Situation(
        (primitive("web", {"resource-stickiness": "100"}),),
        "web",
        "n2",
        running=True,
        then=with_constraint(Location("likes-n2", "web", node="n2", score="50")),
    ),
    "its-node-was-lost": Situation((primitive("web"),), "web", "n1", running=True, then=losing("n1")),
    "more-instances-than-nodes": Situation(
        (Clone("c", primitive("web"), meta=plain({"clone-max": "3"})),), "web:2", running=True
    ),
}


def answer(situation: Situation) -> str:
    paint = Paint(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), "never")
    answers = explain(situation.cib(), NOW, situation.ask, situation.on)
    return "\n\n".join("\n".join(lines(one, paint, scores=True)) for one in answers) + "\n"


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_answer_is_the_one_that_was_reviewed(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"why/{name}.txt", answer(SITUATIONS[name]))


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_edit_that_is_offered_changes_the_answer(name: str) -> None:
    situation = SITUATIONS[name]
    cib = situation.cib()
    for one in explain(cib, NOW, situation.ask, situation.on):
        before = {placement.resource: placement for placement in schedule(cib, NOW).placements}
        for edit in one.edits:
            after = {placement.resource: placement for placement in schedule(edit.apply(cib), NOW).placements}
            changes = schedule(cib, NOW).changes != schedule(edit.apply(cib), NOW).changes
            assert changes or after[one.resource] != before[one.resource], edit.text


def test_an_unknown_resource_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(UnknownResource, match="did you mean 'web'"):
        explain(SITUATIONS["unmanaged"].cib(), NOW, "wep")


def test_an_unknown_node_is_named_too() -> None:
    with pytest.raises(UnknownResource, match="there is no node 'n9'"):
        explain(SITUATIONS["unmanaged"].cib(), NOW, "web", "n9")
