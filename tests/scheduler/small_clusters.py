"""Small clusters for tests of the scheduler: a CIB in a few words, and its score lines in a few more.

All nodes are online and have no attributes, all agents are `ocf:pacemaker:Dummy`, there is quorum and no fencing, unless a test says
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from finished import Finished

from reconciler.cib import Cib
from reconciler.model.attributes import NO_ATTRIBUTES, AttributeBlocks, Defaults, plain
from reconciler.model.cluster import Configuration, NodeDefinition, Tag
from reconciler.model.constraint import Colocation, Constraint, Location, ResourceSet, Ticket
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Bundle, BundleNetwork, Clone, Group, Primitive, Resource
from reconciler.model.rule import AttributeExpression, Rule
from reconciler.model.score import show
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status, TicketState

NOW = 1_700_000_000
DUMMY = Agent("ocf", "Dummy", "pacemaker")
STATEFUL = Agent("ocf", "Stateful", "pacemaker")
REMOTE = Agent("ocf", "remote", "pacemaker")

Texts = Mapping[str, str]


def block(values: Texts | None, id: str) -> AttributeBlocks:
    return plain(dict(values), id=id) if values else NO_ATTRIBUTES


def primitive(
    id: str, meta: Texts | None = None, *, agent: Agent = DUMMY, utilization: Texts | None = None
) -> Primitive:
    return Primitive(id, agent, meta=block(meta, f"{id}-meta"), utilization=block(utilization, f"{id}-util"))


def group(id: str, *members: str | Primitive, meta: Texts | None = None) -> Group:
    made = tuple(primitive(member) if isinstance(member, str) else member for member in members)
    return Group(id, made, meta=block(meta, f"{id}-meta"))


def clone(id: str, inner: Primitive | Group, meta: Texts | None = None) -> Clone:
    return Clone(id, inner, meta=block(meta, f"{id}-meta"))


def promotable(id: str, inner: str | Primitive | Group, meta: Texts | None = None) -> Clone:
    child = primitive(inner, agent=STATEFUL) if isinstance(inner, str) else inner
    return clone(id, child, {"promotable": "true", **(meta or {})})


def bundle(id: str, inner: Primitive, *, replicas: int, per_host: int = 1, promoted_max: int = 0) -> Bundle:
    attributes = {"image": "i", "replicas": str(replicas), "replicas-per-host": str(per_host)}
    if promoted_max:
        attributes["promoted-max"] = str(promoted_max)
    return Bundle(id, "podman", attributes, BundleNetwork({"control-port": "3121"}), primitive=inner)


def location(resource: str, node: str, score: int | str, role: str | None = None, **more: str) -> Location:
    id = f"loc-{resource}-{node}-{score}"
    return Location(id, resource=resource, node=node, score=str(score), role=role, **more)


def rule_location(resource: str, *expressions: AttributeExpression, **rule: str) -> Location:
    id = f"rule-{resource}-{'-'.join(rule.values())}"
    written = Rule(tuple(expressions), id=f"{id}-rule", **rule)
    return Location(id, resource=resource, rules=(written,))


def expression(attribute: str, operation: str, value: str | None = None) -> AttributeExpression:
    return AttributeExpression(attribute, operation, value, id=f"x-{attribute.strip('#')}-{operation}-{value}")


def colocation(dependent: str, primary: str, score: int | str, **more: str) -> Colocation:
    id = f"col-{dependent}-{primary}-{score}"
    return Colocation(id, resource=dependent, with_resource=primary, score=str(score), **more)


def colocated_sets(score: int | str, *sets: Sequence[str] | ResourceSet) -> Colocation:
    made = tuple(
        one if isinstance(one, ResourceSet) else ResourceSet(tuple(one), id=f"set-{number}")
        for number, one in enumerate(sets)
    )
    return Colocation("col-sets", sets=made, score=str(score))


def cib(
    *resources: Resource,
    nodes: Iterable[str | NodeDefinition] = ("n1", "n2"),
    constraints: Iterable[Constraint] = (),
    options: Texts | None = None,
    active: Mapping[str, Sequence[str]] | None = None,
    probed: Mapping[str, Sequence[str]] | None = None,
    failed: Mapping[str, Sequence[str]] | None = None,
    attributes: Mapping[str, Texts] | None = None,
    offline: Sequence[str] = (),
    tickets: Mapping[str, Texts] | None = None,
    defaults: Texts | None = None,
    tags: Mapping[str, Sequence[str]] | None = None,
    quorum: bool = True,
    unseen: Sequence[str] = (),
) -> Cib:
    """A CIB: `active` says on which nodes primitives (ids without number) were started, `probed` where they were found stopped,
    `failed` where a monitor failed after the start. `attributes` are transient ones by node.
    """
    made = tuple(NodeDefinition(node, id=node) if isinstance(node, str) else node for node in nodes)
    configuration = Configuration(
        options=block({"stonith-enabled": "false", **(options or {})}, "cib-bootstrap-options"),
        nodes=made,
        resources=resources,
        constraints=tuple(constraints),
        defaults=Defaults(resources=block(defaults, "rsc-defaults")),
        tags=tuple(Tag(id, tuple(members)) for id, members in (tags or {}).items()),
    )
    states = tuple(
        _state(node, _histories(node, active or {}, probed or {}, failed or {}), attributes or {}, node.name in offline)
        for node in made
        if node.type != "remote" and node.name not in unseen
    )
    held = tuple(TicketState(id, dict(keys)) for id, keys in (tickets or {}).items())
    return Cib(
        configuration,
        Status(states, held),
        have_quorum=quorum,
        feature_set="3.16.1",
        execution_date=NOW,
        dc_id=made[0].identity if made else None,
    )


def _state(
    node: NodeDefinition, histories: tuple[ResourceHistory, ...], attributes: Mapping[str, Texts], offline: bool
) -> NodeState:
    up = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
    down = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
    return NodeState(
        node.identity,
        node.name,
        attributes=down if offline else up,
        transient=block(attributes.get(node.name), f"transient-{node.name}"),
        history=histories,
    )


def _histories(node: NodeDefinition, *by_kind: Mapping[str, Sequence[str]]) -> tuple[ResourceHistory, ...]:
    """Histories of what was started, was found stopped, and failed after its start."""
    active, probed, failed = by_kind
    entries: dict[str, list[HistoryEntry]] = {}
    for where, made in (
        (active, (("start", 0, "0"),)),
        (probed, (("monitor", 0, "7"),)),
        (failed, (("start", 0, "0"), ("monitor", 10_000, "1"))),
    ):
        for id, names in where.items():
            if node.name in names:
                entries[id] = [
                    _entry(id, task, interval_ms, code, call)
                    for call, (task, interval_ms, code) in enumerate(made, len(entries) * 10 + 1)
                ]
    kept = {"class": "ocf", "provider": "pacemaker", "type": "Dummy"}
    return tuple(ResourceHistory(id, kept, tuple(found)) for id, found in entries.items())


def _entry(id: str, task: str, interval_ms: int, code: str, call: int) -> HistoryEntry:
    wanted = "7" if code == "7" else "0"
    transition = f"{call}:1:{wanted}:11111111-1111-1111-1111-111111111111"
    status = "4" if code == "1" else "0"
    keys = {
        "operation": task,
        "operation_key": f"{id}_{task}_{interval_ms}",
        "interval": str(interval_ms),
        "call-id": str(call),
        "rc-code": code,
        "op-status": status,
        "transition-key": transition,
        "transition-magic": f"{status}:{code};{transition}",
        "last-rc-change": str(NOW - 1000),
    }
    name = "last_failure_0" if code == "1" else f"{'last' if interval_ms == 0 else task}_{interval_ms}"
    return HistoryEntry(f"{id}_{name}", keys)


def plan_of(one: Cib) -> Finished:
    return Finished(one, Instant(NOW))


def full_lines(plan: Finished) -> list[str]:
    """The score lines as the reference program prints them."""
    return [
        f"{id} promotion score on {node}: {show(score)}"
        if label == "promotion"
        else f"{label}: {id} allocation score on {node}: {show(score)}"
        for label, id, node, score in plan.cluster.score_lines
    ]


_STAGES = {
    "pcmk__primitive_assign": "",
    "pcmk__group_assign": "group ",
    "pcmk__clone_allocate": "clone ",
    "pcmk__bundle_allocate": "bundle ",
    "promotion": "promotion ",
}


def score_lines(plan: Finished) -> list[str]:
    """The score lines in the order decided, those of one resource at one time on one line: `clone C: n1 0, n2 INFINITY`."""
    lines: list[tuple[str, dict[str, str]]] = []
    for label, id, node, score in plan.cluster.score_lines:
        title = f"{_STAGES[label]}{id}"
        if not lines or lines[-1][0] != title or node in lines[-1][1]:
            lines.append((title, {}))
        lines[-1][1][node] = show(score)
    return [f"{title}: {', '.join(f'{node} {score}' for node, score in scores.items())}" for title, scores in lines]


def scores_of(plan: Finished, id: str) -> dict[str, str]:
    """The scores of one primitive when its node was chosen, the last time."""
    found = [line for line in plan.cluster.score_lines if line[0] == "pcmk__primitive_assign" and line[1] == id]
    return {node: show(score) for _, _, node, score in found}


def placed(plan: Finished) -> dict[str, str | None]:
    """Where each primitive instance will be."""
    return {placement.resource: placement.node for placement in plan.placements}


def held(**keys: str) -> dict[str, Texts]:
    """The state of the ticket T."""
    return {"T": keys}


def ticket(resource: str, role: str | None = None, policy: str | None = None) -> Ticket:
    return Ticket(f"ticket-{resource}-{role}-{policy}", "T", resource=resource, role=role, loss_policy=policy)
