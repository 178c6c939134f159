"""What is really so: which resource runs on which host, with which parameters, whatever any node believes.

Agents act on it, and witness what they do.

Source: OCF Resource Agent API 1.1 (what start, stop, monitor, promote and demote answer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.frozen import frozen
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus

_WELL = frozenset({0, 8})
"""What agents answer that have done what they were asked for, and of what is promoted and well."""


@frozen
class Witnessed:
    """What an agent saw itself do: when, where, to what."""

    at_us: int
    host: str
    task: str
    resource: str


@frozen
class Double:
    """A resource was started on a host while it ran on others, or promoted while others had it promoted; `most` may at once."""

    resource: str
    host: str
    others: tuple[str, ...]
    task: str = "start"
    most: int = 1

    def __str__(self) -> str:
        others = ", ".join(self.others)
        if self.task == "promote":
            return f"{self.resource} is promoted on {self.host} while it is promoted on {others}: {self.most} may be"
        return f"{self.resource} is started on {self.host} while it runs on {others}"


@dataclass
class Running:
    """A resource that runs: with which parameters, and whether it is promoted."""

    parameters: dict[str, str]
    promoted: bool = False


@dataclass
class World:
    """All hosts' resources. `anonymous` names those that may run on many hosts at once; every other one on one host at a time.

    `promoted_most` says by the name of a resource, without the number of an instance, how many instances may be promoted at once:
    who is not named, one.
    """

    running: dict[tuple[str, str], Running] = field(default_factory=dict)
    anonymous: frozenset[str] = frozenset()
    promoted_most: Mapping[str, int] = field(default_factory=dict)
    failing: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By host, resource and task: the code that the agent answers instead of doing it."""
    lying: set[tuple[str, str, str]] = field(default_factory=set)
    """What agents say they have done and have not."""
    attributes: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By host and resource: what its agent says about itself with the next call."""
    values: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By host and resource: what its agent says about itself with every call."""
    witnessed: list[Witnessed] = field(default_factory=list)
    doubles: list[Double] = field(default_factory=list)
    """Where one was started that ran elsewhere, or promoted beyond what may be."""
    faults: list[str] = field(default_factory=list)
    """What may never be, in words."""

    def where(self, resource: str) -> list[str]:
        """The hosts that a resource runs on."""
        return sorted(host for host, name in self.running if name == resource)

    def on(self, host: str) -> list[str]:
        """What runs on a host."""
        return sorted(name for where, name in self.running if where == host)

    def power_off(self, host: str) -> None:
        """Nothing of the host runs any more."""
        for key in [key for key in self.running if key[0] == host]:
            del self.running[key]
        for key in [key for key in self.values if key[0] == host]:
            del self.values[key]

    def call(self, host: str, call: AgentCall, at_us: int) -> AgentResult:
        """An agent does its operation."""
        key = host, call.resource, call.operation
        if key in self.failing:
            return AgentResult(self.failing[key], exit_reason="asked to fail")
        code = 0 if key in self.lying else self._act(host, call, at_us)
        if code not in _WELL:
            return AgentResult(code)
        told = self.values.get((host, call.resource), {}) | self.attributes.pop((host, call.resource), {})
        return AgentResult(code, attributes=told)

    def _act(self, host: str, call: AgentCall, at_us: int) -> int:
        key = host, call.resource
        match call.operation:
            case "start" | "migrate_from":
                self._start(host, call, at_us)
            case "stop" | "migrate_to":
                running = self.running.pop(key, None)
                if running is not None:
                    if running.parameters != dict(call.parameters):
                        self.faults.append(
                            f"{call.resource} is stopped on {host} with other parameters than it was started"
                        )
                    self.witnessed.append(Witnessed(at_us, host, "stop", call.resource))
            case "promote" | "demote" if key not in self.running:
                return 7
            case "promote":
                self._promote(host, call.resource)
            case "demote":
                self.running[key].promoted = False
            case "reload-agent":
                if key in self.running:
                    self.running[key].parameters = dict(call.parameters)
            case "monitor":
                return self._monitor(host, call)
        return 0

    def _start(self, host: str, call: AgentCall, at_us: int) -> None:
        key = host, call.resource
        if key in self.running:
            return
        self.witnessed.append(Witnessed(at_us, host, "start", call.resource))
        others = [other for other in self.where(call.resource) if other != host]
        self.running[key] = Running(dict(call.parameters))
        if others and call.resource not in self.anonymous:
            self.doubles.append(Double(call.resource, host, tuple(others)))

    def _promote(self, host: str, resource: str) -> None:
        known = self.running[host, resource]
        if known.promoted:
            return
        known.promoted = True
        clone = resource.partition(":")[0]
        others = sorted(
            other
            for (other, name), one in self.running.items()
            if one is not known and one.promoted and name.partition(":")[0] == clone
        )
        most = self.promoted_most.get(clone, 1)
        if len(others) >= most:
            self.doubles.append(Double(resource, host, tuple(others), "promote", most))

    def _monitor(self, host: str, call: AgentCall) -> int:
        """An agent sees only what its parameters name."""
        known = self.running.get((host, call.resource))
        if known is None or known.parameters != dict(call.parameters):
            return 7
        return 8 if known.promoted else 0


TIMED_OUT = AgentResult(1, OperationStatus.TIMED_OUT, exit_reason="no answer in time")
"""How a call ends whose agent hangs."""
