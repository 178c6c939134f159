"""What a node remembers of its own running resources: the parameters with which each was started.

A resource is stopped with the parameters that it was started with, and looked for with them after a restart of the daemon: a changed
configuration says nothing about what already runs. It follows from delivered messages alone, so the journal restores it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.analysis.recording import Launched
from reconciler.cib.moving import Names, name_after
from reconciler.controller.messages import Reported, Run
from reconciler.frozen import field, frozen, replace

_STARTING = frozenset({"start", "migrate_from"})
_FINDING_OUT = frozenset({"reload-agent", "monitor"})
_RUNNING_CODES = frozenset({0, 8, 190, 191})


@frozen
class Memory:
    """By resource: the operation that stands for its start, and what was last ordered that may take its place."""

    started: Mapping[str, Launched] = field(default_factory=dict)
    asked: Mapping[str, Launched] = field(default_factory=dict)


def ordered(memory: Memory, own: str, message: Run) -> Memory:
    """An order was delivered: a resource counts as started with its parameters before the agent is called."""
    mine = [order.launched for order in message.orders if order.launched.node == own and not order.launched.interval_ms]
    started = {launched.resource: launched for launched in mine if launched.task in _STARTING}
    asked = {launched.resource: launched for launched in mine if launched.task in _FINDING_OUT}
    if not (started or asked):
        return memory
    return Memory({**memory.started, **started}, {**memory.asked, **asked})


def reported(memory: Memory, own: str, message: Reported) -> Memory:
    """A result was delivered: what stopped is forgotten, what was found running or reloaded is remembered."""
    resource = message.resource
    if message.node != own or message.interval_ms:
        return memory
    if message.task in ("stop", "delete") and not message.failed:
        return Memory(_without(memory.started, resource), memory.asked)
    asked = memory.asked.get(resource)
    if asked is None or message.task not in _FINDING_OUT:
        return memory
    left = Memory(memory.started, _without(memory.asked, resource))
    if asked.task != message.task or message.rc not in _RUNNING_CODES:
        return left
    if message.task == "reload-agent" or resource not in memory.started:
        return Memory({**memory.started, resource: asked}, left.asked)
    return left


def renamed(memory: Memory, names: Names) -> Memory:
    """Resources go on under new names; to their agents they keep the one under which they were started."""
    if not names:
        return memory
    return Memory(_renamed(memory.started, names), _renamed(memory.asked, names))


def _renamed(by_resource: Mapping[str, Launched], names: Names) -> Mapping[str, Launched]:
    return {name_after(name, names): under_new_name(launched, names) for name, launched in by_resource.items()}


def under_new_name(launched: Launched, names: Names) -> Launched:
    """An operation for the resource as it is called now."""
    name = name_after(launched.resource, names)
    if name == launched.resource:
        return launched
    return replace(launched, resource=name, instance=launched.instance or launched.resource)


def forgotten(memory: Memory, resources: Iterable[str]) -> Memory:
    """None of these resources runs here."""
    gone = frozenset(resources)
    return Memory(_without(memory.started, *gone), _without(memory.asked, *gone)) if gone else memory


def _without(by_resource: Mapping[str, Launched], *resources: str) -> Mapping[str, Launched]:
    if not any(resource in by_resource for resource in resources):
        return by_resource
    return {name: launched for name, launched in by_resource.items() if name not in resources}
