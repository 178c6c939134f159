"""What agents say about themselves, read from their own meta-data action and remembered until the agent changes.

`MetadataLookup` is called with an agent and answers with its description, or None where the agent is not installed or says nothing
that can be used. It blocks (a process for each agent not seen before), and is used by `validate` as by the daemon.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from reconciler.agents.installed import Roots, find, unit_file
from reconciler.agents.metadata_cache import MetadataCache
from reconciler.agents.metadata_xml import MetadataError, parse_metadata
from reconciler.model.metadata import AgentAction, AgentMetadata
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent

_TIMEOUT_S = 10.0
_MOST_BYTES = 2 * 1024 * 1024
_HEADER_BYTES = 16 * 1024
_SERVICE_ACTIONS = tuple(
    AgentAction(name, timeout=timeout, interval=interval)
    for name, timeout, interval in (
        ("start", "100s", None),
        ("stop", "100s", None),
        ("reload", "100s", None),
        ("monitor", "100s", "60s"),
        ("status", "100s", None),
    )
)
"""What init scripts and units can do; systemd's own default is to wait 90 seconds."""


class MetadataLookup:
    """Describes agents; what it has learnt is kept in memory and in a directory."""

    def __init__(self, roots: Roots | None = None, cache_directory: str | None = None) -> None:
        """`cache_directory` None means the user's (the system's for root)."""
        self._roots = roots or Roots()
        self._cache = MetadataCache(cache_directory or default_cache_directory())
        self._known: dict[tuple[Agent, str], AgentMetadata | None] = {}

    def __call__(self, agent: Agent) -> AgentMetadata | None:
        """The agent's description; None when it is not installed, or has none that can be used."""
        try:
            return self.describe(agent)
        except MetadataError:
            return None

    def names(self) -> tuple[str, ...]:
        """The installed agents of the classes whose agents describe themselves, written as in a configuration."""
        from reconciler.agents.installed import installed

        return tuple(str(agent) for standard in ("ocf", "stonith") for agent in installed(self._roots, standard))

    def describe(self, agent: Agent) -> AgentMetadata | None:
        """The same, but **raises** MetadataError for an agent that is installed and says nothing that can be used."""
        if agent.standard in ("systemd", "lsb", "service"):
            return self._service(agent)
        path = find(agent, self._roots)
        if path is None:
            return None
        version = _version(path)
        key = (agent, version)
        if key not in self._known:
            self._known[key] = self._cache.load(version) or self._learn(agent, path, version)
        return self._known[key]

    def _learn(self, agent: Agent, path: str, version: str) -> AgentMetadata:
        metadata = parse_metadata(self._ask(agent, path), fencing=agent.standard == "stonith")
        self._cache.save(version, metadata)
        return metadata

    def _ask(self, agent: Agent, path: str) -> bytes:
        """What the agent prints for its meta-data action."""
        from reconciler.agents.environment import base_environment
        from reconciler.agents.ocf import agent_argv, ocf_command
        from reconciler.agents.question import ask

        call = AgentCall("metadata", agent, "meta-data")
        if agent.standard == "stonith":
            argv: tuple[str, ...] = (path, "-o", "metadata")
            environment = base_environment()
        else:
            argv = agent_argv(call, path)
            environment = dict(ocf_command(call, path, self._roots, "localhost", {}, {}).environment)
        try:
            output = ask(argv, environment, _TIMEOUT_S, _MOST_BYTES)
        except OSError as error:
            raise MetadataError(f"the meta-data action of {agent} can't be run") from error
        if output is None:
            raise MetadataError(f"the meta-data action of {agent} failed")
        return output

    def _service(self, agent: Agent) -> AgentMetadata | None:
        """Init scripts and units take no parameters; all that can be told is whether they are there."""
        if agent.standard in ("lsb", "service"):
            path = find(Agent("lsb", agent.type), self._roots)
            if path is not None:
                return AgentMetadata(agent.type, short_description=_lsb_description(path), actions=_SERVICE_ACTIONS)
        if agent.standard in ("systemd", "service") and unit_file(agent.type) is not None:
            return AgentMetadata(agent.type, actions=_SERVICE_ACTIONS)
        return None


def default_cache_directory() -> str:
    """Where descriptions are remembered for this user."""
    if os.geteuid() == 0:
        return "/var/cache/reconciler/agents"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "reconciler", "agents")


def _version(path: str) -> str:
    """A name for the agent's program as it is now."""
    facts = os.stat(path)
    text = f"{path}\0{facts.st_mtime_ns}\0{facts.st_size}\0{facts.st_ino}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _lsb_description(path: str) -> str:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        for line in file.read(_HEADER_BYTES).decode("utf-8", "replace").splitlines():
            if line.startswith("# Short-Description:"):
                return line.partition(":")[2].strip()
    return ""
