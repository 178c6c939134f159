"""What agents say of themselves, asked apart from the loop; what recording needs of it is kept for a while."""

from __future__ import annotations

import time

from reconciler.agents.metadata import MetadataLookup
from reconciler.agents.metadata_xml import MetadataError
from reconciler.analysis.recording import AgentTraits
from reconciler.daemon.threads import Threads
from reconciler.model.metadata import AgentMetadata
from reconciler.model.resource import Agent

_KEPT_S = 60.0
_RELOAD_ACTIONS = ("reload-agent",)


class TraitsLookup:
    """Asks agents through a lookup that blocks."""

    def __init__(self, metadata: MetadataLookup) -> None:
        self._metadata = metadata
        self._kept: dict[Agent, tuple[float, AgentTraits]] = {}
        self._threads = Threads("traits", 2)

    async def traits(self, agent: Agent) -> AgentTraits:
        """Whether an agent reloads, and what it takes over by that; asked again now and then, as agents are upgraded."""
        known = self._kept.get(agent)
        if known is not None and time.monotonic() - known[0] < _KEPT_S:
            return known[1]
        traits = traits_of(await self.ask(agent))
        self._kept[agent] = time.monotonic(), traits
        return traits

    async def ask(self, agent: Agent) -> AgentMetadata | None:
        """An agent's description; None when it has none that can be read."""
        try:
            return await self._threads.run(self._metadata.describe, agent)
        except MetadataError:
            return None


def traits_of(metadata: AgentMetadata | None) -> AgentTraits:
    """What recording needs to know of an agent with this description."""
    if metadata is None or not any(metadata.action(name) for name in _RELOAD_ACTIONS):
        return AgentTraits()
    names = sorted(name for name, parameter in metadata.parameters.items() if not parameter.reloadable)
    return AgentTraits(True, tuple(names))
