"""What agents say about themselves: known from a file beside the agent or from an earlier answer, else asked for.

To ask an agent is to run its program, which a commit has named, as who asks. So a machine that only judges configurations does not, unless
it is told to; a node, which will run the agent anyway, asks those that nobody but root could have put there.

`MetadataLookup` is called with an agent and answers with its description, with `NotAsked`, or with None where the agent is not
installed or says nothing that can be used. It blocks (a process for each agent that is asked).
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os

from reconciler.agents.installed import Roots, find, is_own, unit_file
from reconciler.agents.metadata_cache import MetadataCache
from reconciler.agents.metadata_xml import MetadataError, parse_metadata
from reconciler.model.metadata import AgentAction, AgentMetadata, NotAsked
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent
from reconciler.ownership import distrust

_TIMEOUT_S = 10.0
_MOST_BYTES = 2 * 1024 * 1024
_HEADER_BYTES = 16 * 1024
_SYSTEM_CACHE = "/var/cache/reconciler/agents"
_CACHES = (_SYSTEM_CACHE, "/var/lib/reconciler/agents")
"""Where root, and the node on this machine, remember what agents said."""
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


class Asking(enum.Enum):
    """Which agents are asked of which nothing is known."""

    NONE = "none"
    TRUSTED = "trusted"
    """Those that nobody could have changed but root and our own user."""


class MetadataLookup:
    """Describes agents; what it has learnt is kept in memory and in a directory."""

    def __init__(
        self, roots: Roots | None = None, cache_directory: str | None = None, asking: Asking = Asking.TRUSTED
    ) -> None:
        """`cache_directory` None means the user's (the system's for root); who does not ask looks where others have asked, too."""
        self._roots = roots or Roots()
        caches = [cache_directory or default_cache_directory(), *(_CACHES if asking is Asking.NONE else ())]
        self._caches = [MetadataCache(directory) for directory in dict.fromkeys(caches)]
        self._asking = asking
        self._known: dict[tuple[Agent, str], AgentMetadata | NotAsked | None] = {}

    def __call__(self, agent: Agent) -> AgentMetadata | NotAsked | None:
        """The agent's description; None when it is not installed, or has none that can be used."""
        try:
            return self._look(agent)
        except MetadataError:
            return None

    def not_asked(self) -> tuple[str, ...]:
        """The agents that were wanted, are installed, and were not asked; written as in a configuration."""
        return tuple(sorted({str(agent) for (agent, _), found in self._known.items() if isinstance(found, NotAsked)}))

    def names(self) -> tuple[str, ...]:
        """The installed agents of the classes whose agents describe themselves, written as in a configuration."""
        from reconciler.agents.installed import installed

        return tuple(str(agent) for standard in ("ocf", "stonith") for agent in installed(self._roots, standard))

    def describe(self, agent: Agent) -> AgentMetadata | None:
        """The agent's description, asked for if need be: for what somebody means to run. **Raises** MetadataError."""
        found = self._look(agent, Asking.TRUSTED)
        if isinstance(found, NotAsked):
            raise MetadataError(f"{agent} is not asked what it takes: {found.why}")
        return found

    def _look(self, agent: Agent, asking: Asking | None = None) -> AgentMetadata | NotAsked | None:
        """**Raises** MetadataError for an agent that is installed and says nothing that can be used."""
        if agent.standard in ("systemd", "lsb", "service"):
            return self._service(agent)
        path = find(agent, self._roots)
        if path is None:
            return None
        key = (agent, version := _version(path))
        if key not in self._known or isinstance(self._known[key], NotAsked):
            self._known[key] = self._remembered(agent, path, version) or self._learn(
                agent, path, version, asking or self._asking
            )
        return self._known[key]

    def _remembered(self, agent: Agent, path: str, version: str) -> AgentMetadata | None:
        """What a file beside the agent says, which came with it, or somebody's earlier answer from this version of it."""
        if (said := _shipped(path)) is not None:
            return parse_metadata(said, fencing=agent.standard == "stonith")
        return next(filter(None, (cache.load(version) for cache in self._caches)), None)

    def _learn(self, agent: Agent, path: str, version: str, asking: Asking) -> AgentMetadata | NotAsked:
        if asking is Asking.NONE:
            return NotAsked()
        if (why := distrust(path)) is not None:
            return NotAsked(why)
        metadata = parse_metadata(self._ask(agent, path), fencing=agent.standard == "stonith")
        self._caches[0].save(version, metadata)
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


def _shipped(path: str) -> bytes | None:
    """The description in the file `AGENT.metadata` beside an agent; None where there is none that can be trusted."""
    shipped = f"{path}.metadata"
    if not os.path.isfile(shipped) or not (is_own(path) or distrust(shipped) is None):
        return None
    with contextlib.suppress(OSError), open(shipped, "rb") as file:
        return file.read(_MOST_BYTES)
    return None


def default_cache_directory() -> str:
    """Where descriptions are remembered for this user."""
    if os.geteuid() == 0:
        return _SYSTEM_CACHE
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
