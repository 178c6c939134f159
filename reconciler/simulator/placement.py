"""Whether the cluster knows what really runs, once it is at rest: under any configuration.

Source: the design of the cluster, "The simulator".
"""

from __future__ import annotations

from collections.abc import Collection

from reconciler.cib import Cib
from reconciler.cib.activity import may_run
from reconciler.controller.standing import option
from reconciler.model.cluster import Configuration
from reconciler.model.duration import interval_ms
from reconciler.model.resource import Operation, Primitive, Resource, primitives
from reconciler.model.status import Status
from reconciler.simulator.world import World

_OTHER_ROLES = frozenset({"Promoted", "Master", "Stopped"})
"""Monitors of these roles do not look at what runs and is not promoted."""
_FALSE = frozenset({"false", "off", "no", "n", "0"})


def longest_monitor_ms(configuration: Configuration) -> int:
    """The longest time between two looks at anything that is looked at again and again; 0 where nothing is."""
    every = [interval_ms(one.interval) for resource in _primitives(configuration) for one in resource.operations]
    return max(every, default=0)


def watched(cib: Cib) -> set[str]:
    """What monitors look at again and again wherever it runs; under maintenance they look at nothing."""
    if option(cib, "maintenance-mode", "false") not in _FALSE:
        return set()
    return {
        one.id
        for resource in cib.configuration.resources
        if not _is_maintained(resource)
        for one in primitives(resource)
        if not _is_maintained(one) and any(map(_looks, one.operations))
    }


def untrue_history(
    status: Status, world: World, hosts: Collection[str], stuck: Collection[str], unseen: Collection[str]
) -> str | None:
    """Where the histories say that something else is active on a host than runs there, by instance.

    Nothing is said of what is `stuck` or `unseen` (names without the number of an instance), nor of what runs on nodes that are no
    hosts: a remote or guest node's histories tell of agents that run on the host it is reached from.
    """
    active = {state.name: set(may_run(state)) for state in status.nodes}
    elsewhere = {name for node, names in active.items() if node not in hosts for name in names}
    left_out = {*stuck, *unseen, *(_name(one) for one in elsewhere)}
    for host in sorted(hosts):
        said = {name for name in active.get(host, ()) if _name(name) not in left_out}
        real = {name for name in world.on(host) if _name(name) not in left_out}
        if said != real:
            told, run = ", ".join(sorted(said - real)), ", ".join(sorted(real - said))
            return (
                f"{told} is active on {host} by its history, and does not run"
                if told
                else f"{run} runs on {host} unknown"
            )
    return None


def _name(instance: str) -> str:
    return instance.partition(":")[0]


def _primitives(configuration: Configuration) -> list[Primitive]:
    return [one for resource in configuration.resources for one in primitives(resource)]


def _looks(operation: Operation) -> bool:
    attributes = operation.attributes
    return (
        operation.name == "monitor"
        and interval_ms(operation.interval) > 0
        and attributes.get("enabled", "true").lower() not in _FALSE
        and attributes.get("role") not in _OTHER_ROLES
    )


def _is_maintained(resource: Resource) -> bool:
    return any(block.values.get("maintenance", "false").lower() not in _FALSE for block in resource.meta)
