"""One operation of one resource, by hand: the call as the cluster would make it on a node, and why it must not be made.

Nothing is computed twice: the scheduler is asked about a cluster with this one resource, of which nothing is known, and the probe that it
plans has the parameters in force there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cib import Cib
from reconciler.cib.activity import is_down
from reconciler.errors import ReconcilerError
from reconciler.frozen import replace
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.attributes import AttributeBlock, plain
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.duration import DEFAULT_TIMEOUT_MS, timeout_ms
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Bundle, Clone, Operation, Primitive, Resource, primitives
from reconciler.model.status import NodeState, Status
from reconciler.model.template import made_from
from reconciler.scheduler import look, schedule
from reconciler.scheduler.plan import PlannedAction
from reconciler.scheduler.roles import Role
from reconciler.scheduler.standing import Standing, StandingResource

OPERATIONS = ("start", "stop", "monitor", "promote", "demote", "validate-all")
_META = "CRM_meta_"
_OF_THE_PROBE = frozenset(
    {"interval", "name", "op_target_rc", "timeout", "start_delay", "on_fail", "on_node", "on_node_uuid"}
)
_BEGINNINGS = frozenset({"start", "promote"})
_ONLINE = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
_OPTIONS = {
    "stonith-enabled": "false",
    "enable-startup-probes": "true",
    "maintenance-mode": "false",
    "stop-all-resources": "false",
    "no-quorum-policy": "ignore",
}


class ByHandError(ReconcilerError):
    """The operation can't be run by hand; nothing was done."""

    code = "by-hand"


def call_of(cib: Cib, now: Instant, name: str, node: str, operation: str) -> AgentCall:
    """The call with the parameters in force on the node. Raises ByHandError when there is no such primitive, or none can be made."""
    top, primitive = _found(cib.configuration, name)
    if isinstance(top, Bundle):
        raise ByHandError(f"{name} runs inside the containers of {top.id}: nothing of it can be run here")
    probe = _probe(cib, now, top, primitive, node)
    if probe is None or probe.agent is None:
        raise ByHandError(f"the parameters of {name} on {node} can't be told")
    meta = {
        key: value
        for key, value in probe.attributes.items()
        if key.startswith(_META) and key.removeprefix(_META) not in _OF_THE_PROBE
    }
    parameters = {
        key: value for key, value in probe.attributes.items() if not key.startswith(_META) and key != "crm_feature_set"
    }
    configured = _operation(primitive, cib.configuration, operation)
    for block in configured.params if configured is not None else ():
        if not block.rules:
            parameters.update(block.values)
    limit = DEFAULT_TIMEOUT_MS if configured is None else timeout_ms(configured.attributes.get("timeout"))
    return AgentCall(probe.primitive_id or name, probe.agent, operation, 0, limit, parameters, meta)


def refusal(cib: Cib, now: Instant, name: str, node: str, operation: str) -> str | None:
    """Why the operation would make the resource active, or promoted, where it must not be; None when it would not.

    That it does not run here is for the agent to say.
    """
    if operation not in _BEGINNINGS:
        return None
    if not cib.have_quorum:
        return "without quorum nobody knows what runs on the other nodes"
    left = {state.name for state in cib.status.nodes if is_down(state)}
    unknown = [one.name for one in look(cib, now).nodes if one.name not in left and (one.unclean or not one.online)]
    if unknown:
        return f"nobody knows what runs on {', '.join(unknown)}"
    found = tuple(_instances(look(cib, now), name))
    if operation == "promote":
        promoted = [one for one in found if one.role is Role.PROMOTED]
        return f"it is promoted on {', '.join(promoted[0].active_on)}" if promoted else None
    others = sorted({other for one in found for other in one.active_on if other != node})
    if others and not _is_cloned(cib.configuration, name):
        return f"it runs on {', '.join(others)}"
    if any(node in one.active_on for one in found):
        return f"it runs on {node}"
    planned = [
        one for one in schedule(cib, now).actions if one.task in ("start", "migrate_to") and one.primitive_id == name
    ]
    if planned and not _is_cloned(cib.configuration, name):
        hint = "disable it first (target-role: Stopped), or put it into maintenance"
        return f"the cluster is about to start it on {planned[0].node}: {hint}"
    return None


def _found(configuration: Configuration, name: str) -> tuple[Resource, Primitive]:
    for top in configuration.resources:
        for one in primitives(top):
            if one.id == name:
                return top, one
    near = did_you_mean(name, [one.id for top in configuration.resources for one in primitives(top)])
    raise ByHandError(f"there is no primitive '{name}'" + (f": {near}" if near else ""))


def _probe(cib: Cib, now: Instant, top: Resource, primitive: Primitive, node: str) -> PlannedAction | None:
    """The probe of a cluster that has nothing but this resource."""
    known = {one.name: one for one in cib.status.nodes} | {
        name: NodeState(name, name) for name in (node,) if all(one.name != name for one in cib.status.nodes)
    }
    named = next(
        (block.values["cluster-name"] for block in cib.configuration.options if "cluster-name" in block.values), None
    )
    options = plain(_OPTIONS | ({} if named is None else {"cluster-name": named}))
    alone = replace(
        cib.configuration,
        options=options,
        resources=(_managed(top),),
        constraints=(),
        fencing_levels=(),
    )
    states = tuple(replace(one, attributes=_ONLINE, history=()) for one in known.values())
    actions = schedule(replace(cib, configuration=alone, status=Status(states), have_quorum=True), now).actions
    probes = (one for one in actions if one.task == "monitor" and not one.interval_ms and one.node == node)
    return next((one for one in probes if one.primitive_id == primitive.id), None)


def _managed(resource: Resource) -> Resource:
    return replace(resource, meta=(AttributeBlock({"is-managed": "true", "maintenance": "false"}), *resource.meta))


def _operation(primitive: Primitive, configuration: Configuration, name: str) -> Operation | None:
    template = next((one for one in configuration.templates if one.id == primitive.template), None)
    made = primitive if template is None else made_from(primitive, template)
    return next((one for one in made.operations if one.name == name), None)


def _instances(standing: Standing, name: str) -> Iterator[StandingResource]:
    return _below(standing.resources, name)


def _below(resources: Iterable[StandingResource], name: str) -> Iterator[StandingResource]:
    for resource in resources:
        if not resource.children and name in (resource.config_id, resource.history_name):
            yield resource
        yield from _below(resource.children, name)


def _is_cloned(configuration: Configuration, name: str) -> bool:
    top, _ = _found(configuration, name)
    return isinstance(top, Clone)
