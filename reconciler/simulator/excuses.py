"""What runs somewhere, and what others need not know of: they may begin it once more, until they have met who runs it.

An excuse is for one running of one thing on one host, and for each of the others by itself. It ends for whoever has been with that host in
a view with quorum since, and for all when it is begun there anew. Nobody is excused for what its own state says.
Source: the design of the cluster, "Safety rules", "Quorum".
"""

from __future__ import annotations

from collections.abc import Collection

from reconciler.cib.activity import is_down, may_be_promoted, may_run
from reconciler.controller.members import node_state
from reconciler.controller.membership.presence import Presence
from reconciler.controller.shared import Shared
from reconciler.controller.standing import fences
from reconciler.model.operation import AgentCall
from reconciler.simulator.world import Double

_PROMOTE = "promote"


class Excuses:
    """Who may begin what although it runs elsewhere."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(hosts)
        self._unmet: dict[tuple[str, str, str], set[str]] = {}
        """By task, resource and host that has it: who has not met that host since."""
        self._begun: dict[tuple[str, str, str], frozenset[str]] = {}
        """By task, resource and host that began it last: on which others it was no fault then that it ran."""

    def begins(self, host: str, call: AgentCall, members: Collection[str], shared: Shared, *, goes_on: bool) -> None:
        """A host begins something in a view of `members`, by its state; `goes_on`: it has no quorum, and goes on all the same.

        Who goes on so knows nothing of what others begin meanwhile, nor they of what it begins. That is what an operator allows with
        the policy `ignore`; where there is fencing, as long as the others do not have to be fenced first.
        """
        task, name = (_PROMOTE if call.operation == _PROMOTE else "start"), _name(call.resource)
        outside = self._hosts.difference(members, {host})
        self._begun[task, name, host] = frozenset(
            other
            for other in outside
            if (goes_on or host in self._unmet.get((task, name, other), ()))
            and not _is_known(shared, task, name, other)
        )
        self._unmet.pop((task, name, host), None)
        if goes_on:
            self._unmet[task, name, host] = set(outside)

    def excuse(self, double: Double, other: str, unmet: Collection[str]) -> None:
        """What runs on another host was waited for as long as was to be waited for, by `unmet`, who have not met it since."""
        self._unmet.setdefault((double.task, _name(double.resource), other), set()).update({*unmet, double.host})

    def excused(self, double: Double, other: str) -> bool:
        """Whether it is no fault that something was begun on one host while it runs on another."""
        return other in self._begun.get((double.task, _name(double.resource), double.host), ())

    def met(self, host: str, members: Collection[str]) -> None:
        """A host is in a view with quorum, and has heard from these members what they run."""
        for (_, _, other), unmet in self._unmet.items():
            if other in members:
                unmet.discard(host)


def _is_known(shared: Shared, task: str, name: str, other: str) -> bool:
    """Whether a state says that a node has to be fenced first, or that something may run, or be promoted, there."""
    stands = shared.nodes.get(other)
    if fences(shared.cib) and stands is not None and stands.presence is Presence.UNCLEAN:
        return True
    state = node_state(shared.cib, other)
    having = may_be_promoted(state) if task == _PROMOTE else may_run(state)
    return not is_down(state) and name in {_name(one) for one in having}


def _name(resource: str) -> str:
    """The name of a resource without the number of an instance."""
    return resource.partition(":")[0]
