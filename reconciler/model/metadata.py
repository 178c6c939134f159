"""What an agent says about itself: its parameters and its actions with the advice that it gives for them.

Source: OCF Resource Agent API 1.1, "Meta data"; ClusterLabs, Fence Agent API, which uses the same document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

from reconciler.frozen import field, frozen
from reconciler.model.resource import Agent


@frozen
class AgentParameter:
    """One parameter that an agent takes.

    `type` is the agent's own word: string, integer, second, boolean, time, select …; empty when it names none.
    Parameters with the same `unique_group` must differ together between resources of this agent; a parameter that is just
    `unique` is a group of its own. `values` lists what a `select` accepts.
    """

    name: str
    type: str = "string"
    required: bool = False
    unique: bool = False
    unique_group: str | None = None
    reloadable: bool = False
    default: str | None = None
    values: tuple[str, ...] = ()
    deprecated: bool = False
    description: str = ""
    replaced_by: tuple[str, ...] = ()


@frozen
class AgentAction:
    """One action that an agent takes, with its advice as texts: a timeout, an interval, a role and a check level (`depth`)."""

    name: str
    timeout: str | None = None
    interval: str | None = None
    role: str | None = None
    depth: str | None = None


@frozen
class AgentMetadata:
    """An agent's own description; parameters by name, actions in the order given."""

    name: str
    version: str = ""
    short_description: str = ""
    long_description: str = ""
    parameters: Mapping[str, AgentParameter] = field(default_factory=dict)
    actions: tuple[AgentAction, ...] = ()

    def action(self, name: str, role: str | None = None) -> AgentAction | None:
        """The action of this name, the one for the role first; None when the agent has no such action."""
        named = [action for action in self.actions if action.name == name]
        exact = [action for action in named if role is not None and (action.role or "").lower() == role.lower()]
        return next(iter(exact or [action for action in named if action.role is None] or named), None)


@frozen
class NotAsked:
    """An agent that is installed, and that nobody has asked what it takes; `why` not, where that is amiss."""

    why: str = ""


@runtime_checkable
class KnowsAgents(Protocol):
    """A lookup that can also say which agents there are."""

    def names(self) -> Iterable[str]:
        """The installed agents, written as in a configuration."""


AgentLookup = Callable[[Agent], AgentMetadata | NotAsked | None]
"""Answers with what an installed agent says about itself; None when it is not installed, or says nothing that can be used."""
