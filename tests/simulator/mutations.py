"""Each rule of the design, broken on purpose: what it takes to break it, and the life that shows it (`test_broken_rules` has those)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from reconciler.cib.observations import HistoryForgotten
from reconciler.controller import (
    cluster_clock,
    coordinator,
    cut_off,
    entering,
    envelope,
    fencer,
    following,
    installing,
    intake,
    journal,
    node,
    outbox,
    parts,
    proposals,
    pulse,
    replica,
    self_resets,
    shared,
    standing,
)
from reconciler.controller import executor as executing
from reconciler.controller.events import Broadcast, Leave
from reconciler.controller.fencing import delivery
from reconciler.controller.fencing.record import Down, Fencing, Ordered
from reconciler.controller.keeper import Promising, SendAcceptance, TakeIn, Vouch
from reconciler.controller.membership import agreement, machine
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Report
from reconciler.controller.own import Own
from reconciler.controller.quorum.policy import Permissions, QuorumPolicy
from reconciler.frozen import replace
from reconciler.simulator import planner

Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


def stamp_unchecked(patch: Patch) -> None:
    """A message is taken whatever view it was sent in."""
    refusal = intake.Intake._refusal

    def lax(self: Any, sender: str, envelope: Any) -> str | None:
        return refusal(self, sender, replace(envelope, view=self.parts.replica.partition.view))

    patch.setattr(intake.Intake, "_refusal", lax)


def no_view_stamp(patch: Patch) -> None:
    """Messages carry no view: who gets one takes it for one of the view at hand, also before that is installed."""
    refusal = intake.Intake._refusal

    def unstamped(self: Any, sender: str, envelope: Any) -> str | None:
        partition = self.parts.replica.partition
        self.parts.replica.partition = replace(partition, installed=True, members=(*partition.members, sender))
        try:
            return refusal(self, sender, replace(envelope, view=partition.view))
        finally:
            self.parts.replica.partition = partition

    patch.setattr(intake.Intake, "_refusal", unstamped)


def sender_unchecked(patch: Patch) -> None:
    """Anybody may send anything."""
    patch.setattr(intake, "may_send", lambda sender, message, dc: True)


def compare_by_promised(patch: Patch) -> None:
    """The donor is whoever promised most."""

    def donor(heard: Mapping[str, Any], blank: frozenset[str]) -> str:
        return max(sorted(heard.keys() - blank) or sorted(heard), key=lambda name: heard[name].promised)

    patch.setattr(agreement, "_donor", donor)


def adopt_before_all_promised(patch: Patch) -> None:
    """Who is ready installs the view, whoever else is."""

    def ready(now: Any, sender: str, message: Any) -> Any:
        mine = isinstance(now, machine.Readied) and sender == now.sync.facts.node
        return machine._install(now.sync, now.agreement) if mine else (now, ())

    patch.setattr(machine, "_ready", ready)


def _hastily(patch: Patch, purpose: type, then: Callable[[Any, Any], list[Any]]) -> None:
    """What should wait for the disk happens at once."""
    sync = parts.Parts.sync

    def hasty(self: Any, wanted: Any) -> list[Any]:
        return then(self, wanted) if isinstance(wanted, purpose) else sync(self, wanted)

    patch.setattr(parts.Parts, "sync", hasty)


def skip_the_sync_of_the_promise(patch: Patch) -> None:
    """A promise is told before it is durable."""
    made = entering.Entering.__init__

    def noted(self: Any, owned: Any, *more: Any, **named: Any) -> None:
        made(self, owned, *more, **named)
        owned.entering_of_test = self

    patch.setattr(entering.Entering, "__init__", noted)
    _hastily(patch, Promising, lambda self, wanted: self.entering_of_test.promised(wanted.term, _NOW.now))


def skip_the_sync_of_the_prepared_form(patch: Patch) -> None:
    """A commit is accepted before what it compiles to is durable."""
    _hastily(patch, SendAcceptance, lambda self, wanted: self.proposals.accept(wanted.examined))


def skip_the_sync_of_an_order(patch: Patch) -> None:
    """That a start was heard is told before it is durable."""
    _hastily(patch, Vouch, lambda self, wanted: [Broadcast(wanted.heard)])


def begin_what_this_disk_does_not_have(patch: Patch) -> None:
    """Who is ordered to start something does so once the others have heard of it, whether or not it can keep it itself."""
    heard = following.Following._heard

    def lax(self: Any, message: Any, now: Any) -> list[Any]:
        self.parts.heard.setdefault((message.term, message.transition, message.action), set()).add(self.parts.name)
        return heard(self, message, now)

    patch.setattr(following.Following, "_heard", lax)
    patch.setattr(executing.Executor, "refuse", lambda self, gate, reason, now: [])


def promise_forgotten_at_a_restart(patch: Patch) -> None:
    """A node that starts takes part in anything newer than what it has decided, whatever it has promised."""
    restore = journal.restore

    def forgetful(name: str, snapshot: Any, records: Any) -> Any:
        made, torn = restore(name, snapshot, records)
        made.own = replace(made.own, promised=made.shared.term)
        return made, torn

    patch.setattr("reconciler.simulator.host.restore", forgetful)


def count_a_blank_member(patch: Patch) -> None:
    """Whose disk is empty has a vote."""
    patch.setattr(agreement, "_is_blank", lambda hello, heard: False)


def host_votes_for_member_votes(patch: Patch) -> None:
    """A view is quorate when its hosts are, whether or not members run there."""
    judge = agreement.judge

    def lax(votes: Mapping[str, int], counting: Any, ring: Any, **named: Any) -> Any:
        return replace(judge(votes, counting, ring, **named), quorate=ring.quorate, intersecting=True)

    patch.setattr(agreement, "judge", lax)


def two_node_activates_unfenced(patch: Patch) -> None:
    """Where two sides may be quorate, each of them begins what it likes."""
    free = Permissions(*(True for _ in Permissions.__match_args__))
    for module in (coordinator, intake, following, fencer, shared, entering, node, proposals, installing):
        if hasattr(module, "allowed"):
            patch.setattr(module, "allowed", lambda shared: free)


def activate_with_one_accept_missing(patch: Patch) -> None:
    """All but the last member have accepted."""
    agreed = proposals.agreed
    patch.setattr(proposals, "agreed", lambda state, members: agreed(state, tuple(members)[:-1] or members))


def keep_accepts_over_a_view(patch: Patch) -> None:
    """What members accepted in a former view counts in the next."""
    install = replica.install

    def keeping(state: Any, installed: Any) -> Any:
        return replace(install(state, installed), proposals=state.proposals)

    patch.setattr(replica, "install", keeping)


def skip_instead_of_leaving(patch: Patch) -> None:
    """A member that can't write a decision goes on without it."""
    refused = intake.Intake._not_durable

    def skipping(self: Any, purpose: Any, event: Any) -> list[Any]:
        return [] if isinstance(purpose, TakeIn) else refused(self, purpose, event)

    patch.setattr(intake.Intake, "_not_durable", skipping)


def apply_twice(patch: Patch) -> None:
    """The last record of a journal is taken in once more at a start."""
    restore = journal.restore

    def again(name: str, snapshot: Any, records: Any) -> Any:
        known = list(records)
        return restore(name, snapshot, known + [one for one in known[-1:] if one.kind == journal.MESSAGE])

    patch.setattr("reconciler.simulator.host.restore", again)


def swallow_an_exception(patch: Patch) -> None:
    """A message that could not be taken in is dropped, and the member goes on."""
    give_up = entering.Entering.give_up

    def swallowing(self: Any, why: str, now: Any) -> list[Any]:
        return [] if "memory" in why else give_up(self, why, now)

    patch.setattr(entering.Entering, "give_up", swallowing)


def no_own_report(patch: Patch) -> None:
    """A member says nothing of what it runs when it comes into a view."""
    report = entering.Entering._report

    def silent(self: Any, *given: Any) -> Any:
        told, watches = report(self, *given)
        return replace(told, stopped=(), underway=(), observations=()), watches

    patch.setattr(entering.Entering, "_report", silent)


def a_report_overrides_other_nodes(patch: Patch) -> None:
    """What a member says of itself takes the place of what is known of others."""
    told = shared._told_of_itself

    def greedy(state: Any, message: Any) -> Any:
        others = (one.name for one in state.cib.status.nodes if one.name != message.node)
        lost = tuple(HistoryForgotten(name, attributes=False) for name in others)
        return told(shared.observed(state, lost) if isinstance(message, Report) else state, message)

    patch.setattr(shared, "_told_of_itself", greedy)


def own_part_lost_by_a_transfer(patch: Patch) -> None:
    """Who takes over the state of others forgets what only itself knew."""
    install = replica.Replica.install

    def forgetful(self: Any, installed: Any, adopted: Any = None) -> None:
        install(self, installed, adopted)
        if adopted is not None:
            self.own = Own(promised=self.own.promised)

    patch.setattr(replica.Replica, "install", forgetful)


def outbox_dropped(patch: Patch) -> None:
    """What was not delivered in its view is not told again."""

    def again(self: Any, now: Any) -> list[Any]:
        self.results.clear()
        self._attributes.clear()
        return []

    patch.setattr(outbox.Outbox, "again", again)


def reported_when_sent(patch: Patch) -> None:
    """A result counts as told once it was sent."""
    patch.setattr(outbox.Outbox, "told", lambda self, wishes: None)


def orders_survive_a_view(patch: Patch) -> None:
    """What was ordered and not begun is carried out in the next view."""
    patch.setattr(executing.Executor, "drop_unstarted", lambda self: None)


def result_matched_without_term(patch: Patch) -> None:
    """A result ends the action of the same number, whoever ordered it."""

    def ours(self: Any, message: Any) -> bool:
        current = self.transition
        return current is not None and current.number == message.transition and message.action in current.running

    patch.setattr(coordinator.Coordinator, "_is_ours", ours)


def an_inherited_operation_is_ordered_again(patch: Patch) -> None:
    """What a former DC ordered, and what still runs, is not awaited."""
    told = shared._told_of_itself

    def nothing_underway(state: Any, message: Any) -> Any:
        return told(state, replace(message, underway=()) if isinstance(message, Report) else message)

    patch.setattr(shared, "_told_of_itself", nothing_underway)


def unclean_forgotten_on_a_change_of_dc(patch: Patch) -> None:
    """Another DC thinks that all who are gone are off."""
    install = replica.install

    def forgetful(state: Any, installed: Any) -> Any:
        made = install(state, installed)
        if made.dc == state.dc:
            return made
        clean = {
            name: replace(one, presence=Presence.DOWN) if one.presence in (Presence.UNCLEAN, Presence.PENDING) else one
            for name, one in made.nodes.items()
        }
        seen = standing.recorded(made.nodes, clean, fencing=standing.fences(made.cib))
        return shared.observed(replace(made, nodes=clean, fencing=Fencing()), seen)

    patch.setattr(replica, "install", forgetful)


def start_before_fenced(patch: Patch) -> None:
    """A fencing counts as done once it is wanted."""
    fence = coordinator.Coordinator._fence

    def done(self: Any, transition: Any, action: Any, state: Any, now: Any) -> list[Any]:
        wishes = fence(self, transition, action, state, now)
        transition.finish(action.id, True)
        return wishes

    patch.setattr(coordinator.Coordinator, "_fence", done)


def fencing_result_for_any_incarnation(patch: Patch) -> None:
    """A node that was fenced once is down, whoever has come back since."""

    def kept(record: Any, target: str, members: Any) -> Any:
        present = members.get(target)
        if isinstance(record, Ordered | Down):
            return record if present is None or isinstance(record, Ordered) else None
        return None if present is not None else record

    def awaited(now: Any, term: int, target: str, number: int) -> Any:
        known = now.records.get(target)
        return known if isinstance(known, Ordered) else None

    patch.setattr(delivery, "_at_installation", kept)
    patch.setattr(delivery, "_awaited", awaited)


def fence_recorded_after_the_call(patch: Patch) -> None:
    """The DC calls the agent at once, and tells of it afterwards."""
    decide = fencer.Fencer.decide

    def hasty(self: Any, state: Any, now: Any, *more: Any, **named: Any) -> list[Any]:
        wishes = decide(self, state, now, *more, **named)
        orders = [wish.message.order for wish in wishes if _is_order(wish)]
        return [fencer._call(order, state.cib) for order in orders] + wishes

    patch.setattr(fencer.Fencer, "decide", hasty)


def _is_order(wish: Any) -> bool:
    return isinstance(wish, Broadcast) and type(wish.message).__name__ == "FenceOrdered"


def no_new_order_after_the_executor_was_lost(patch: Patch) -> None:
    """An order is awaited whoever was to carry it out."""

    def kept(record: Any, target: str, members: Any) -> Any:
        present = members.get(target)
        return None if present is not None and present.boot != delivery.record_boot(record) else record

    patch.setattr(delivery, "_at_installation", kept)
    patch.setattr(fencer.Fencer, "late", lambda self, *given: [])


def freeze_acts_as_stop(patch: Patch) -> None:
    """Under the policy freeze a member without quorum stops what it runs."""

    def policy(cib: Any) -> QuorumPolicy:
        known = standing.quorum_policy(cib)
        return QuorumPolicy.STOP if known is QuorumPolicy.FREEZE else known

    for module in (cut_off, planner):
        patch.setattr(module, "quorum_policy", policy)


def a_chunk_taken_without_its_hash(patch: Patch) -> None:
    """Pieces are put together whatever their digest says."""

    def add(self: Any, sender: str, chunk: Any) -> bytes | None:
        parts = self._parts.setdefault(sender, [])
        parts.append(chunk)
        if len(parts) < chunk.count:
            return None
        return b"".join(base64.b64decode(part.data) for part in self._parts.pop(sender))

    patch.setattr(envelope.Assembly, "add", add)


def the_executors_clock_in_the_state(patch: Patch) -> None:
    """What a member records has the time of its own machine."""
    patch.setattr(cluster_clock.ClusterClock, "at", lambda self, now, *, dc: now)


def proposals_lost_at_a_join(patch: Patch) -> None:
    """What was proposed is forgotten when another view is installed."""
    install = replica.install
    patch.setattr(replica, "install", lambda state, installed: replace(install(state, installed), proposals={}))


def nothing_is_held_back(patch: Patch) -> None:
    """Without fencing, what may still run on a node that is gone is started elsewhere at once."""
    patch.setattr(coordinator, "_held_back", lambda plan, state: (frozenset(), plan.actions, ""))


def cut_off_and_idle(patch: Patch) -> None:
    """A member that is cut off goes on as before."""
    patch.setattr(cut_off.CutOff, "due", lambda self, now: [])


def ends_at_once(patch: Patch) -> None:
    """Who can't promise anything ends, and lets run what it runs, though it may be cut off."""
    patch.setattr(entering.Entering, "give_up", lambda self, why, now: [Leave(why)])


def waits_for_a_stop_that_hangs(patch: Patch) -> None:
    """Who is cut off waits for each stop for longer than the others wait for all of them."""
    patch.setattr(cut_off, "longest_stop_ms", lambda cib: 20_000_000)


def stops_by_other_parameters(patch: Patch) -> None:
    """A stop has the parameters of the configuration, whatever the resource was started with."""
    patch.setattr(executing, "as_started", lambda launched, started: launched)


def a_lost_node_goes_by_the_newest_configuration(patch: Patch) -> None:
    """How long a lost node is waited for follows from what was activated since it was lost."""
    grace = standing.grace_ms

    def newest(cib: Any, presence: Any, *, ends_within_ms: int | None = 0, **named: Any) -> int | None:
        by_newest = standing.ends_by_itself_ms(cib, busy=True) if ends_within_ms != 0 else 0
        return grace(cib, presence, ends_within_ms=by_newest, **named)

    patch.setattr(shared, "grace_ms", newest)


def an_activation_is_had_by_all_at_once(patch: Patch) -> None:
    """Who is lost right after an activation is thought to go by that."""
    activate = shared._activate
    patch.setattr(shared, "_activate", lambda *given: replace(activate(*given), ends_within_ms=0))


class _Clock:
    """The time of the last event, for what a broken rule makes happen too early."""

    def __init__(self) -> None:
        self.now: Any = None


_NOW = _Clock()


def note_time(patch: Patch) -> None:
    """Have broken rules know the time."""
    step = node.Node.step

    def noting(self: Any, event: Any) -> Any:
        _NOW.now = event.now
        return step(self, event)

    patch.setattr(node.Node, "step", noting)


def watchdog_fed_without_quorum(patch: Patch) -> None:
    """A watchdog is fed as long as the loop turns, whether or not the members have quorum."""
    asked = node.may_feed_watchdog
    patch.setattr(node, "may_feed_watchdog", lambda **how: asked(**{**how, "quorate": True, "installed": True}))


def watchdog_fed_unanswered(patch: Patch) -> None:
    """A watchdog is fed as long as its node believes to be a member among those who have quorum, whether or not anybody answers it."""
    asked = node.may_feed_watchdog
    patch.setattr(node, "may_feed_watchdog", lambda **how: asked(**{**how, "fresh": True}))


def _counted_otherwise(patch: Patch, change: Callable[[Any], Any], **given: Any) -> None:
    counted = shared.wait_ms
    patch.setattr(shared, "wait_ms", lambda *args, **how: change(counted(*args, **{**how, **given})))


def watchdog_counts_before_its_time(patch: Patch) -> None:
    """A watchdog is waited for, but not as long as it may take."""
    _counted_otherwise(patch, lambda found: found // 4 if isinstance(found, int) else found)


def watchdog_counts_for_a_half(patch: Patch) -> None:
    """A watchdog counts for whoever has quorum, though the others may have it, too."""
    counted = shared.wait_ms

    def lax(cib: Any, nodes: Any, votes: Any, target: str, boot: str, **how: Any) -> Any:
        left = {name: votes.get(name, 0) * (3 if name != target else 1) for name in votes}
        return counted(cib, nodes, left, target, boot, **{**how, "decides": True})

    patch.setattr(shared, "wait_ms", lax)
    since = pulse.Pulse.heard_since
    patch.setattr(pulse.Pulse, "heard_since", lambda self, votes, now, without="": since(self, {self.name: 1}, now))


def watchdog_promised_for_another_boot(patch: Patch) -> None:
    """What a node has promised holds when its machine has been started anew."""
    nodes = installing._nodes

    def lax(before: Any, *given: Any) -> Any:
        made = nodes(before, *given)
        kept = {name: one.resets_within_ms for name, one in before.nodes.items()}
        return {name: replace(one, resets_within_ms=kept.get(name, 0)) for name, one in made.items()}

    patch.setattr(installing, "_nodes", lax)
    patch.setattr(self_resets.SelfResets, "told", _told_only_what_holds(self_resets.SelfResets.told))


def watchdog_promise_not_taken_back(patch: Patch) -> None:
    """A process that has armed no device leaves standing what one before it has promised."""
    patch.setattr(self_resets.SelfResets, "told", _told_only_what_holds(self_resets.SelfResets.told))


def _told_only_what_holds(told: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: told(self) if self.within_ms else []


def watchdog_waited_for_over_views(patch: Patch) -> None:
    """Who waits for a watchdog goes on with that in the next view, whoever was in it meanwhile."""
    for module in (installing, shared):
        patch.setattr(module, "interrupted", lambda fencing, *_: fencing)


def watchdog_of_who_is_named_is_fed(patch: Patch) -> None:
    """Who hears that its own watchdog is waited for goes on."""
    patch.setattr(fencer.Fencer, "_obeyed", lambda self, order, shared: [])


MUTATIONS: dict[str, Break] = {
    "no view stamp": no_view_stamp,
    "stamp unchecked": stamp_unchecked,
    "sender unchecked": sender_unchecked,
    "compare by promised": compare_by_promised,
    "adopt before all promised": adopt_before_all_promised,
    "skip the promise's sync": skip_the_sync_of_the_promise,
    "skip the prepared form's sync": skip_the_sync_of_the_prepared_form,
    "skip the sync of an order": skip_the_sync_of_an_order,
    "begin what this disk does not have": begin_what_this_disk_does_not_have,
    "promise forgotten at a restart": promise_forgotten_at_a_restart,
    "count a blank member": count_a_blank_member,
    "host votes for member votes": host_votes_for_member_votes,
    "two-node activates unfenced": two_node_activates_unfenced,
    "ACTIVATE with one ACCEPT missing": activate_with_one_accept_missing,
    "keep ACCEPTs over a view": keep_accepts_over_a_view,
    "skip instead of leaving when not durable": skip_instead_of_leaving,
    "apply twice": apply_twice,
    "swallow an exception": swallow_an_exception,
    "no own report": no_own_report,
    "a report overrides other nodes": a_report_overrides_other_nodes,
    "own part lost by a transfer": own_part_lost_by_a_transfer,
    "outbox dropped": outbox_dropped,
    "reported when sent": reported_when_sent,
    "orders survive a view": orders_survive_a_view,
    "result matched without term": result_matched_without_term,
    "an inherited operation ordered again": an_inherited_operation_is_ordered_again,
    "unclean forgotten on a change of DC": unclean_forgotten_on_a_change_of_dc,
    "start before fenced": start_before_fenced,
    "fencing result for any incarnation": fencing_result_for_any_incarnation,
    "FENCE recorded after the call": fence_recorded_after_the_call,
    "no new order after the executor was lost": no_new_order_after_the_executor_was_lost,
    "watchdog fed without quorum": watchdog_fed_without_quorum,
    "watchdog fed unanswered": watchdog_fed_unanswered,
    "watchdog counted before its time": watchdog_counts_before_its_time,
    "watchdog counted by half of the votes": watchdog_counts_for_a_half,
    "watchdog promised for another boot": watchdog_promised_for_another_boot,
    "watchdog's promise not taken back": watchdog_promise_not_taken_back,
    "watchdog waited for over views": watchdog_waited_for_over_views,
    "watchdog fed by who is named": watchdog_of_who_is_named_is_fed,
    "freeze acts as stop": freeze_acts_as_stop,
    "proposals lost at a join": proposals_lost_at_a_join,
    "a chunk taken without its hash": a_chunk_taken_without_its_hash,
    "the executor's clock in the state": the_executors_clock_in_the_state,
    "what a lost node may run is started": nothing_is_held_back,
    "who is cut off goes on": cut_off_and_idle,
    "who is cut off and can't promise ends at once": ends_at_once,
    "a self-stop that hangs holds up the next": waits_for_a_stop_that_hangs,
    "stopped by other parameters": stops_by_other_parameters,
    "a lost node goes by what was activated since": a_lost_node_goes_by_the_newest_configuration,
    "who is lost amid an activation has it": an_activation_is_had_by_all_at_once,
}
