"""Configurations as tests write them (resources of one agent that remembers nothing, and no fencing), and what a node wrote."""

from __future__ import annotations

from reconciler.controller.envelope import unseal
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive

AGENT = Agent("ocf", "Dummy", "reconciler")


def primitive(id: str, *, interval: str | None = "10s", meta: dict[str, str] | None = None, **params: str) -> Primitive:
    """A primitive with a recurring monitor, unless its interval is None."""
    operations = () if interval is None else (Operation("monitor", interval),)
    return Primitive(id, AGENT, params=plain(params), meta=plain(meta or {}), operations=operations)


def configuration(*resources: Primitive | Group | Clone, constraints: tuple = (), **options: str) -> Configuration:
    """A configuration without fencing; options are written with underscores."""
    written = {"stonith-enabled": "false"} | {name.replace("_", "-"): value for name, value in options.items()}
    return Configuration(options=plain(written), resources=resources, constraints=constraints)


def sent(single, kind: type) -> list:
    """The messages of a kind that were delivered so far."""
    messages = (unseal(data).message for data in single.sent)
    return [message for message in messages if isinstance(message, kind)]
