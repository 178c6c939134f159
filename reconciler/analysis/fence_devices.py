"""Which fence devices a configuration has, and which nodes nothing could fence once some of them are gone.

Source: Pacemaker Explained, "Fencing": pcmk_host_check, pcmk_host_list, pcmk_host_map, pcmk_delay_base, fencing levels; a device that is
disabled (target-role) is used by nobody, and one that is kept from a node by location constraints is not used by that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Configuration, FencingLevel
from reconciler.model.constraint import Location
from reconciler.model.duration import interval_ms
from reconciler.model.pattern import PatternError, compile_pattern
from reconciler.model.resource import Agent, Primitive, primitives
from reconciler.model.score import add, read
from reconciler.model.text import integer
from reconciler.model.watchdogs import WATCHDOG, why_uncountable

_SEPARATORS = re.compile(r"[\s,;]+")
_MAP_SEPARATORS = re.compile(r"[\s;]+")


def devices(configuration: Configuration) -> list[str]:
    """The fence devices of a configuration, in its order."""
    return [primitive.id for primitive in _devices(configuration)]


def out_of_reach(configuration: Configuration, nodes: Collection[str], lost: Collection[str]) -> frozenset[str]:
    """Those of the nodes that can't be fenced without the lost devices.

    A device whose targets only its agent knows, or a rule decides, counts as able to fence every node. So does a node's own watchdog, where
    the configuration lets it count: whether the node has one only the node can tell.
    """
    reach = {one.id: _targets(configuration, one) for one in enabled(configuration) if one.id not in lost}
    counts = why_uncountable(configuration) is None
    watched = frozenset(node for node in nodes if counts and by_watchdog(configuration, node))
    return frozenset(node for node in nodes if not _reached(configuration, node, reach, watched))


def _devices(configuration: Configuration) -> Iterator[Primitive]:
    for resource in configuration.resources:
        for primitive in primitives(resource):
            agent = agent_of(configuration, primitive)
            if agent is not None and agent.standard == "stonith":
                yield primitive


def enabled(configuration: Configuration) -> Iterator[Primitive]:
    """The devices that may be used: one whose `target-role` is Stopped is disabled."""
    for device in _devices(configuration):
        template = next((t.meta for t in configuration.templates if t.id == device.template), ())
        _, role = _certain((*device.meta, *template), "target-role")
        if (role or "").lower() != "stopped":
            yield device


def lists_its_hosts(configuration: Configuration, device: Primitive) -> bool:
    """Whether a device is asked for the nodes that it can fence (`pcmk_host_check`: dynamic-list, or nothing and no hosts are named)."""
    values = parameters(configuration, device)
    check = values.get("pcmk_host_check", "").lower()
    return check == "dynamic-list" or not (check or values.get("pcmk_host_list") or values.get("pcmk_host_map"))


def kept_from(configuration: Configuration, device: Primitive) -> frozenset[str]:
    """The nodes that may not use a device: those that it is kept from by constraints that name both."""
    scores: dict[str, int] = {}
    for constraint in configuration.constraints:
        if not isinstance(constraint, Location) or constraint.resource != device.id or constraint.node is None:
            continue
        scores[constraint.node] = add(scores.get(constraint.node, 0), read(constraint.score))
    return frozenset(node for node, score in scores.items() if score < 0)


def _reached(
    configuration: Configuration, node: str, reach: Mapping[str, frozenset[str] | None], watched: Collection[str]
) -> bool:
    able = {*reach, WATCHDOG} if node in watched else {*reach}
    levels = [level for level in configuration.fencing_levels if _is_for(configuration, level, node)]
    if levels:
        return any(all(device in able for device in level.devices) for level in levels)
    return node in watched or any(targets is None or node.lower() in targets for targets in reach.values())


def _is_for(configuration: Configuration, level: FencingLevel, node: str) -> bool:
    if level.target is not None:
        return level.target.lower() == node.lower()
    if level.target_pattern is not None:
        return _occurs(level.target_pattern, node)
    attributes = next((one.attributes for one in configuration.nodes if one.name == node), ())
    return _certain(attributes, level.target_attribute or "")[1] == level.target_value


def _occurs(pattern: str, node: str) -> bool:
    try:
        return compile_pattern(pattern).occurs_in(node)
    except PatternError:
        return False  # It is for no node, as one that can't be read is for the fencer.


def _targets(configuration: Configuration, device: Primitive) -> frozenset[str] | None:
    """The nodes that a device can fence by its configuration, in lower case; None when that is not to be known from it."""
    template = next((t.params for t in configuration.templates if t.id == device.template), ())
    params = (*device.params, *template)
    (known_check, check), (known_list, listed), (known_map, mapped) = (
        _certain(params, name) for name in ("pcmk_host_check", "pcmk_host_list", "pcmk_host_map")
    )
    if not (known_check and known_list and known_map):
        return None
    if check not in (None, "static-list") or (check is None and not listed and not mapped):
        return None
    names = _SEPARATORS.split(listed or "") + [part.partition(":")[0] for part in _MAP_SEPARATORS.split(mapped or "")]
    return frozenset(name.lower() for name in names if name)


def _certain(blocks: AttributeBlocks, name: str) -> tuple[bool, str | None]:
    """Whether no rule decides about the value, and the value of the first block that has it."""
    found = [block for block in blocks if name in block.values]
    if not found:
        return True, None
    return not any(block.rules for block in found), found[0].values[name]


def levels(configuration: Configuration, node: str) -> tuple[tuple[Primitive, ...], ...]:
    """The devices that can fence a node, by level, the first to be tried first; without levels each device is one by itself.

    A level of which a device is missing, or disabled, is none.
    """
    known = {one.id: one for one in enabled(configuration)}
    for_node = [level for level in configuration.fencing_levels if _is_for(configuration, level, node)]
    if for_node:
        ordered = sorted(for_node, key=lambda level: integer(level.index))
        return tuple(
            tuple(known[device] for device in level.devices)
            for level in ordered
            if all(device in known for device in level.devices)
        )
    reach = {id: _targets(configuration, one) for id, one in known.items()}
    return tuple((known[id],) for id, targets in reach.items() if targets is None or node.lower() in targets)


def level_names(configuration: Configuration, node: str) -> tuple[tuple[str, ...], ...]:
    """What can fence a node, by level, as `levels` has it, but with the levels that name its own watchdog.

    Where nothing is configured that could fence it, and no level is for it, that is its only one.
    """
    own = () if WATCHDOG in devices(configuration) else (WATCHDOG,)
    for_node = [level for level in configuration.fencing_levels if _is_for(configuration, level, node)]
    if not for_node:
        by_devices = tuple(tuple(one.id for one in level) for level in levels(configuration, node))
        return by_devices or ((own,) if own else ())
    able = {*own, *(one.id for one in enabled(configuration))}
    ordered = sorted(for_node, key=lambda level: integer(level.index))
    return tuple(tuple(level.devices) for level in ordered if all(device in able for device in level.devices))


def by_watchdog(configuration: Configuration, node: str) -> bool:
    """Whether the configuration lets a node count as fenced by its own watchdog."""
    return WATCHDOG not in devices(configuration) and any(
        WATCHDOG in level for level in level_names(configuration, node)
    )


def unfencing_level(configuration: Configuration, node: str) -> tuple[Primitive, ...]:
    """The devices that give a node its way to what it may use: all of them have to, in the order of the configuration."""
    able = {one.id for level in levels(configuration, node) for one in level}
    return tuple(one for one in enabled(configuration) if one.id in able and _unfences(configuration, one))


def _unfences(configuration: Configuration, device: Primitive) -> bool:
    template = next((t.meta for t in configuration.templates if t.id == device.template), ())
    _, value = _certain((*device.meta, *template), "provides")
    return (value or "").lower() == "unfencing"


def parameters(configuration: Configuration, device: Primitive) -> dict[str, str]:
    """The parameters of a device that hold without a rule, its own before its template's."""
    template = next((t.params for t in configuration.templates if t.id == device.template), ())
    found: dict[str, str] = {}
    for block in (*device.params, *template):
        if not block.rules:
            found = {**block.values, **found}
    return found


def port_of(values: Mapping[str, str], target: str) -> str:
    """What a device with these parameters calls a node: as `pcmk_host_map` has it, else by its name."""
    for part in _MAP_SEPARATORS.split(values.get("pcmk_host_map", "")):
        name, found, port = part.partition(":")
        if found and name.lower() == target.lower():
            return port
    return target


def delay_base_ms(values: Mapping[str, str], target: str) -> int:
    """How long a device with these parameters waits at least before it fences a node: one time for all, or `node1:1s;node2:5s`."""
    text = values.get("pcmk_delay_base", "")
    if ":" not in text:
        return interval_ms(text)
    for part in _MAP_SEPARATORS.split(text):
        name, _, delay = part.partition(":")
        if name.lower() == target.lower():
            return interval_ms(delay)
    return 0


def agent_of(configuration: Configuration, device: Primitive) -> Agent | None:
    """The agent of a device, its own or its template's."""
    return device.agent or next((t.agent for t in configuration.templates if t.id == device.template), None)
