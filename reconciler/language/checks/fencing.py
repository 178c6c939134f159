"""Fencing: that every node can be fenced by something, and that times fit each other."""

from __future__ import annotations

import contextlib
import re

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts, ResourceItem, certain, mentioned
from reconciler.language.checks.names import check_pattern, knows_node
from reconciler.language.reading.files import level_address
from reconciler.language.text.nearest import did_you_mean
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address, FencingLevel
from reconciler.model.duration import interval_ms
from reconciler.model.pattern import PatternError, compile_pattern
from reconciler.model.resource import Primitive
from reconciler.model.text import boolean, integer
from reconciler.model.watchdogs import WATCHDOG, Uncountable, sets_watchdog_timeout, why_uncountable

_SEPARATORS = r"[\s,;]+"
_OPTIONS: Address = ("cluster", "options")


def check_fencing(facts: Facts) -> None:
    """Report missing, unusable and uncovering fencing devices, faulty levels, and times that defeat fencing."""
    devices = _devices(facts)
    for level in facts.configuration.fencing_levels:
        _check_level(facts, level, devices)
    _check_level_twice(facts)
    for item in devices.values():
        _check_hosts(facts, item)
    if facts.draft.complete and not facts.draft.broken:
        _check_coverage(facts, devices)
        _check_quorum(facts)
    _check_times(facts, devices)


def _devices(facts: Facts) -> dict[str, ResourceItem]:
    found: dict[str, ResourceItem] = {}
    for item, primitive in facts.primitives():
        agent = facts.agent(primitive)
        if agent is not None and agent.standard.lower() == "stonith":
            found[item.id] = item
    return found


def _params(facts: Facts, item: ResourceItem) -> AttributeBlocks:
    """A device's own parameters and, first, those of its template: the later ones win."""
    assert isinstance(item.resource, Primitive)
    template = facts.templates.get(item.resource.template or "")
    return (*(() if template is None else template.params), *item.resource.params)


def _place(facts: Facts, item: ResourceItem, name: str) -> Place:
    return facts.index.value((*item.address, "params", name), (*item.address, "params", "0", "values", name))


def _check_level(facts: Facts, level: FencingLevel, devices: dict[str, ResourceItem]) -> None:
    base = level_address(level)
    if not level.index.isdecimal() or not 1 <= integer(level.index) <= 9:
        facts.error(
            "fencing-level-index", facts.index.value((*base, "index")), f"index: expected 1 to 9, found {level.index}"
        )
    if level.target is not None and not knows_node(facts, level.target):
        place, hint = facts.index.value((*base, "target")), did_you_mean(level.target, facts.nodes_by_name)
        facts.error("unknown-node", place, f"there is no node '{level.target}'", hint)
    if level.target_pattern is not None:
        check_pattern(facts, level.target_pattern, facts.index.value((*base, "target-pattern")))
    for number, name in enumerate(level.devices):
        if name not in devices and name not in facts.draft.broken and facts.draft.complete:
            place = facts.index.value((*base, "devices", str(number)))
            if name == WATCHDOG:
                _check_watchdog_level(facts, place)
                continue
            why = "is no fencing device" if name in facts.items else "does not exist"
            facts.error("unknown-device", place, f"the fencing device '{name}' {why}", did_you_mean(name, devices))


def _check_watchdog_level(facts: Facts, place: Place) -> None:
    if (why := why_uncountable(facts.configuration)) is not None:
        text = f"'watchdog' in a level: {_UNCOUNTED} ({why.value}), so this level fences nothing"
        facts.error("fencing-by-watchdog", place, text, _HINTS[why])


def _check_level_twice(facts: Facts) -> None:
    seen: dict[Address, tuple[str, ...]] = {}
    for level in facts.configuration.fencing_levels:
        address = level_address(level)
        if address in seen:
            text = f"level {level.index} of {level.target or level.target_pattern or level.target_attribute} is given twice"
            facts.error("fencing-level-twice", facts.index.value(address), text, "name all its devices in one level")
        seen[address] = level.devices


def _static_hosts(facts: Facts, item: ResourceItem) -> set[str] | None:
    """The nodes that a device can fence by its configuration; None when the device finds out itself, or rules decide."""
    params = _params(facts, item)
    names = ("pcmk_host_check", "pcmk_host_list", "pcmk_host_map")
    if any(mentioned(params, name) and certain(params, name) is None for name in names):
        return None
    check, listed, mapped = (certain(params, name) for name in names)
    if check == "none":
        return {name.lower() for name in facts.node_names}
    if check not in (None, "static-list") or (check is None and not listed and not mapped):
        return None
    return {name.lower() for name in [*_listed(listed), *_mapped(mapped)]}


def _listed(text: str | None) -> list[str]:
    return [name for name in re.split(_SEPARATORS, text or "") if name]


def _mapped(text: str | None) -> list[str]:
    return [part.partition(":")[0] for part in re.split(r"[\s;]+", text or "") if part.partition(":")[0]]


def _check_hosts(facts: Facts, item: ResourceItem) -> None:
    params = _params(facts, item)
    listed, mapped = certain(params, "pcmk_host_list"), certain(params, "pcmk_host_map")
    for name, hosts in (("pcmk_host_list", _listed(listed)), ("pcmk_host_map", _mapped(mapped))):
        for host in hosts:
            if mentioned(item.resource.params, name) and not knows_node(facts, host):
                text = f"{item.id}: there is no node '{host}', which {name} names"
                facts.warning("unknown-node", _place(facts, item, name), text, did_you_mean(host, facts.nodes_by_name))
    for part in re.split(r"[\s;]+", mapped or ""):
        if part and (":" not in part or not part.partition(":")[2]):
            text = f"{item.id}: '{part}' in pcmk_host_map names no port"
            facts.error("fencing-host-map", _place(facts, item, "pcmk_host_map"), text, "write node:port;node:port")
    if certain(params, "pcmk_host_check") == "static-list" and not _listed(listed) and not _mapped(mapped):
        text = f"{item.id} can fence no node: its list is static, and empty"
        facts.error(
            "fencing-device-without-target", facts.index.key(item.address), text, "give pcmk_host_list or pcmk_host_map"
        )


def _check_coverage(facts: Facts, devices: dict[str, ResourceItem]) -> None:
    if not facts.enabled("stonith-enabled", default=True):
        if len(facts.nodes) != 1:
            text = "without fencing, a lost node may go on writing to what is started elsewhere: data can be lost"
            facts.warning("fencing-disabled", _enabled_place(facts), text, "configure fencing devices")
        return
    watchdogs = _watchdog_options(facts)
    uncovered = _uncovered(facts, devices)
    if watchdogs:
        _check_watchdogs(facts, watchdogs, devices, uncovered)
    for name in uncovered:
        if _is_left_to_its_watchdog(facts, name):
            continue
        text = f"no device can fence '{name}': if it is lost, its resources start nowhere else"
        hint = "add it to pcmk_host_list or pcmk_host_map of a device"
        facts.error("node-without-fencing", facts.index.key(("nodes", name)), text, hint)
    if facts.items and not devices and not watchdogs:
        hint = "add one below `fencing: devices`, or set `fencing-enabled: false` and accept the risk"
        text = "fencing is enabled, but there is no device: nothing would start"
        facts.error("fencing-without-device", _enabled_place(facts), text, hint)


_UNCOUNTED = "no lost node counts as fenced by its watchdog"
_DEVICES = "let devices below `fencing: devices` fence every node"
_HINTS = {
    Uncountable.UNSET: "set `fencing-watchdog-timeout: -1` (as long as each node promises), and `self-fencing` in every node.yaml",
    Uncountable.BEGINS: f"use no-quorum-policy stop or fence, or {_DEVICES}",
    Uncountable.OF_TWO: _DEVICES,
}


def _watchdog_options(facts: Facts) -> dict[str, Place]:
    """The options that count on watchdogs, whatever rules say, and where they do."""
    found: dict[str, Place] = {}
    for number, block in enumerate(facts.configuration.options):
        if boolean(block.values.get("have-watchdog", "")):
            found["have-watchdog"] = facts.value_place(_OPTIONS, number, "have-watchdog")
        if sets_watchdog_timeout(block.values.get("stonith-watchdog-timeout", "0")):
            spellings = ("fencing-watchdog-timeout", "stonith-watchdog-timeout")
            found["fencing-watchdog-timeout"] = facts.value_place(_OPTIONS, number, *spellings)
    return found


def _is_left_to_its_watchdog(facts: Facts, node: str) -> bool:
    """Whether a node that no device covers may count as fenced by its own watchdog: levels that are for it have to name that."""
    levels = [level for level in facts.configuration.fencing_levels if _is_for(facts, level, node)]
    named = not levels or any(WATCHDOG in level.devices for level in levels)
    return named and why_uncountable(facts.configuration) is None


def _is_for(facts: Facts, level: FencingLevel, node: str) -> bool:
    """Whether a level is for a node: by its name, by a pattern, or by an attribute, whatever rules say of that."""
    if level.target is not None:
        return level.target.lower() == node.lower()
    if level.target_pattern is not None:
        with contextlib.suppress(PatternError):  # It is told of elsewhere.
            return compile_pattern(level.target_pattern).occurs_in(node)
        return False
    blocks = next((one.attributes for one in facts.configuration.nodes if one.name == node), ())
    return any(block.values.get(level.target_attribute or "") == level.target_value for block in blocks)


def _check_watchdogs(
    facts: Facts, options: dict[str, Place], devices: dict[str, ResourceItem], uncovered: list[str]
) -> None:
    """Without devices for all nodes watchdogs have to count; with them, and no level that names watchdogs, the options mean nothing."""
    place, names = min(options.values()), " and ".join(sorted(options))
    if devices and not uncovered:
        if not any(WATCHDOG in level.devices for level in facts.configuration.fencing_levels):
            text = f"{names}: the devices fence alone, as no level names `watchdog`"
            facts.warning("fencing-by-watchdog", place, text, "leave it out, or give levels")
        return
    starts = devices or "have-watchdog" in options
    if (why := why_uncountable(facts.configuration)) is not None:
        then = "what ran on a lost node that no device fences starts nowhere else" if starts else "nothing would start"
        facts.error("fencing-by-watchdog", place, f"{names}: {_UNCOUNTED} ({why.value}): {then}", _HINTS[why])
    elif not starts:
        text = f"{names}: without any device nothing would start before `have-watchdog: true` says that nodes have one"
        facts.error("fencing-by-watchdog", place, text, "add it, and `self-fencing` to every node.yaml")


def _enabled_place(facts: Facts) -> Place:
    """Where fencing is enabled or disabled, or the first line of all when nothing says so."""
    options = ("cluster", "options")
    for name in ("fencing-enabled", "stonith-enabled"):
        if (*options, name) in facts.index.values:
            return facts.index.value((*options, name))
    first = min(facts.index.keys.values(), default=Place("configuration"))
    return facts.index.key(options) if options in facts.index.keys else first


def _uncovered(facts: Facts, devices: dict[str, ResourceItem]) -> list[str]:
    """The nodes that no device can fence; none where there is no device, or where one finds its nodes out itself."""
    hosts = [_static_hosts(facts, item) for item in devices.values()]
    if not hosts or any(found is None for found in hosts):
        return []
    covered = set().union(*(found for found in hosts if found is not None))
    return [name for name in facts.nodes if name.lower() not in covered]


def _check_quorum(facts: Facts) -> None:
    value = facts.option("no-quorum-policy", "stop").lower()
    if value == "ignore" and len(facts.nodes) > 1:
        place = facts.index.value(("cluster", "options", "no-quorum-policy"))
        text = "with no-quorum-policy: ignore, both sides of a split run everything"
        facts.warning("quorum-ignored", place, text, "use corosync's two_node for clusters of two")


def _check_times(facts: Facts, devices: dict[str, ResourceItem]) -> None:
    """What a deadline has to leave time for must be shorter than the deadline."""
    timeout = facts.option("stonith-timeout", "60s")
    for item in devices.values():
        _check_delays(facts, item, timeout)


def _check_delays(facts: Facts, item: ResourceItem, timeout: str) -> None:
    params = _params(facts, item)
    longest, base = certain(params, "pcmk_delay_max"), certain(params, "pcmk_delay_base")
    delay, name = (longest, "pcmk_delay_max") if longest else (base, "pcmk_delay_base")
    if delay is None or ":" in delay or not interval_ms(delay):
        return
    place = _place(facts, item, name)
    if interval_ms(delay) >= interval_ms(timeout):
        text = f"{item.id}: {name} {delay} uses up the whole fencing-timeout ({timeout})"
        facts.error("timing-delay", place, text, "make fencing-timeout longer, or the delay shorter")
    priority = facts.option("priority-fencing-delay", "0")
    if interval_ms(priority) and interval_ms(priority) <= interval_ms(delay):
        text = f"{item.id}: {name} {delay} can outlast priority-fencing-delay ({priority}), so the wrong side may win"
        facts.warning("timing-priority", place, text, "make priority-fencing-delay at least twice as long")
