"""What the DC does: asks the scheduler whenever the state has changed, and drives the transition that it answers.

It is level-based: an event says only that something changed. The scheduler is asked when nothing runs, and again after every
transition that did something, until it answers that nothing is left to do.
Source: the design of the cluster, "Who does what".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.analysis.recording import forget_failures
from reconciler.analysis.soundness import Violation, violations
from reconciler.cib import Cib
from reconciler.cib.activity import may_be_promoted, may_run
from reconciler.cib.departing import kept_waiting, names_departing, succeeded
from reconciler.cib.observations import AttributeSet, ResourceForgotten
from reconciler.controller.events import Broadcast, ClearTimer, Emit, SetTimer, Wish
from reconciler.controller.fencing.messages import FenceWanted
from reconciler.controller.fencing.record import FenceCause
from reconciler.controller.members import node_state, with_members
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import LARGEST_ORDER_BYTES, AgentOrder, Observe, Release, Reported, Run, order_bytes
from reconciler.controller.moment import Moment
from reconciler.controller.orders import bundles, history_id, make_order
from reconciler.controller.replica import Replica
from reconciler.controller.restarts import Restarts
from reconciler.controller.shared import Shared, allowed, unaccounted
from reconciler.controller.standing import fences, option
from reconciler.controller.transition import Transition
from reconciler.errors import ReconcilerError, Remedy
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.duration import interval_ms
from reconciler.model.outcome import outcome_word
from reconciler.model.text import integer
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Why
from reconciler.scheduler.plan import ActionKind, Change, Plan, PlannedAction

_BEGINNINGS = frozenset({"start", "promote", "migrate_to", "migrate_from"})
RECHECK = "recheck"
"""The timer at which time alone may change what is to be done."""
PRIORITY_DELAY = "CRM_meta_priority_fencing_delay"
"""How the plan tells how much longer to wait before it has a node fenced."""
OVERDUE = "overdue"
"""The timer at which actions under way are given up, for nothing of them has ended for longer than their timeouts."""
_STOOD_STILL_MS = 30_000
"""A timer that fires so much later than it was due: this process was stopped, and the answers may just be waiting."""
RETRY = "retry"
"""The timer that ends the pause before the same actions are tried once more."""
_DEFAULT_RECHECK = "15min"
# Expiries and date rules count in whole seconds.
_SOONEST_RECHECK_MS = 1000
# Not at the first repetition: a failure may well be followed by the same actions once more. But some states never rest: Pacemaker
# 2.1.5, and so we, exchanges the instances of a clone without stickiness for ever.
_PATIENCE = 2
_LONGEST_PAUSE_S = 300
_MOST_SHOWN = 500
_ASK_AGAIN_S = 60
_LONGEST_UNDECIDED_S = 900
_STARVED_AGAIN_S = 1
_LONGEST_STARVED_S = 30

Answer = tuple[Plan, tuple[Violation, ...]]
"""The scheduler's plan, and the rules that it breaks."""


class UndecidedError(ReconcilerError):
    """The scheduler was given up before it had an answer: what is to be done is not known."""

    code = "undecided"
    remedy = Remedy.RETRY


class StarvedError(UndecidedError):
    """The scheduler was given up after `took_s` although it may have been near an answer: the machine did not let it run.

    That says nothing of what was to be decided: it is asked again soon.
    """

    def __init__(self, text: str, took_s: float) -> None:
        super().__init__(text)
        self.took_s = took_s


class Coordinator:
    """The DC's part of a node. `run` names this run in transition keys."""

    def __init__(self, own: str, run: str) -> None:
        self.own = own
        self.run = run
        self.transition: Transition | None = None
        self.stale: str | None = None
        """Why the scheduler has to be asked; None when its last answer still holds."""
        self.converged = False
        self.problems: tuple[dict[str, str], ...] = ()
        self.plan: Plan | None = None
        """The scheduler's last answer."""
        self._foreseen: Plan | None = None
        """What would be done under a configuration that is about to become active: the same question is not asked again then."""
        self.bounded: Callable[[Cib, Callable[[], Answer]], Answer] = lambda cib, ask: ask()
        """Asks the scheduler about a CIB within whatever bounds there are. Raises UndecidedError."""
        self._undecided: tuple[Configuration, int] | None = None
        """The configuration about which nothing could be decided, and when (monotonic) to ask again."""
        self._undecided_s = 0
        self._starved_s = 0
        self._number = 0
        self._signature: tuple[tuple[str, str | None], ...] = ()
        self._repeats = 0
        self._retry_at_ms = 0
        self._restarts = Restarts()
        self._held_until_ms: int | None = None
        self._overdue_at_ms: int | None = None

    @property
    def busy(self) -> bool:
        """Whether a transition is under way, or one is still to be computed."""
        return self.transition is not None or self.stale is not None

    def begin_anew(self, why: str) -> None:
        """Another view has begun: what was under way in the one before was another DC's, or of another term."""
        self.transition, self.stale, self.converged = None, why, False
        self._signature, self._repeats, self._retry_at_ms = (), 0, 0
        self._overdue_at_ms = None

    def changed(self, why: str) -> list[Wish]:
        """The state from which was planned is not the state any more."""
        self.stale = self.stale or why
        self.converged = False
        if self.transition is not None and self.transition.abort(why):
            return [Emit("transition_aborted", {"transition": self.transition.number, "why": why})]
        return []

    def observed(self, message: Observe) -> list[Wish]:
        """An observation was delivered: our own action's effect, or news."""
        if self._is_ours(message):
            self._finish(message.action, True)
            return []
        return self.changed(message.why)

    def reported(self, message: Reported) -> list[Wish]:
        """A result was delivered: the outcome of an action under way, or news about what recurs."""
        if self._is_ours(message):
            return self._finish(message.action, not message.failed)
        return self.changed(
            f"{message.resource}_{message.task}_{message.interval_ms} on {message.node} is now {message.rc}"
        )

    def released(self, message: Release) -> list[Wish]:
        """A node was told to leave."""
        return self._finish(message.action, True) if self._is_ours(message) else []

    def decide(self, replica: Replica, members: Iterable[str], now: Moment) -> list[Wish]:
        """Go on: launch what may run, close what is over, and ask the scheduler when its answer may be another."""
        effects = self._advance(replica, members, now)
        if self.transition is None and self.stale is not None and not self._is_undecided(replica, now):
            effects += self._compute(replica, now)
            effects += self._advance(replica, members, now)
        return effects + self._wait(now)

    def overdue(self, now: Moment) -> list[Wish]:
        """The time is over in which something had to end: what runs has failed, whatever became of it, so that planning goes on."""
        due, self._overdue_at_ms = self._overdue_at_ms, None
        transition = self.transition
        if transition is None or due is None:
            return []
        if now.mono_ms > due + _STOOD_STILL_MS:
            transition.be_patient(now)
            return []
        effects: list[Wish] = []
        for action, _ in sorted(transition.running.values(), key=lambda entry: entry[0].id):
            effects += self._refuse(transition, action, "no answer came: the order or its result was lost")
        return effects

    def _wait(self, now: Moment) -> list[Wish]:
        """Have the timer run as long as actions do."""
        at_ms = None if self.transition is None else self.transition.patience_ends_ms(now)
        known, self._overdue_at_ms = self._overdue_at_ms, at_ms
        if at_ms == known:
            return []
        return [ClearTimer(OVERDUE) if at_ms is None else SetTimer(OVERDUE, at_ms)]

    def _is_ours(self, message: Observe | Reported | Release) -> bool:
        """Whether it answers an action under way: told by term and transition, as every DC counts its transitions."""
        current = self.transition
        return (
            current is not None
            and (current.term, current.number) == (message.term, message.transition)
            and message.action in current.running
        )

    def _finish(self, action: int, succeeded: bool) -> list[Wish]:
        transition = self.transition
        if transition is None:
            return []
        known = transition.aborted
        transition.finish(action, succeeded)
        if succeeded or known is not None:
            return []
        self.stale = self.stale or transition.aborted
        self.converged = False
        return [Emit("transition_aborted", {"transition": transition.number, "why": transition.aborted})]

    def _advance(self, replica: Replica, members: Iterable[str], now: Moment) -> list[Wish]:
        transition = self.transition
        if transition is None:
            return []
        effects = self._launch(transition, replica, frozenset(members), now)
        if transition.over:
            effects += self._close(transition, now)
        return effects

    def _launch(self, transition: Transition, replica: Replica, members: frozenset[str], now: Moment) -> list[Wish]:
        """Launch until nothing more may run; the orders of one moment travel together, in messages of a bounded size."""
        effects: list[Wish] = []
        orders: list[tuple[AgentOrder, int]] = []
        while launched := transition.launch(now):
            for action in launched:
                if action.kind is ActionKind.CLUSTER:
                    effects += self._carry_out(transition, action, replica, now)
                elif action.task == "probe_again":
                    transition.finish(action.id, True)
                elif action.node not in members or action.router not in (None, action.node):
                    effects += self._refuse(transition, action, "no member of the cluster can run it")
                else:
                    order = make_order(transition.plan, action, replica.cib, transition.number, self.run)
                    if (size := order_bytes(order)) > LARGEST_ORDER_BYTES:
                        effects += self._refuse(transition, action, f"its parameters are too large: {size:,} bytes")
                    else:
                        orders.append((order, size))
        effects += [Broadcast(Run(transition.term, transition.number, part, now.wall_ms)) for part in bundles(orders)]
        return effects

    def _carry_out(self, transition: Transition, action: PlannedAction, replica: Replica, now: Moment) -> list[Wish]:
        """An action of the controller itself."""
        state = node_state(replica.cib, action.node or "")
        match action.task:
            case "clear_failcount":
                seen = forget_failures(state, history_id(action, replica.cib))
                why = f"{action.key}: failures are forgotten"
                return [Broadcast(Observe(seen, why, now.wall_ms, transition.term, transition.number, action.id))]
            case "lrm_delete":
                forgotten = ResourceForgotten(state.id, history_id(action, replica.cib))
                why = f"{action.key}: history is forgotten"
                return [
                    Broadcast(Observe((forgotten,), why, now.wall_ms, transition.term, transition.number, action.id))
                ]
            case "stonith":
                return self._fence(transition, action, replica.shared, now)
            case "do_shutdown":
                return [Broadcast(Release(action.node or "", transition.term, transition.number, action.id))]
        return self._refuse(transition, action, "nothing here can carry it out")

    def _fence(self, transition: Transition, action: PlannedAction, shared: Shared, now: Moment) -> list[Wish]:
        """A node is to be fenced: want it, unless that is so already; the action goes on until the target is down."""
        target, how = action.node or "", action.key.rpartition("-")[2]
        if how == "on":
            return self._unfence(action, shared, now)
        if how not in ("off", "reboot", "poweroff"):
            return self._refuse(transition, action, f"{how} is no action that nodes are fenced with here")
        known = shared.nodes.get(target)
        boot = "" if known is None else known.boot
        if shared.fencing.is_down(target):
            transition.finish(action.id, True)
            return []
        if shared.fencing.is_open(target):
            return []
        member = known is not None and known.presence is Presence.ONLINE
        wanted = "off" if how == "poweroff" else how  # An old name, which agents of devices do not know.
        cause = FenceCause.FAILED if member else FenceCause.LOST
        return [Broadcast(FenceWanted(target, boot, cause, wanted, f"{action.key} was planned", now.wall_ms))]

    def _unfence(self, action: PlannedAction, shared: Shared, now: Moment) -> list[Wish]:
        """A member is to be given its way to the resources; the action goes on until that is done."""
        target = action.node or ""
        known = shared.nodes.get(target)
        if known is None or shared.fencing.is_open(target):
            return []
        wanted = FenceWanted(target, known.boot, FenceCause.UNFENCE, "on", f"{action.key} was planned", now.wall_ms)
        return [Broadcast(wanted)]

    def _unfenced(self, transition: Transition, action: PlannedAction, now: Moment) -> Wish:
        """A member was given its way: since when, and with which definitions of the devices, it is remembered on the node."""
        told = {"#node-unfenced": str(now.epoch_s)}
        for name in ("digests-all", "digests-secure"):
            if value := action.attributes.get(f"CRM_meta_{name.replace('-', '_')}"):
                told[f"#{name}"] = value
        seen = tuple(AttributeSet(action.node or "", name, value) for name, value in told.items())
        why = f"{action.key}: it was unfenced"
        return Broadcast(Observe(seen, why, now.wall_ms, transition.term, transition.number, action.id))

    def fenced(self, before: Shared, shared: Shared, now: Moment, about: str | None = None) -> list[Wish]:
        """Something was told of fencing, `about` one target: which of the actions under way are done by it, and which never will be.

        Of other targets only those that were to be fenced `before` may be: what was asked for them may still be on its way.
        """
        transition, wishes = self.transition, list[Wish]()
        if transition is None:
            return []
        for action, _ in sorted(transition.running.values(), key=lambda entry: entry[0].id):
            target = action.node or ""
            if action.task != "stonith" or shared.fencing.is_open(target):
                continue
            if target != about and not before.fencing.is_open(target):
                continue
            if not action.key.endswith("-on"):
                wishes += self._finish(action.id, shared.fencing.is_down(target))
            elif before.fencing.is_being_unfenced(target) and not shared.fencing.is_down(target):
                wishes.append(self._unfenced(transition, action, now))
            else:  # What ended was something else, which an operator had asked for.
                wishes += self._finish(action.id, False)
        return wishes

    def _refuse(self, transition: Transition, action: PlannedAction, reason: str) -> list[Wish]:
        """An action that nobody can carry out has failed: the plan must not go on as if it were done."""
        fields = {
            "transition": transition.number,
            "id": action.id,
            "key": action.key,
            "operation": action.task,
            "resource": action.resource,
            "node": action.node,
            "interval_ms": action.interval_ms,
            "status": "not-possible",
            "exit_reason": reason,
        }
        return [Emit("action_failed", fields), *self._finish(action.id, False)]

    def _close(self, transition: Transition, now: Moment) -> list[Wish]:
        """A transition is over: what it did, or why it stopped, has to be planned from; one that did nothing has not."""
        self.transition = None
        fields = {
            "transition": transition.number,
            "complete": transition.complete,
            "done": len(transition.done),
            "failed": len(transition.failed),
            "skipped": len(transition.actions) - len(transition.done) - len(transition.failed),
        }
        effects: list[Wish] = [Emit("transition_done", fields)]
        if self.stale is None and transition.real:
            self.stale = "the last transition is done"
        if self.stale is None:
            effects += self._settle(transition.plan, now)
        return effects

    def _compute(self, replica: Replica, now: Moment) -> list[Wish]:
        """Ask the scheduler, and begin what it answers unless the same was just tried in vain."""
        cib = with_members(replica.cib)
        foreseen, self._foreseen = self._foreseen, None
        try:
            plan, broken = self.bounded(cib, lambda: _ask(cib, Instant(now.epoch_s, now.offset_s), foreseen))
        except UndecidedError as error:
            return self._give_up(replica, error, now)
        self.plan, self._undecided, self._starved_s = plan, None, 0
        self.stale = None
        held, actions, why = _held_back(plan, replica.shared)
        if held:
            plan = replace(plan, actions=actions)
            if not _does_something(plan):
                text = f"{', '.join(sorted(held))} {why}"
                self.problems = tuple({"resource": name, "text": f"it waits: it {why}"} for name in sorted(held))
                return [Emit("daemon", {"what": "waiting", "text": text}), self._recheck(plan, now)]
        if not _does_something(plan):
            self._signature, self._repeats = (), 0
            return self._settle(plan, now)
        # A plan that breaks a rule is a fault of ours. Doing nothing is safer than doing that.
        if broken:
            self.problems = tuple({"resource": "", "text": f"{found.rule}: {found.text}"} for found in broken)
            text = "; ".join(problem["text"] for problem in self.problems)
            return [Emit("daemon", {"what": "unsound-plan", "text": text}), self._recheck(plan, now)]
        if pause := self._hold(plan, cib, now) or self._pause(plan, now):
            return pause
        # Above what any DC has ordered in this term: a late answer to another transition would fit this one's actions.
        self._number = max(self._number, replica.shared.transition) + 1
        self.transition = Transition(replica.term, self._number, plan, now)
        self._restarts.begin(plan, now)
        return [ClearTimer(RECHECK), ClearTimer(RETRY), _planned(self.transition, replica.cib)]

    def foresee(self, cib: Cib, configuration: Configuration, now: Moment) -> Plan:
        """What would be done first if the configuration took the place of the one in force. Raises UndecidedError."""
        at, wanted = Instant(now.epoch_s, now.offset_s), with_members(succeeded(cib, configuration))
        # Whether it is sound is asked when it is begun: until then nobody acts on it.
        self._foreseen = plan = self.bounded(wanted, lambda: (schedule(wanted, at), ()))[0]
        return plan

    def priority_delay_ms(self, cib: Cib, target: str, now: Moment) -> int:
        """How much longer to wait before a lost node is fenced, by `priority-fencing-delay`; nothing, where the scheduler has no answer."""
        if not interval_ms(option(cib, "priority-fencing-delay", "0")):
            return 0
        wanted = with_members(cib)
        try:
            plan, _ = self.bounded(wanted, lambda: (schedule(wanted, Instant(now.epoch_s, now.offset_s)), ()))
        except StarvedError:
            return interval_ms(option(cib, "priority-fencing-delay", "0"))  # Whoever knows more may be first.
        except UndecidedError:
            return 0
        fences = (one for one in plan.actions if one.task == "stonith" and one.node == target)
        return max((interval_ms(one.attributes.get(PRIORITY_DELAY, "0")) for one in fences), default=0)

    @property
    def undecided(self) -> bool:
        """Whether the scheduler was given up the last time."""
        return self._undecided is not None

    def _is_undecided(self, replica: Replica, now: Moment) -> bool:
        """Whether it is too early to ask again about a configuration that was too much for the scheduler."""
        if self._undecided is None:
            return False
        configuration, again_ms = self._undecided
        return configuration is replica.cib.configuration and now.mono_ms < again_ms

    def _give_up(self, replica: Replica, error: UndecidedError, now: Moment) -> list[Wish]:
        """Keep what runs as it is, say so, and ask again after a pause, or as soon as there is another configuration."""
        if isinstance(error, StarvedError):
            return self._put_off(replica, error, now)
        again = self._undecided is not None and self._undecided[0] is replica.cib.configuration
        self._undecided_s = min(2 * self._undecided_s, _LONGEST_UNDECIDED_S) if again else _ASK_AGAIN_S
        again_ms = now.mono_ms + self._undecided_s * 1000
        self._undecided = replica.cib.configuration, again_ms
        text = f"{error}; what runs is left as it is until there is another configuration; next try in {self._undecided_s} s"
        self.problems = ({"resource": "", "text": text},)
        return [Emit("daemon", {"what": "undecided", "text": text}), SetTimer(RETRY, again_ms)]

    def _put_off(self, replica: Replica, error: StarvedError, now: Moment) -> list[Wish]:
        """Ask again soon, whatever is configured: in between everything else has its turn. It is said once."""
        first, again = self._undecided is None, self._starved_s > 0
        self._starved_s = min(2 * self._starved_s, _LONGEST_STARVED_S) if again else _STARVED_AGAIN_S
        again_ms = now.mono_ms + round(error.took_s * 1000) + self._starved_s * 1000
        self._undecided = replica.cib.configuration, again_ms
        text = f"{error}; what runs is left as it is, and it is tried again within {_LONGEST_STARVED_S} s"
        self.problems = ({"resource": "", "text": text},)
        told: list[Wish] = [Emit("daemon", {"what": "undecided", "text": text})] if first else []
        return [*told, SetTimer(RETRY, again_ms)]

    def _hold(self, plan: Plan, cib: Cib, now: Moment) -> list[Wish]:
        """Too many services are recovered: the next ones wait until the first of them are a minute ago, and that is said."""
        known = len({history.id for state in cib.status.nodes for history in state.history})
        at_ms = self._restarts.free_at_ms(plan, known, now)
        if at_ms is None:
            self._held_until_ms = None
            return []
        first, self._held_until_ms = self._held_until_ms != at_ms, at_ms
        seconds = -(-(at_ms - now.mono_ms) // 1000)
        text = f"{self._restarts.in_window} recoveries within a minute are too many; the next ones wait {seconds} s"
        self.problems = ({"resource": "", "text": text},)
        told: list[Wish] = [Emit("daemon", {"what": "restart-cap", "text": text})] if first else []
        return [*told, SetTimer(RETRY, at_ms)]

    def _pause(self, plan: Plan, now: Moment) -> list[Wish]:
        """The same actions again and again, with no rest between: try more and more rarely, and say so."""
        signature = tuple((action.key, action.node) for action in plan.actions)
        if signature != self._signature:
            self._signature, self._repeats, self._retry_at_ms = signature, 0, 0
            return []
        if self._retry_at_ms > now.mono_ms:
            return [SetTimer(RETRY, self._retry_at_ms)]
        if self._retry_at_ms:
            self._retry_at_ms = 0
            return []
        self._repeats += 1
        if self._repeats < _PATIENCE:
            return []
        seconds = min(2 ** (self._repeats - _PATIENCE), _LONGEST_PAUSE_S)
        self._retry_at_ms = now.mono_ms + seconds * 1000
        text = (
            f"the same {len(signature)} actions were needed {self._repeats + 1} times in a row; next try in {seconds} s"
        )
        return [Emit("daemon", {"what": "not-converging", "text": text}), SetTimer(RETRY, self._retry_at_ms)]

    def _settle(self, plan: Plan, now: Moment) -> list[Wish]:
        """Nothing is left that can be done."""
        self.converged = True
        self.problems = tuple(_problems(plan))
        return [self._recheck(plan, now)]

    def _recheck(self, plan: Plan, now: Moment) -> SetTimer:
        """Ask again at the latest when time alone may change the answer."""
        wait_ms = interval_ms(plan.terms.recheck_interval) or interval_ms(_DEFAULT_RECHECK)
        if plan.recheck_by_s is not None:
            wait_ms = min(wait_ms, (plan.recheck_by_s + 1) * 1000 - now.wall_ms)
        return SetTimer(RECHECK, now.mono_ms + max(wait_ms, _SOONEST_RECHECK_MS))


def _ask(cib: Cib, at: Instant, known: Plan | None = None) -> Answer:
    """The plan for a CIB, and the rules that it breaks if it does anything; `known` is it where it answers the same question."""
    plan = _of_the_same(cib, at, known) or schedule(cib, at)
    return plan, tuple(violations(cib, plan)) if _does_something(plan) else ()


def _of_the_same(cib: Cib, at: Instant, known: Plan | None) -> Plan | None:
    """A plan that was made for a CIB which differs in its version alone, which decides nothing, and for the same second."""
    if known is None or known.now != at or known.cib != replace(cib, version=known.cib.version):
        return None
    return replace(known, cib=cib)


def _held_back(plan: Plan, shared: Shared) -> tuple[frozenset[str], tuple[PlannedAction, ...], str]:
    """What is not begun yet, the actions that are left, and why the others have to wait.

    Where others may be quorate, too, nothing is begun before they are accounted for; and what is not, is left as it is, for a stop alone
    would end a service that goes on elsewhere later. Without fencing, what may still run on a node that is gone is started nowhere before
    the grace of that node is over; nor what is the same under another name. What would follow on something held back is held back, too.
    """
    if shared.quorate and not allowed(shared).start:
        held = {_name(one) for one in plan.actions if one.task in _BEGINNINGS}
        left = _without(
            plan, {one.id for one in plan.actions if one.kind is ActionKind.RESOURCE and _name(one) in held}
        )
        return frozenset(held), left, f"may be started elsewhere, too, by {_named(unaccounted(shared))}"
    if fences(shared.cib):
        return _promotions_held_back(plan, shared)
    gone = [name for name, one in shared.nodes.items() if one.presence in (Presence.PENDING, Presence.UNCLEAN)]
    running = {resource for name in gone for resource in may_run(node_state(shared.cib, name))}
    renamed = kept_waiting(shared.cib, running)
    begun = [
        one
        for one in plan.actions
        if one.task in _BEGINNINGS and (_name(one) in running or _name(one).partition(":")[0] in renamed)
    ]
    left = _without(plan, {action.id for action in begun})
    return frozenset(map(_name, begun)), left, f"may still run on {_named(gone)}"


def _promotions_held_back(plan: Plan, shared: Shared) -> tuple[frozenset[str], tuple[PlannedAction, ...], str]:
    """The same with fencing, where a plan waits by itself for stops, and for what is to be fenced.

    But it promotes as if nothing were promoted on a node whose machine is there, and whose process is gone: nobody can demote that
    before the process is back, or the node is fenced.
    """
    gone = [name for name, one in shared.nodes.items() if one.presence is Presence.PENDING]
    promoted = {
        resource.partition(":")[0] for name in gone for resource in may_be_promoted(node_state(shared.cib, name))
    }
    begun = [one for one in plan.actions if one.task == "promote" and _name(one).partition(":")[0] in promoted]
    left = _without(plan, {action.id for action in begun})
    return frozenset(map(_name, begun)), left, f"may still be promoted on {_named(gone)}"


def _named(gone: Iterable[str]) -> str:
    return f"{', '.join(sorted(gone))}: gone, and not known to be off"


def _name(action: PlannedAction) -> str:
    return action.primitive_id or action.resource or ""


def _without(plan: Plan, dropped: set[int]) -> tuple[PlannedAction, ...]:
    """The actions of a plan but for these, and those that would follow them."""
    more = True
    while more:
        following = {action.id for action in plan.actions if dropped.intersection(action.triggers)}
        more = not following <= dropped
        dropped |= following
    return tuple(action for action in plan.actions if action.id not in dropped)


def _does_something(plan: Plan) -> bool:
    return any(action.kind is not ActionKind.PSEUDO for action in plan.actions)


def _planned(transition: Transition, cib: Cib) -> Emit:
    summary = [change_to_plain(change) for change in transition.plan.changes[:_MOST_SHOWN]]
    return Emit(
        "planned",
        {
            "transition": transition.number,
            "version": str(cib.version),
            "actions": sum(1 for action in transition.plan.actions if action.kind is not ActionKind.PSEUDO),
            "summary": summary,
        },
    )


def change_to_plain(change: Change) -> dict[str, object]:
    """A line of the summary as the API shows it."""
    return {
        "verb": change.verb.value,
        "subject": change.subject,
        "from_node": change.from_node,
        "to_node": change.to_node,
        "from_role": change.from_role,
        "to_role": change.to_role,
        "reason": change.reason,
        "blocked": change.blocked,
    }


def _problems(plan: Plan) -> Iterable[dict[str, str]]:
    """What is not as wanted although nothing can be done: wanted changes that can't run, failed or blocked resources.

    A failure that was recovered from is none: the resource runs as it should. Nor is one, but of a stop, of what is no longer configured.
    """
    orphans = (one.resource for one in plan.placements if one.cause is not None and one.cause.why is Why.ORPHAN)
    leaving = {*names_departing(plan.cib.configuration), *orphans}
    for change in plan.changes:
        if change.blocked:
            reason = f" due to {change.reason}" if change.reason else ""
            yield {"resource": change.subject, "text": f"{change.verb.value} is wanted but can not be done{reason}"}
    for failed in plan.failures:
        entry = failed.entry.attributes
        gone = failed.resource.partition(":")[0] in leaving and entry.get("operation") != "stop"
        if failed.over or gone:
            continue
        outcome = outcome_word(integer(entry.get("rc-code"), -1), integer(entry.get("op-status"), -1))
        text = f"{entry.get('operation')} on {failed.node}: {outcome}"
        yield {
            "resource": failed.resource,
            "text": f"{text}: {entry['exit-reason']}" if "exit-reason" in entry else text,
        }
