"""Recorded results in a few words, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.cib import Cib
from reconciler.model.attributes import Defaults, plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Operation, Primitive, Resource
from reconciler.model.score import INFINITY
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.state import read_state
from reconciler.scheduler.working.cluster import Cluster

NOW = 1_700_000_000
DUMMY = Agent("ocf", "Dummy", "pacemaker")
FENCE_DEVICE = Primitive("fencing", Agent("stonith", "fence_xvm"))
UP = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
DOWN = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}

Texts = Mapping[str, str]


def primitive(
    id: str = "A", meta: Texts | None = None, *operations: Operation, params: Texts | None = None
) -> Primitive:
    return Primitive(id, DUMMY, params=plain(params or {}), meta=plain(meta or {}), operations=operations)


def promotable(id: str, inner: Primitive) -> Clone:
    return Clone(id, inner, meta=plain({"promotable": "true"}))


def entry(
    task: str,
    rc: int = 0,
    status: int | None = None,
    *,
    interval_ms: int = 0,
    target: int | None = None,
    call: int = 1,
    age_s: int = 1000,
    name: str = "A",
    id: str | None = None,
    transition: int | None = None,
    **more: str,
) -> HistoryEntry:
    """A result; a probe is expected to find nothing, everything else to succeed, unless `target` says otherwise."""
    if target is None:
        target = 7 if task == "monitor" and not interval_ms else 0
    if status is None:
        status = 0 if rc == target else 4
    key = f"1:{max(call, 0) if transition is None else transition}:{target}:11111111-1111-1111-1111-111111111111"
    keys = {
        "operation": task,
        "operation_key": f"{name}_{task}_{interval_ms}",
        "interval": str(interval_ms),
        "call-id": str(call),
        "rc-code": str(rc),
        "op-status": str(status),
        "transition-key": key,
        "transition-magic": f"{status}:{rc};{key}",
        "last-rc-change": str(NOW - age_s),
    }
    keys.update({name.replace("_", "-") if name.startswith("op_") else name: value for name, value in more.items()})
    return HistoryEntry(id or f"{name}_{task}_{interval_ms}_{call}", keys)


def history(*entries: HistoryEntry, id: str = "A", **attributes: str) -> ResourceHistory:
    return ResourceHistory(id, {"class": "ocf", "provider": "pacemaker", "type": "Dummy", **attributes}, entries)


def state(name: str, *histories: ResourceHistory, transient: Texts | None = None, **recorded: str) -> NodeState:
    attributes = {key: value for key, value in {**UP, **recorded}.items() if value}
    return NodeState(name, name, attributes, plain(transient or {}), histories)


def cib(
    *resources: Resource,
    states: Sequence[NodeState] = (),
    nodes: Sequence[str | NodeDefinition] = ("n1", "n2"),
    options: Texts | None = None,
    defaults: Defaults | None = None,
    quorum: bool = True,
) -> Cib:
    """A cluster with fencing disabled, unless the options say otherwise."""
    configuration = Configuration(
        options=plain({"stonith-enabled": "false", **(options or {})}),
        nodes=tuple(NodeDefinition(node, id=node) if isinstance(node, str) else node for node in nodes),
        resources=resources,
        defaults=defaults or Defaults(),
    )
    return Cib(configuration, Status(tuple(states)), have_quorum=quorum, feature_set="3.16.1")


def read(one: Cib) -> Cluster:
    return read_state(one, Instant(NOW))


def shown(cluster: Cluster, id: str = "A") -> str:
    """What is known of a primitive: `FAILED Started n1 n2 blocked, next Stopped, not on n2`."""
    resource = find(cluster, id)
    assert resource is not None
    words = (
        ["FAILED"] * resource.found.failed
        + [str(resource.found.role)]
        + [node.name for node in resource.found.active_on]
    )
    words += ["blocked" if resource.found.blocked else "unmanaged"] * (not resource.managed)
    text = " ".join(words)
    if resource.placed.next_role:
        text += f", next {resource.placed.next_role}"
    root = resource.root
    banned = [
        node.name
        for node in cluster.nodes
        if -INFINITY in (resource.placed.table.get(node.index), root.placed.table.get(node.index))
    ]
    return text + (f", not on {' '.join(banned)}" if banned else "")
