"""Which nodes lack an agent that the configuration may run there: the plan is made on one machine, and each tells for itself.

A node that has told nothing yet, or whose version does not, is not judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from reconciler.analysis.fence_devices import agent_of
from reconciler.analysis.guards import Guard
from reconciler.analysis.steady import under
from reconciler.cib import Cib
from reconciler.cli.node.client import Client, Refused
from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, primitives
from reconciler.model.score import INFINITY
from reconciler.scheduler import schedule
from reconciler.scheduler.decision import Decisions
from reconciler.scheduler.roles import Kind

KIND = "agent_missing"
_MOST_NAMES = 5


@frozen
class MissingAgent(Guard):
    """An agent that a node lacks: only said, and nothing is held back by it."""

    kind: str
    name: str
    text: str

    @property
    def warns(self) -> bool:
        """It does."""
        return True


def missing_agents(client: Client, cib: Cib, wanted: Configuration, now: Instant) -> tuple[Guard, ...]:
    """A warning for each agent and node that lacks it, where what needs it may run there."""
    try:
        told: Mapping[str, list[str]] = client.get("/v1/agents")["nodes"]
    except Refused:
        return ()  # Its version does not tell.
    known = {node: frozenset(names) for node, names in told.items()}
    lacking = {
        agent: nodes
        for agent in sorted(_agents(wanted), key=str)
        if (nodes := [node for node, names in sorted(known.items()) if not has(names, agent)])
    }
    if not lacking:
        return ()
    decisions = schedule(under(cib, wanted), now, decisions=True).decisions
    return () if decisions is None else tuple(_warnings(wanted, lacking, decisions))


def has(names: Collection[str], agent: Agent) -> bool:
    """Whether an agent is among those that are installed; units that are made from a template, or by a generator, can't be told."""
    match agent.standard:
        case "ocf" | "stonith" | "lsb":
            return str(agent) in names
        case "systemd" | "service":
            stem = agent.type.removesuffix(".service")
            return "@" in stem or f"systemd:{stem}" in names or f"lsb:{stem}" in names
        case _:
            return True


def _agents(wanted: Configuration) -> set[Agent]:
    every = (one for resource in wanted.resources for one in primitives(resource))
    return {agent for one in every if (agent := agent_of(wanted, one)) is not None}


def _warnings(wanted: Configuration, lacking: Mapping[Agent, list[str]], decisions: Decisions) -> Iterator[Guard]:
    agents = {one.id: agent_of(wanted, one) for resource in wanted.resources for one in primitives(resource)}
    for agent, nodes in lacking.items():
        uses = [one for one in decisions.resources if one.kind is Kind.PRIMITIVE and agents.get(one.config_id) == agent]
        for node in nodes:
            placed = sorted({one.config_id for one in uses if one.node == node})
            allowed = sorted({one.config_id for one in uses if one.scores.get(node, -INFINITY) > -INFINITY})
            if placed:
                text = f"{node} has no {agent}: {_names(placed)} would go there, and can't run"
                yield MissingAgent(KIND, f"{node}/{agent}", text)
            elif allowed:
                yield MissingAgent(KIND, f"{node}/{agent}", f"{node} has no {agent}: {_names(allowed)} can't go there")


def _names(names: Iterable[str]) -> str:
    first, *more = (*names,)
    shown = [first, *more[: _MOST_NAMES - 1]]
    left = len(more) + 1 - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")
