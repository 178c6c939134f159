"""Agents: that parameters and operations are ones that the agent knows, and that what must be unique is."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts, ResourceItem, certain, mentioned
from reconciler.language.checks.settings import operations_at
from reconciler.language.text.nearest import Names, did_you_mean
from reconciler.model.attributes import AttributeBlocks, secret_name
from reconciler.model.cluster import Address
from reconciler.model.duration import interval_ms, simple_ms
from reconciler.model.metadata import AgentLookup, AgentMetadata, AgentParameter, KnowsAgents, NotAsked
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.model.settings import FENCING_PARAMETERS

_OCF = {"OCF_CHECK_LEVEL", "trace_ra", "trace_file"}
_ADDRESSES: Mapping[tuple[str | None, str], tuple[str, ...]] = {
    ("heartbeat", "IPaddr2"): ("ip",),
    ("heartbeat", "IPaddr"): ("ip",),
    ("heartbeat", "IPv6addr"): ("ipv6addr",),
}
"""What two resources of an agent can't share whoever asks: addresses. Used where the agent itself can't be asked."""

_DEFAULT_TIMEOUT = "20s"
_TYPES = {
    "integer": r"[+-]?[0-9]+\Z",
    "boolean": r"(?i:true|false|yes|no|on|off|y|n|1|0|t|f)\Z",
    "second": r"[0-9]+(?:\.[0-9]+)?\Z",
    "time": r"[0-9]+(?:\.[0-9]+)?\s*(?:ms|msec|us|usec|s|sec|m|min|h|hr|d|day)?\Z",
}


def check_agents(facts: Facts, agents: AgentLookup | None) -> None:
    """Report parameters and operations that an agent does not take, and values that must not be shared; asks each agent once."""
    known: dict[Agent, AgentMetadata | NotAsked | None] = {}
    shared: dict[tuple[str, ...], tuple[ResourceItem, Place]] = {}
    for item, primitive in facts.primitives():
        agent = facts.agent(primitive)
        if agent is None:
            continue
        if agents is not None and agent not in known:
            known[agent] = agents(agent)
            _check_known(facts, item, agent, known[agent], agents)
        metadata = known.get(agent)
        described = metadata if isinstance(metadata, AgentMetadata) else None
        if described is not None:
            _check_parameters(facts, item, primitive, described, agent)
            _check_operations(facts, item, primitive, described)
        _check_unique(facts, item, agent, described, shared)


def _check_known(
    facts: Facts, item: ResourceItem, agent: Agent, metadata: AgentMetadata | NotAsked | None, agents: AgentLookup
) -> None:
    """Say of an agent why its parameters were not checked, where something is amiss: that nobody wanted it asked is no finding."""
    place = facts.index.value((*item.address, "agent"), (*item.address, "template"))
    if metadata is None:
        text = f"{item.id}: the agent {agent} is not installed here, so its parameters were not checked"
        facts.warning("agent-not-installed", place, text, _nearest(agent, agents))
    elif isinstance(metadata, NotAsked) and metadata.why:
        text = f"{item.id}: the agent {agent} was not asked what it takes: {metadata.why}"
        facts.warning("agent-not-trusted", place, text, "who may change an agent can become root: give it to root")


def _nearest(agent: Agent, agents: object) -> str:
    """A hint that names the installed agent that was probably meant."""
    if not isinstance(agents, KnowsAgents):
        return ""
    near = Names(agents.names()).nearest(str(agent))
    return "" if near is None else f"did you mean '{near}'?"


def _blocks(facts: Facts, item: ResourceItem) -> AttributeBlocks:
    """All blocks that may give a resource parameters, those that lose first."""
    assert isinstance(item.resource, Primitive)
    found = list(facts.configuration.defaults.resource_params)
    chain = [item]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    for at in reversed(chain[1:]):
        found.extend(at.resource.params)
    template = facts.templates.get(item.resource.template or "")
    found.extend(() if template is None else template.params)
    return (*found, *item.resource.params)


def _check_parameters(
    facts: Facts, item: ResourceItem, primitive: Primitive, metadata: AgentMetadata, agent: Agent
) -> None:
    stonith = agent.standard.lower() == "stonith"
    known = {*metadata.parameters, *_OCF, *(FENCING_PARAMETERS if stonith else ())}
    base = (*item.address, "params")
    for number, block in enumerate(primitive.params):
        for name, value in block.values.items():
            place = facts.name_place(base, number, name)
            if name not in known:
                facts.error(
                    "unknown-parameter",
                    place,
                    f"{item.id}: {agent} has no parameter '{name}'",
                    did_you_mean(name, known),
                )
                continue
            parameter = metadata.parameters.get(name)
            if parameter is not None:
                _check_value(facts, item, parameter, value, facts.value_place(base, number, name))
                if parameter.deprecated:
                    instead = f"use {', '.join(parameter.replaced_by)}" if parameter.replaced_by else ""
                    facts.warning(
                        "deprecated-parameter", place, f"{item.id}: '{name}' is deprecated by {agent}", instead
                    )
    _check_required(facts, item, metadata, agent)


def _check_required(facts: Facts, item: ResourceItem, metadata: AgentMetadata, agent: Agent) -> None:
    blocks = _blocks(facts, item)
    for name, parameter in sorted(metadata.parameters.items()):
        given = mentioned(blocks, name) or any(mentioned(blocks, other) for other in parameter.replaced_by)
        older = any(
            name in other.replaced_by and mentioned(blocks, other.name) for other in metadata.parameters.values()
        )
        if not parameter.required or parameter.default or given or older or _filled_in(agent, name):
            continue
        facts.error(
            "missing-parameter", facts.index.key(item.address), f"{item.id}: {agent} needs the parameter '{name}'"
        )


def _filled_in(agent: Agent, name: str) -> bool:
    """What the cluster itself gives a fencing agent: the action, and the node or its port."""
    return agent.standard.lower() == "stonith" and name in ("action", "port", "plug", "nodename")


def _check_value(facts: Facts, item: ResourceItem, parameter: AgentParameter, value: str, place: Place) -> None:
    if secret_name(value) is not None:
        return
    pattern = _TYPES.get(parameter.type)
    if parameter.default and not _fits(pattern, parameter, parameter.default):
        return  # What the agent says of the parameter is wrong: it would refuse the value that it takes by itself.
    if parameter.values and value not in parameter.values:
        facts.error(
            "parameter-value",
            place,
            f"{item.id}: {parameter.name} does not take '{value}'",
            did_you_mean(value, parameter.values),
        )
    elif pattern is not None and not parameter.values and not re.match(pattern, value):
        facts.error(
            "parameter-type",
            place,
            f"{item.id}: {parameter.name} takes a value of the type {parameter.type}, not '{value}'",
        )


def _fits(pattern: str | None, parameter: AgentParameter, value: str) -> bool:
    if parameter.values:
        return value in parameter.values
    return pattern is None or re.match(pattern, value) is not None


def _check_operations(facts: Facts, item: ResourceItem, primitive: Primitive, metadata: AgentMetadata) -> None:
    template = facts.templates.get(primitive.template or "")
    operations = [(at, one, True) for at, one in operations_at(facts, item.address, primitive.operations)]
    if template is not None:
        own = {one.name for one in primitive.operations}
        found = operations_at(facts, ("templates", template.id), template.operations)
        operations += [(at, one, False) for at, one in found if one.name not in own]
    for at, operation, ours in operations:
        _check_operation(facts, item, metadata, at, operation, ours)
    named = {operation.name for _, operation, _ in operations}
    for name in ("start", "stop"):
        if name not in named:
            place = facts.index.key((*item.address, "operations"), item.address)
            _check_timeout(facts, item, metadata, Operation(name), place)


def _check_operation(
    facts: Facts, item: ResourceItem, metadata: AgentMetadata, at: Address, operation: Operation, ours: bool
) -> None:
    advice = metadata.action(operation.name, operation.attributes.get("role"))
    if advice is None:
        if metadata.actions and operation.name not in ("notify", "reload", "reload-agent"):
            known = sorted({action.name for action in metadata.actions})
            text = f"{item.id}: the agent does not know '{operation.name}'"
            place = facts.index.key(at, at[:-1])
            facts.warning("unknown-operation", place, text, did_you_mean(operation.name, known))
    elif ours:
        _check_timeout(facts, item, metadata, operation, facts.index.value((*at, "timeout"), at))
        _check_interval(facts, item, advice.interval, at, operation)


def _check_interval(facts: Facts, item: ResourceItem, advised: str | None, at: Address, operation: Operation) -> None:
    ours, theirs = interval_ms(operation.interval), simple_ms(advised)
    if ours and theirs and theirs > ours:
        place = facts.index.value((*at, "interval"))
        text = f"{item.id}: {operation.name} runs every {operation.interval}; the agent advises no less than {advised}"
        facts.warning("interval-below-advice", place, text)


def _check_timeout(
    facts: Facts, item: ResourceItem, metadata: AgentMetadata, operation: Operation, place: Place
) -> None:
    advice = metadata.action(operation.name, operation.attributes.get("role"))
    if advice is None or advice.timeout is None:
        return
    timeout = operation.attributes.get("timeout") or certain(operation.meta, "timeout")
    defaults = facts.configuration.defaults.operations
    if timeout is None and mentioned(defaults, "timeout") and certain(defaults, "timeout") is None:
        return
    said = timeout or certain(defaults, "timeout") or _DEFAULT_TIMEOUT
    ours, advised = simple_ms(said), simple_ms(advice.timeout)
    if ours is not None and advised is not None and ours < advised:
        which = said if timeout else f"the default of {said}"
        text = f"{item.id}: {operation.name} has a timeout of {which}; the agent advises {advice.timeout}"
        facts.warning("timeout-below-advice", place, text, f"give {operation.name} `timeout: {advice.timeout}`")


def _check_unique(
    facts: Facts,
    item: ResourceItem,
    agent: Agent,
    metadata: AgentMetadata | None,
    shared: dict[tuple[str, ...], tuple[ResourceItem, Place]],
) -> None:
    """Parameters that identify something may not have the same value in two resources of an agent."""
    blocks = _blocks(facts, item)
    for group in _unique_groups(agent, metadata):
        values = [certain(blocks, name) for name in group]
        if any(value is None or secret_name(value) is not None for value in values):
            continue
        key = (str(agent), *group, *(value or "" for value in values))
        place = facts.index.value(*((*item.address, "params", name) for name in group), item.address)
        first, where = shared.setdefault(key, (item, place))
        if first is not item:
            what = ", ".join(f"{name} {value}" for name, value in zip(group, values, strict=True))
            later, earlier, at = (item, first, where) if place >= where else (first, item, place)
            text = f"{later.id}: {what} belongs to '{earlier.id}' already ({at})"
            facts.error("unique-clash", max(place, where), text, "two resources can't share it")


def _unique_groups(agent: Agent, metadata: AgentMetadata | None) -> list[tuple[str, ...]]:
    if metadata is None:
        return [(name,) for name in _ADDRESSES.get((agent.provider, agent.type), ())]
    groups: dict[str, list[str]] = {}
    for name, parameter in sorted(metadata.parameters.items()):
        if parameter.unique_group is not None:
            groups.setdefault(parameter.unique_group, []).append(name)
        elif parameter.unique:
            groups.setdefault(f"={name}", []).append(name)
    return [tuple(names) for _, names in sorted(groups.items())]
