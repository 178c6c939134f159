"""What a node does about its own resources: operations one at a time for each resource, and recurring monitors.

Intervals count from the end of one run to the start of the next, by the monotonic clock. A recurring operation's result is reported
the first time and then whenever it changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from reconciler.analysis.recording import AgentTraits, Launched, OperationOutcome, is_failure
from reconciler.cib.moving import Names, name_after
from reconciler.controller.agent_calls import (
    META,
    RUNNING_CODES,
    agent_call,
    as_known,
    as_started,
    cancelled,
    held_by,
    holder_of,
    observations_of,
    probe_attributes,
    renamed_order,
    unkept,
)
from reconciler.controller.events import Broadcast, ClearTimer, CutShort, RunAgent, SetTimer, Unwatch, Watch, Wish
from reconciler.controller.job import Cause, Gate, Job, Key, LastResult, Recurring, begins, is_remembered, last_result
from reconciler.controller.memory import under_new_name
from reconciler.controller.messages import AgentOrder, Reported, Run, Underway
from reconciler.controller.moment import Moment
from reconciler.frozen import replace
from reconciler.model.duration import interval_ms as read_interval_ms
from reconciler.model.operation import AgentResult, OperationStatus

_ENDS_MONITORING = frozenset({"start", "stop", "promote", "demote", "migrate_to", "migrate_from", "reload-agent"})
_BEGINS_ANEW = frozenset({"start", "migrate_from"})
_AS_STARTED = frozenset({"stop", "monitor"})
"""What is asked of what may run with the parameters of its start: with others a probe would miss it, and it would start twice."""
_UNRUN = frozenset({"cancel", "delete"})


class Executor:
    """The operations of one node. Every method returns what it wishes; nothing here runs anything by itself."""

    def __init__(self, node: str, next_call_id: int) -> None:
        self.node = node
        self.next_call_id = next_call_id
        self.recurring: dict[Key, Recurring] = {}
        self.results: dict[str, LastResult] = {}
        self.failures: dict[tuple[str, str], LastResult] = {}
        """By resource and operation key: the last failure here, with its output, until the same operation succeeds or it is forgotten."""
        self.halted = False
        """Whether nothing is begun for now: this node stood still."""
        self.running: dict[int, Job] = {}
        self.adopted: dict[str, tuple[Launched, AgentResult, AgentTraits]] = {}
        """What was found out by `adopt`, by resource."""
        self._busy: set[str] = set()
        self._waiting: dict[str, deque[Job]] = {}
        self._timers: dict[str, Key] = {}
        self._next_token = 1
        self._handed = 1
        """Calls with a lower token were handed to who makes them."""
        self._ended: tuple[int, Job] | None = None
        """The call that ended last."""

    @property
    def idle(self) -> bool:
        """Whether no agent is being called."""
        return not self.running

    def order(
        self, order: AgentOrder, message: Run, started: Mapping[str, Launched], now: Moment, gate: Gate | None = None
    ) -> list[Wish]:
        """Take an order of the DC out of its message.

        `started` are the parameters with which resources were started (see `Memory`). With a `gate`, what has to be remembered waits until
        that was opened, and what follows for the resource with it.
        """
        launched, cause = order.launched, (message.term, message.transition)
        if launched.task == "cancel":
            return self._cancel(order, cause, now)
        # An agent that keeps files by the name of its instance would not find them under another one than it was started as.
        known = started.get(launched.resource)
        if known is not None and known.instance is not None and launched.task not in _BEGINS_ANEW:
            launched = replace(launched, instance=known.instance)
            order = replace(order, launched=launched)
        if launched.task in _AS_STARTED and not launched.interval_ms and launched.resource in started:
            order = replace(order, launched=as_started(launched, started[launched.resource]))
        # What only looks waits at no gate: nobody who comes after has to know of it.
        if launched.interval_ms:
            return self._begin_recurring(order, cause, now)
        waits_for = gate if is_remembered(order) else None
        job = Job(
            order,
            cause,
            gate=waits_for,
            started=launched.resource in started,
            holder=holder_of(order.launched, started),
        )
        return self._enqueue(job, now)

    def by_itself(self, order: AgentOrder, now: Moment) -> list[Wish]:
        """Carry out what nobody ordered: this node is cut off. How that ended is told once there is somebody to tell."""
        resource = order.launched.resource
        cut = self.cut_short(resource)
        return [*self._end_monitoring(resource), *cut, *self._enqueue(Job(order, (0, 0)), now)]

    def cut_short(self, resource: str) -> list[Wish]:
        """What recurs and runs just now is ended: others count how long a stop takes, and none waits for an agent that only looks."""
        return [
            CutShort(token)
            for token, job in sorted(self.running.items())
            if job.recurring is not None and job.launched.resource == resource
        ]

    def is_busy(self, resource: str) -> bool:
        """Whether anything is done or waits to be done for the resource."""
        return resource in self._busy or resource in self._waiting

    def waits_at(self, gate: Gate) -> bool:
        """Whether anything waits for this gate."""
        return any(job.gate == gate for waiting in self._waiting.values() for job in waiting)

    def open(self, gate: Gate, now: Moment) -> list[Wish]:
        """What waits for this gate may begin."""
        effects: list[Wish] = []
        for resource, waiting in sorted(self._waiting.items()):
            for job in waiting:
                if job.gate == gate:
                    job.gate = None
            effects += self._next(resource, now)
        return effects

    def refuse(self, gate: Gate, reason: str, now: Moment) -> list[Wish]:
        """What waits for this gate is answered unbegun, each when its turn comes: the disk does not keep that it was ordered."""
        for waiting in self._waiting.values():
            for job in waiting:
                if job.gate == gate:
                    job.unkept = reason
        return self.open(gate, now)

    def stood_still(self) -> None:
        """This node did nothing for a while, nor perhaps did the agents that it was calling."""
        for job in self.running.values():
            job.stood = True

    def resume(self, now: Moment) -> list[Wish]:
        """What waited as nothing was to be begun may begin."""
        return [wish for resource in sorted(self._waiting) for wish in self._next(resource, now)]

    def drop_unstarted(self) -> None:
        """Forget the orders that have not begun: they are of a view that is no more. What recurs goes on."""
        for resource, waiting in list(self._waiting.items()):
            kept = deque(job for job in waiting if job.recurring is not None or job.adopting)
            if kept:
                self._waiting[resource] = kept
            else:
                del self._waiting[resource]

    def underway(self) -> tuple[Underway, ...]:
        """The orders that are being carried out."""
        return tuple(
            Underway(
                job.term,
                job.transition,
                job.order.action,
                job.launched.resource,
                job.launched.task,
                job.order.timeout_ms,
            )
            for _, job in sorted(self.running.items())
            if job.recurring is None and not job.adopting
        )

    def adopt(self, launched: Launched, timeout_ms: int, now: Moment) -> list[Wish]:
        """Find out whether a resource that was started with these parameters runs; `adopted` has the answer later."""
        probe = replace(
            launched,
            task="monitor",
            interval_ms=0,
            target_rc=7,
            attributes=probe_attributes(launched.attributes),
        )
        return self._enqueue(Job(AgentOrder(0, timeout_ms, probe), (0, 0), adopting=True), now)

    def finished(
        self, token: int, result: AgentResult, traits: AgentTraits, now: Moment
    ) -> tuple[Reported | None, list[Wish]]:
        """An agent's call is over: what is to be reported, and what runs next for the resource."""
        job = self.running.pop(token)
        self._ended = token, job
        resource = job.launched.resource
        self._busy.discard(resource)
        self.results[resource] = last_result(job, result, now)
        if job.adopting:
            self.adopted[resource] = (job.launched, result, traits)
            return None, self._next(resource, now)
        effects: list[Wish] = []
        report = True
        result = as_known(job, result)
        if job.recurring is not None:
            report, effects = self._recurred(job, job.recurring, result, now)
        elif result.status is OperationStatus.DONE and job.launched.target_rc == result.code:
            effects = self._watch(job, result)
        reported = self._report(job, result, traits, now) if report else None
        if reported is not None:
            self._note_failure(job, reported)
        return reported, effects + self._next(resource, now)

    def handed(self) -> None:
        """All that was wished for is on its way."""
        self._handed = self._next_token

    def mend(self, now: Moment, lost: tuple[int, AgentResult] | None = None) -> list[Wish]:
        """Carry on for every resource where wishes were lost: what was to be called is called, what waits goes on, and what recurs is due.

        Of the call `lost`, if there was one, the end could not be taken in: what counts of that is the plain result beside it.
        """
        effects = [] if lost is None else self._end_plainly(*lost, now)
        calls = [(token, job) for token, job in sorted(self.running.items()) if token >= self._handed]
        self._busy = {job.launched.resource for job in self.running.values()}
        queued = [*self.running.values(), *(job for waiting in self._waiting.values() for job in waiting)]
        for recurring in self.recurring.values():
            recurring.queued = any(job.recurring is recurring for job in queued)
            if not recurring.queued:
                effects.append(self._arm(recurring, now.mono_ms + recurring.order.launched.interval_ms))
        effects += [RunAgent(token, agent_call(job.order)) for token, job in calls]
        return effects + self.resume(now)

    def _end_plainly(self, token: int, result: AgentResult, now: Moment) -> list[Wish]:
        """A call has ended, and no more is made of it than the order's answer; a recurring operation tells with its next run."""
        job = self.running.pop(token, None)
        if job is None and self._ended is not None and self._ended[0] == token:
            job = self._ended[1]
        if job is None:
            return []
        if job.adopting:
            self.adopted[job.launched.resource] = (job.launched, result, AgentTraits())
            return []
        if job.recurring is not None:
            job.recurring.reported = None
            return []
        return [Broadcast(self._report(job, result, AgentTraits(), now))]

    def fire(self, timer: str, now: Moment) -> list[Wish]:
        """A recurring operation is due; a timer that is not one of ours does nothing."""
        key = self._timers.pop(timer, None)
        recurring = self.recurring.get(key) if key is not None else None
        return [] if recurring is None else self._run_recurring(recurring, now)

    def monitors(self, resource: str) -> bool:
        """Whether the resource has a recurring monitor here."""
        return any(key[0] == resource and key[1] == "monitor" for key in self.recurring)

    def check(self, resource: str, now: Moment) -> list[Wish]:
        """Run the resource's most frequent monitor now: something hints that it has failed."""
        due = sorted(
            key
            for key, one in self.recurring.items()
            if key[1] == "monitor" and resource in (key[0], one.order.launched.instance)
        )
        if not due:
            return []
        recurring = self.recurring[min(due, key=lambda key: key[2])]
        recurring.unwatched = True
        if recurring.queued:
            recurring.again = True
            return []
        return [ClearTimer(recurring.timer), *self._run_recurring(recurring, now)]

    def tell_again(self, resource: str) -> None:
        """The cluster has forgotten how the resource's recurring operations failed: if they still do, that is news."""
        for key, recurring in self.recurring.items():
            if key[0] == resource:
                recurring.reported = None

    def forget(self, resource: str) -> list[Wish]:
        """End the monitoring of a resource whose history is forgotten."""
        self._forget_failures(resource)
        return self._end_monitoring(resource)

    def _begin_recurring(self, order: AgentOrder, cause: Cause, now: Moment) -> list[Wish]:
        recurring = Recurring(order, cause)
        known = self.recurring.pop(recurring.key, None)
        effects: list[Wish] = [] if known is None else self._clear(known)
        self.recurring[recurring.key] = recurring
        delay_ms = read_interval_ms(order.launched.attributes.get(f"{META}start_delay"))
        if delay_ms:
            return [*effects, self._arm(recurring, now.mono_ms + delay_ms)]
        return effects + self._run_recurring(recurring, now)

    def _run_recurring(self, recurring: Recurring, now: Moment) -> list[Wish]:
        if recurring.queued:
            return []
        recurring.queued = True
        return self._enqueue(Job(recurring.order, recurring.cause, recurring), now)

    def _recurred(self, job: Job, recurring: Recurring, result: AgentResult, now: Moment) -> tuple[bool, list[Wish]]:
        """Whether the result of a recurring operation is news, and when it runs again. One no longer in force is no news."""
        recurring.queued = False
        if self.recurring.get(recurring.key) is not recurring:
            return False, []
        if self._is_to_change(recurring.order.launched.resource):
            # What it saw is of a resource that was just told to stop, say; if that is dropped, the next run tells.
            return False, [self._arm(recurring, now.mono_ms + recurring.order.launched.interval_ms)]
        # The agent stood still with its machine: that its time is over says nothing of the service.
        if job.stood and result.status is OperationStatus.TIMED_OUT:
            return False, self._run_recurring(recurring, now)
        news = recurring.reported != (result.code, result.status)
        recurring.reported = (result.code, result.status)
        # A hint came while the agent was looking: it may have looked before what was hinted at.
        if recurring.again:
            recurring.again = False
            return news, self._run_recurring(recurring, now)
        effects = self._watch_again(recurring, result, now)
        return news, [*effects, self._arm(recurring, now.mono_ms + recurring.order.launched.interval_ms)]

    def _is_to_change(self, resource: str) -> bool:
        """Whether an order waits that ends the monitoring of the resource."""
        return any(
            job.launched.task in _ENDS_MONITORING and not job.adopting for job in self._waiting.get(resource, ())
        )

    def _watch_again(self, recurring: Recurring, result: AgentResult, now: Moment) -> list[Wish]:
        """A hint that was none leaves the resource watched; once in an interval, for a stale pid file hints again at once."""
        runs = result.status is OperationStatus.DONE and result.code in RUNNING_CODES
        if not (recurring.unwatched and runs) or now.mono_ms < recurring.watch_from_ms:
            return []
        recurring.unwatched = False
        recurring.watch_from_ms = now.mono_ms + recurring.order.launched.interval_ms
        call = agent_call(recurring.order)
        return [Watch(call.resource, call)]

    def _arm(self, recurring: Recurring, at_ms: int) -> SetTimer:
        self._timers[recurring.timer] = recurring.key
        return SetTimer(recurring.timer, at_ms)

    def _clear(self, recurring: Recurring) -> list[Wish]:
        return [ClearTimer(recurring.timer)] if self._timers.pop(recurring.timer, None) is not None else []

    def _end_monitoring(self, resource: str) -> list[Wish]:
        effects: list[Wish] = [Unwatch(resource)]
        for key in sorted(key for key in self.recurring if key[0] == resource):
            recurring = self.recurring.pop(key)
            if (instance := recurring.order.launched.instance) is not None:
                effects.append(Unwatch(instance))
            effects += self._clear(recurring)
        return effects

    def rename(self, names: Names, now: Moment) -> list[Wish]:
        """Resources go on under new names: what recurs does, what runs now is theirs, and nothing is asked of agents but a monitor."""
        for job in self.running.values():
            job.order = renamed_order(job.order, names)
        for waiting in self._waiting.values():
            for job in waiting:
                job.order = renamed_order(job.order, names)
        self._busy = {name_after(name, names) for name in self._busy}
        self._waiting = {name_after(name, names): waiting for name, waiting in self._waiting.items()}
        self.results = {name_after(name, names): result for name, result in self.results.items()}
        self.adopted = {
            name_after(name, names): (under_new_name(launched, names), result, traits)
            for name, (launched, result, traits) in self.adopted.items()
        }
        effects: list[Wish] = []
        moved = [one for key, one in sorted(self.recurring.items()) if name_after(key[0], names) != key[0]]
        for recurring in moved:
            effects += self._clear(self.recurring.pop(recurring.key))
            recurring.order = renamed_order(recurring.order, names)
        for recurring in moved:  # Not before: two may have exchanged their names.
            self.recurring[recurring.key] = recurring
            effects += self._run_recurring(recurring, now)
        return effects

    def _cancel(self, order: AgentOrder, cause: Cause, now: Moment) -> list[Wish]:
        """End one recurring operation after what runs for the resource, and answer.

        Not before: an order that is dropped unbegun leaves it as it was.
        """
        return self._enqueue(Job(order, cause, ends=self.recurring.get(cancelled(order.launched))), now)

    def _enqueue(self, job: Job, now: Moment) -> list[Wish]:
        resource = job.launched.resource
        self._waiting.setdefault(resource, deque()).append(job)
        return self._next(resource, now)

    def _next(self, resource: str, now: Moment) -> list[Wish]:
        """Start what waits for a resource that nothing runs for; what needs no agent is answered at once."""
        effects: list[Wish] = []
        waiting = self._waiting.get(resource)
        while waiting and resource not in self._busy and self._may_begin(waiting[0]):
            job = waiting.popleft()
            if job.recurring is not None and self.recurring.get(job.recurring.key) is not job.recurring:
                continue  # It was ended, or ordered anew, while it waited.
            if job.launched.task == "delete":
                self.results.pop(resource, None)
                self._forget_failures(resource)
            if job.ends is not None and self.recurring.get(job.ends.key) is job.ends:
                effects += self._clear(self.recurring.pop(job.ends.key))
            if job.launched.task in _UNRUN:
                effects.append(Broadcast(self._report(job, AgentResult(0), AgentTraits(), now)))
                continue
            if job.holder is not None:
                effects.append(Broadcast(self._report(job, held_by(job.holder, job.launched), AgentTraits(), now)))
                continue
            if job.unkept is not None:
                effects.append(Broadcast(self._report(job, unkept(job.unkept), AgentTraits(), now)))
                continue
            if job.launched.task in _ENDS_MONITORING:
                # Not before: an order that is dropped unbegun leaves the resource, and what watches it, as they were.
                effects += self._end_monitoring(resource)
            effects.append(self._run(job))
        if not waiting:
            self._waiting.pop(resource, None)
        return effects

    def _may_begin(self, job: Job) -> bool:
        return job.gate is None and not (self.halted and begins(job.order) and not job.adopting)

    def _run(self, job: Job) -> RunAgent:
        token, call = self._next_token, agent_call(job.order)
        self._next_token += 1
        self.running[token] = job
        self._busy.add(job.launched.resource)
        return RunAgent(token, call)

    def _note_failure(self, job: Job, reported: Reported) -> None:
        resource = reported.resource
        key = resource, f"{resource}_{reported.task}_{reported.interval_ms}"
        if reported.failed:
            self.failures[key] = self.results[resource]
        else:
            self.failures.pop(key, None)

    def _forget_failures(self, resource: str) -> None:
        for key in [key for key in self.failures if key[0] == resource]:
            del self.failures[key]

    def _watch(self, job: Job, result: AgentResult) -> list[Wish]:
        """A resource that runs here is watched from its start on."""
        if job.launched.task in ("start", "migrate_from") or (
            job.launched.task == "monitor" and result.code in RUNNING_CODES
        ):
            call = agent_call(job.order)
            return [Watch(call.resource, call)]
        return []

    def _report(self, job: Job, result: AgentResult, traits: AgentTraits, now: Moment) -> Reported:
        launched = replace(job.launched, traits=traits)
        outcome = OperationOutcome(
            result.code,
            result.status,
            now.epoch_s,
            self.next_call_id,
            result.execution_ms,
            result.queue_ms,
            result.exit_reason,
        )
        self.next_call_id += 1
        ignored = launched.task == "notify"  # What an agent says to a notification never counts.
        return Reported(
            term=job.term,
            transition=job.transition,
            action=job.order.action,
            resource=launched.resource,
            task=launched.task,
            interval_ms=launched.interval_ms,
            node=self.node,
            rc=result.code,
            status=int(result.status),
            failed=not ignored and is_failure(launched, outcome),
            exit_reason=result.exit_reason,
            execution_ms=result.execution_ms,
            observations=observations_of(launched, outcome),
            at_ms=now.wall_ms,
        )
