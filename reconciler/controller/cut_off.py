"""What a member does by itself when it has had no installed view for a while: the policy for resources without quorum, without being told.

Others may think it lost, and start what it runs once their grace is over; so it has stopped by then.
Source: the design of the cluster, "Quorum"; Pacemaker Explained, "no-quorum-policy".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.cib.departing import whole
from reconciler.cib.entry_names import last_id
from reconciler.controller.events import ClearTimer, Emit, FenceItself, Leave, SetTimer, Wish
from reconciler.controller.members import node_state
from reconciler.controller.membership.events import View
from reconciler.controller.messages import AgentOrder
from reconciler.controller.moment import Moment
from reconciler.controller.parts import Parts
from reconciler.controller.quorum.policy import QuorumPolicy
from reconciler.controller.quorum.self_stop import ALONE_MS, Active, acts_after_ms, self_stop
from reconciler.controller.standing import option, quorum_policy
from reconciler.controller.stopping import chains_of, longest_stop_ms
from reconciler.controller.watchdogs import leaves_to_watchdog
from reconciler.frozen import replace
from reconciler.model.status import HistoryEntry

CUT_OFF_TIMER = "cut off"
_ANSWER_MS = 1_000


class CutOff:
    """The stops of a node that nobody tells anything: one after the other of what is tied together by orders, and all others at once."""

    def __init__(self, parts: Parts, run: str) -> None:
        self.parts = parts
        self._run = run
        self._left: dict[str, deque[tuple[str, str]]] = {}
        """By chain what is still to be done."""
        self._current: dict[str, str] = {}
        """By chain the resource for which something is done."""
        self.ends: str | None = None
        """Why the process ends once it has stopped what it runs; None while it does not."""

    def announced(self, view: View | None, now: Moment) -> list[Wish]:
        """A view was announced, or there is none any more: until one is installed, time runs. Who is alone by right waits for nobody."""
        if view is not None and view.members == (self.parts.name,) and view.ring.quorate:
            return [ClearTimer(CUT_OFF_TIMER)]
        policy = quorum_policy(self.parts.replica.shared.cib)
        after_ms = acts_after_ms(policy)
        if policy is QuorumPolicy.FENCE and view is not None and view.ring.quorate:
            after_ms = ALONE_MS  # Members come and go: what is to be done at once is for who has lost the quorum.
        return [] if after_ms is None else [SetTimer(CUT_OFF_TIMER, now.mono_ms + after_ms)]

    def stood_still(self, last: Moment, now: Moment) -> list[Wish]:
        """This node stood still since `last`, and may be cut off in a view that is still installed here: time runs since then.

        That it is not it learns within a second, if that is so; so long those who think it lost wait for its stops besides.
        """
        after_ms = acts_after_ms(quorum_policy(self.parts.replica.shared.cib))
        if after_ms is None or not self.parts.replica.partition.installed:
            return []
        return [SetTimer(CUT_OFF_TIMER, max(now.mono_ms - now.since_ms(last) + after_ms, now.mono_ms + _ANSWER_MS))]

    def installed(self) -> list[Wish]:
        """A view is installed, and we are heard in it: from now on its DC decides, unless it has no quorum and nobody waits for a plan."""
        self._left.clear()
        if not self.parts.quorate and quorum_policy(self.parts.replica.shared.cib) is QuorumPolicy.FENCE:
            return [ClearTimer(CUT_OFF_TIMER), *self._fence_itself("the members have no quorum")]
        return [ClearTimer(CUT_OFF_TIMER)]

    def due(self, now: Moment) -> list[Wish]:
        """The time is over."""
        if self.ends is not None or (self.parts.replica.partition.installed and not self.parts.unsure):
            return []
        return self._stop_all("is cut off", now)

    def give_up(self, why: str, now: Moment) -> list[Wish]:
        """This node is no member any more, and comes back as none: what it runs is stopped by the same policy, and then the process ends.

        The others hear no more of it, and think it lost: without fencing they start what it ran once their grace is over.
        """
        if self.ends is not None:
            return []
        self.ends = why
        return [ClearTimer(CUT_OFF_TIMER), *(self._stop_all("gives up its place", now) or [Leave(why)])]

    def fenced(self, why: str) -> list[Wish]:
        """The cluster has fenced this node, which lives: it goes, and with `fencing-reaction: panic` its machine ends first.

        So does one whose watchdog the others may have waited for: it is taken to have been reset, and comes back by that. Whether this
        process has promised that says too little: one before it may have, that ended as nothing ran.
        """
        cib = self.parts.replica.shared.cib
        if panics(cib):
            return [FenceItself(f"{why}, and fencing-reaction is panic"), Leave(why)]
        if self.parts.self_resets.within_ms or leaves_to_watchdog(cib, self.parts.name):
            return [FenceItself(f"{why}, and its watchdog was to have reset it"), Leave(why)]
        return [Leave(why)]

    @property
    def endangers(self) -> bool:
        """Whether something runs here, as far as this node knows, or has been begun: others may start it, too, once they think it lost."""
        return bool(self.parts.replica.memory.started) and not self.parts.recovery.nothing_runs

    def _stop_all(self, because: str, now: Moment) -> list[Wish]:
        policy = quorum_policy(self.parts.replica.shared.cib)
        # A node that fences itself, and has nothing to do that with, can at least stop what it runs.
        fenced = self._fence_itself("this node is cut off") if policy is QuorumPolicy.FENCE else []
        steps = self_stop(QuorumPolicy.STOP if policy is QuorumPolicy.FENCE else policy, self._active())
        self._left = self._in_chains(steps)
        if not self._left:
            return []
        text = f"this node {because}, and stops by itself what it runs ({policy.value})"
        told = Emit("daemon", {"what": "cut-off", "text": text})
        return [told, *fenced, *(wish for chain in tuple(self._left) for wish in self._next(chain, now))]

    def _in_chains(self, steps: Iterable[tuple[str, str]]) -> dict[str, deque[tuple[str, str]]]:
        """What has no order with each other is stopped at once: the others wait no longer than the longest chain takes."""
        tied = chains_of(whole(self.parts.replica.shared.cib).configuration)
        chains: dict[str, deque[tuple[str, str]]] = {}
        for task, resource in steps:
            name = resource.partition(":")[0]
            chains.setdefault(tied.get(name, name), deque()).append((task, resource))
        return chains

    def heard(self) -> list[Wish]:
        """We are heard in the view that was installed before: its DC decides."""
        self._left.clear()
        return [ClearTimer(CUT_OFF_TIMER)]

    def _fence_itself(self, why: str) -> list[Wish]:
        """Who runs nothing endangers nothing, and would boot again and again."""
        return [FenceItself(f"{why}, and no-quorum-policy is to fence")] if self._active() else []

    def ended(self, now: Moment) -> list[Wish]:
        """An agent's call has ended."""
        wishes: list[Wish] = []
        for chain, resource in sorted(self._current.items()):
            if not self.parts.executor.is_busy(resource):
                del self._current[chain]
                wishes += self._next(chain, now)
        return wishes if self.ends is None or self._current else [*wishes, Leave(self.ends)]

    def _next(self, chain: str, now: Moment) -> list[Wish]:
        started, left = self.parts.replica.memory.started, self._left.get(chain)
        while left:
            task, resource = left.popleft()
            if (launched := started.get(resource)) is not None:
                self._current[chain] = resource
                return self.parts.executor.by_itself(self._order(launched, task), now)
        return []

    def _order(self, started: Launched, task: str) -> AgentOrder:
        launched = replace(started, task=task, transition_key=f"0:0:0:{self._run}", target_rc=0, interval_ms=0)
        # The others wait as long as the longest stop may take; one that hangs must not keep the next one from its turn.
        return AgentOrder(0, longest_stop_ms(whole(self.parts.replica.shared.cib).configuration), launched)

    def _active(self) -> list[Active]:
        """What runs here, as far as this node knows, in the order in which it was started."""
        if self.parts.recovery.nothing_runs:
            return []
        histories = {one.id: one for one in node_state(self.parts.replica.shared.cib, self.parts.name).history}
        active: list[Active] = []
        for resource in sorted(self.parts.replica.memory.started):
            entries = histories[resource].entries if resource in histories else ()
            last = next((entry for entry in entries if entry.id == last_id(resource)), None)
            active.append(Active(resource, 0 if last is None else last.result.call_id or 0, _promoted(last)))
        return active


def panics(cib: Cib) -> bool:
    """Whether who learns of its own fencing ends its machine."""
    return option(cib, "fence-reaction", "stop").lower() == "panic"


def _promoted(last: HistoryEntry | None) -> bool:
    if last is None:
        return False
    task, code = last.result.task, last.result.rc
    return (task == "promote" and code == 0) or (task == "monitor" and code in (8, 191))
