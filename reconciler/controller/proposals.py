"""How a commit becomes the configuration: proposed, examined by every member, accepted by all alike, activated by the DC.

One refusal, a differing digest or silence drops the proposal and leaves the active configuration untouched.
Source: the design of the cluster, "Configuration travels as git objects".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from reconciler.cib import Cib
from reconciler.cib.canonical import CanonicalError, digest, from_json, to_json
from reconciler.cib.departing import whole
from reconciler.cib.moving import moves, waits
from reconciler.controller.coordinator import StarvedError, UndecidedError
from reconciler.controller.events import (
    Broadcast,
    ClearTimer,
    CommitArrived,
    Emit,
    Examine,
    Examined,
    RecordActive,
    SetTimer,
    Wish,
)
from reconciler.controller.foreseen import foreseen, stale
from reconciler.controller.guarding import Guarded, GuardPolicy, guarded
from reconciler.controller.messages import Accept, Activate, Compiled, Message, Propose, Reject, finding_to_plain
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Prepared, Proposal, Shared, agreed, differing, lineage
from reconciler.errors import Finding
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.scheduler.plan import Plan

EXAMINATION_MS = 60_000
"""How long members have to answer a proposal; silence is never acceptance."""
# A refusal that fits into no message can't be told: the proposal would wait for its deadline, and say nothing.
_MOST_FINDINGS = 500
_LONGEST_TEXT = 1000
EXAMINE_TIMER = "examine "
"""How the names of the timers begin that end the time to answer."""


class Proposals:
    """A member's part in deciding on commits; the proposals themselves are in the replica."""

    def __init__(self, own: str, replica: Replica, compiler: int) -> None:
        self.own = own
        self.replica = replica
        self.compiler = compiler
        self._dictated: str | None = None
        """What was last told to members of another level."""
        self.policy = GuardPolicy()
        """Which guards hold a commit back, where this node is the DC."""
        self.foresee: Callable[[Cib, Configuration, Moment], Plan] = _foreseen
        """Answers what would be done first under another configuration. Raises UndecidedError."""
        self._activating: str | None = None
        self._distrusted: dict[str, str] = {}
        """By the digests of configurations: why they become active no more as long as this process lives."""

    def distrust(self, why: str | None) -> None:
        """Unless there is no reason to, refuse what was about to become active when the process ended, in whatever commit it comes."""
        prepared = self.replica.own.prepared
        under_way = (prepared[commit].digest for commit in self.replica.proposals if commit in prepared)
        self._distrusted = {} if why is None else dict.fromkeys(under_way, why)

    def resumed(
        self, prepared: Mapping[str, Prepared], now: Moment, *, dc: bool, accepting: Collection[str] = ()
    ) -> list[Wish]:
        """A view was installed: acceptances of earlier ones are void, proposals are not; each member answers from what it prepared.

        What waits for the disk (`accepting`) is not on it yet: it is judged, and written, once more.
        """
        self._activating = self._dictated = None
        replica, wishes = self.replica, list[Wish]()
        for commit, proposal in replica.proposals.items():
            wishes.append(SetTimer(EXAMINE_TIMER + commit, now.mono_ms + EXAMINATION_MS))
            made = prepared.get(commit)
            if proposal.base != replica.commit:
                wishes += [Broadcast(self._again(proposal))] if dc else []
            elif made is not None and commit not in accepting:
                wishes.append(Broadcast(self._answer(proposal, made.digest, now)))
            else:
                wishes += self.examine(commit)
        return wishes

    def examine(self, commit: str, *, ask: bool = True) -> list[Wish]:
        """Have a proposal judged, if it is still open; with `ask` by what other members have, too."""
        proposal = self.replica.proposals.get(commit)
        if proposal is None:
            return []
        known = lineage(self.replica.shared, proposal.source)
        others = self.replica.partition.members != (self.own,)
        return [Examine(commit, proposal.base, proposal.source, proposal.rewrite, known, ask=ask and others)]

    def arrived(self, event: CommitArrived) -> list[Wish]:
        """Propose a commit, unless it is active."""
        replica = self.replica
        if event.commit == replica.commit:
            return []
        return [
            Broadcast(
                Propose(
                    event.commit,
                    replica.commit,
                    event.source,
                    event.subject,
                    event.rewrite,
                    replica.term,
                    event.plan,
                    event.allow,
                )
            )
        ]

    def proposed(self, sender: str, message: Propose, before: Shared, now: Moment) -> list[Wish]:
        """A proposal was delivered: if it is a fresh one, examine it within the time that members have."""
        proposal = self.replica.proposals.get(message.commit)
        if proposal is None or proposal is before.proposals.get(message.commit):
            return []
        fields = {"commit": message.commit, "source": message.source, "subject": message.subject, "by": sender}
        return [
            _event("proposed", message.commit, fields),
            SetTimer(EXAMINE_TIMER + message.commit, now.mono_ms + EXAMINATION_MS),
            *self.examine(message.commit),
        ]

    def is_open(self, event: Examined) -> bool:
        """Whether the examination is still of the proposal's base."""
        proposal = self.replica.proposals.get(event.commit)
        return proposal is not None and proposal.base == event.base

    def refused(self, event: Examined) -> list[Wish]:
        """Tell all members that this one refuses a commit, and why."""
        findings = tuple(map(_sendable, event.findings[:_MOST_FINDINGS]))
        term = self.replica.term
        return [
            Broadcast(Reject(event.commit, _text(event.reason), findings, term, event.now.wall_ms, event.transient))
        ]

    def accept(self, event: Examined) -> list[Wish]:
        """What a commit compiles to is durable here: tell all members that this one accepts it, if it is still open."""
        if not self.is_open(event):
            return []
        return [Broadcast(self._answer(self.replica.proposals[event.commit], event.digest, event.now))]

    def _answer(self, proposal: Proposal, digest: str, now: Moment) -> Accept | Reject:
        """What this member says to a commit that it found valid: what it distrusts it refuses, whoever is the DC."""
        term = self.replica.term
        if (why := self._distrusted.get(digest)) is not None:
            text = _text(f"it was about to become active on {self.own} when {why}")
            return Reject(proposal.commit, text, (), term, now.wall_ms)
        return Accept(proposal.commit, proposal.base, digest, term, self.compiler)

    def not_kept(self, event: Examined, reason: str, now: Moment) -> list[Wish]:
        """What a commit compiles to could not be made durable: this member refuses it, for now."""
        if not self.is_open(event):
            return []
        text = _text(f"this node can't keep it: {reason}")
        return [Broadcast(Reject(event.commit, text, (), self.replica.term, now.wall_ms, transient=True))]

    def accepted(self, sender: str, message: Accept, before: Shared) -> list[Wish]:
        """A member's acceptance was delivered."""
        if message.commit not in before.proposals:
            return []
        fields = {"commit": message.commit, "by": sender, "digest": message.digest}
        return [_event("accepted", message.commit, fields)]

    def activate(self, members: tuple[str, ...], now: Moment, *, busy: bool) -> list[Wish]:
        """As the DC of a quorate view: what all members accepted alike becomes active; what they understand differently is refused.

        So is what comes with a saved plan, when the cluster would do anything else now; `busy` tells that it is carrying out another.
        """
        if self._activating is not None:
            return []
        replica = self.replica
        if (disputed := differing(replica.shared, members)) is not None:
            return self._settle_dispute(disputed, now)
        accepted = agreed(replica.shared, members)
        if accepted is None:
            return []
        try:
            return self._let_in(accepted, now, busy=busy)
        except StarvedError as error:  # What nobody has seen, nobody lets in: it is offered again.
            text = _text(f"what it would do is not known: {error}")
            return [Broadcast(Reject(accepted.commit, text, (), replica.term, now.wall_ms, transient=True))]

    def _let_in(self, accepted: Proposal, now: Moment, *, busy: bool) -> list[Wish]:
        """Have it become active, unless something speaks against that. Raises StarvedError."""
        replica = self.replica
        if (finding := self._staleness(accepted, now, busy=busy)) is not None:
            return [Broadcast(Reject(accepted.commit, finding.text, (finding,), replica.term, now.wall_ms))]
        if (unsettled := self._unsettled(accepted, busy=busy)) is not None:
            return [Broadcast(Reject(accepted.commit, unsettled, (), replica.term, now.wall_ms, transient=True))]
        found = self._guarded(accepted, now)
        if found.held:
            return [Broadcast(Reject(accepted.commit, _text(found.reason), found.held, replica.term, now.wall_ms))]
        self._activating = accepted.commit
        epoch, digest = replica.cib.version.epoch + 1, accepted.answers[self.own]
        state = None if accepted.plan is None else str(replica.cib.version)
        told = [_event("warned", accepted.commit, {"warnings": list(found.warnings)})] if found.warnings else []
        return [*told, Broadcast(Activate(accepted.commit, epoch, digest, now.wall_ms, replica.term, state))]

    def _settle_dispute(self, disputed: Proposal, now: Moment) -> list[Wish]:
        """As the DC, one of the oldest version: what it makes of a commit counts for compilers of other levels; those of its own agree."""
        replica, ours = self.replica, disputed.answers[self.own]
        others = [name for name, digest in disputed.answers.items() if digest != ours]
        if any(disputed.compilers.get(name) == self.compiler for name in others):
            reason = f"members understand it differently: {_answers(disputed)}"
            return [Broadcast(Reject(disputed.commit, reason, (), replica.term, now.wall_ms))]
        if self._dictated == disputed.commit:
            return []
        self._dictated = disputed.commit
        made = to_json(replica.own.prepared[disputed.commit].configuration)
        return [Broadcast(Compiled(disputed.commit, disputed.base, ours, self.compiler, made))]

    def dictated(self, message: Compiled) -> Prepared | None:
        """What the DC makes of a commit that this member found valid, when its own compiler is of another level; None otherwise.

        Nothing is taken whose bytes are not what the DC accepted.
        """
        proposal, own = self.replica.proposals.get(message.commit), self.replica.own.prepared.get(message.commit)
        if proposal is None or own is None or proposal.base != message.base or message.compiler == self.compiler:
            return None
        try:
            configuration = from_json(Configuration, message.configuration)
        except CanonicalError:
            return None
        if digest(configuration) != message.digest:
            return None
        return replace(own, digest=message.digest, configuration=configuration)

    @property
    def holds_still(self) -> bool:
        """Whether nothing may be begun: names are about to move, and what is under way for them would be lost."""
        prepared = self.replica.own.prepared.get(self._activating or "")
        return prepared is not None and bool(prepared.configuration.moved)

    def _unsettled(self, accepted: Proposal, *, busy: bool) -> str | None:
        """Why names can't move just now; None when they can, or none does."""
        cib, new = self.replica.cib, self.replica.own.prepared[accepted.commit].configuration
        old = whole(cib).configuration
        if waiting := waits(old, new, cib.status):
            return f"an operation of {waiting[0]}, which moves to {new.moved[waiting[0]]}, is under way"
        if busy and moves(old, new, cib.status):
            return "the cluster is carrying out a plan, and names move only when it is at rest"
        return None

    def _guarded(self, accepted: Proposal, now: Moment) -> Guarded:
        """What of the commit needs consent, or is to be told. What takes the place of nothing, or is recovered, was never harmful."""
        replica = self.replica
        prepared = replica.own.prepared[accepted.commit]
        if replica.commit is None or accepted.source == "recovery" or prepared.digest == replica.digest:
            return Guarded()
        try:
            lines = self.foresee(replica.cib, prepared.configuration, now).changes
        except StarvedError:
            raise
        except UndecidedError:
            lines = ()  # Nothing would be done, then.
        consents, at = (*accepted.allow, *prepared.allow), Instant(now.epoch_s, now.offset_s)
        return guarded(replica.cib, prepared.configuration, lines, consents, self.policy, at)

    def _staleness(self, accepted: Proposal, now: Moment, *, busy: bool) -> Finding | None:
        """What speaks against carrying out the plan that the proposal was saved with; None when it can be, or there is none."""
        if accepted.plan is None:
            return None
        if busy:
            return stale("the cluster is carrying out another one")
        prepared = self.replica.own.prepared[accepted.commit]
        try:
            plan = self.foresee(self.replica.cib, prepared.configuration, now)
        except StarvedError:
            raise
        except UndecidedError as error:
            return stale(str(error))
        return None if plan.digest == accepted.plan else stale("the cluster would do something else now")

    def activated(self, message: Activate, before: Shared) -> list[Wish]:
        """An activation was delivered; nothing follows from one that did not apply."""
        self._activating = self._dictated = None
        replica, proposal = self.replica, before.proposals.get(message.commit)
        if replica.commit != message.commit or proposal is None:
            return []
        fields = {
            "commit": message.commit,
            "version": str(replica.cib.version),
            "digest": message.digest,
            "unchanged": before.digest == message.digest,
            "source": proposal.source,
        }
        return [
            ClearTimer(EXAMINE_TIMER + message.commit),
            RecordActive(message.commit),
            _event("activated", message.commit, fields),
            *self._propose_again(),
        ]

    def _propose_again(self) -> list[Wish]:
        """What was proposed here on top of another commit has to be judged on top of the active one."""
        replica = self.replica
        return [
            Broadcast(self._again(proposal))
            for proposal in replica.proposals.values()
            if proposal.base != replica.commit and proposal.proposer == self.own
        ]

    def _again(self, proposal: Proposal) -> Propose:
        """The proposal on top of what is active now."""
        commit, replica = proposal.commit, self.replica
        return Propose(
            commit,
            replica.commit,
            proposal.source,
            proposal.subject,
            proposal.rewrite,
            replica.term,
            proposal.plan,
            proposal.allow,
        )

    def rejected(self, sender: str, message: Reject, before: Shared) -> list[Wish]:
        """A refusal was delivered."""
        proposal = before.proposals.get(message.commit)
        if self._activating == message.commit:
            self._activating = self._dictated = None
        if proposal is None:
            return []
        fields = {
            "commit": message.commit,
            "source": proposal.source,
            "reason": message.reason,
            "findings": [finding_to_plain(finding) for finding in message.findings],
            "by": sender,
            "transient": message.transient,
        }
        return [ClearTimer(EXAMINE_TIMER + message.commit), _event("rejected", message.commit, fields)]

    def dropped(self, message: Message, reason: str, now: Moment) -> list[Wish]:
        """What could not be made durable was never decided; the proposal it belongs to is refused."""
        self._activating = self._dictated = None
        if not isinstance(message, Activate):
            return []
        text = _text(f"this node could not make it durable: {reason}")
        return [Broadcast(Reject(message.commit, text, (), self.replica.term, now.wall_ms, transient=True))]

    def give_up(self, commit: str, members: tuple[str, ...], now: Moment) -> list[Wish]:
        """As the DC: the time to answer is over."""
        proposal = self.replica.proposals.get(commit)
        if proposal is None:
            return []
        silent = ", ".join(member for member in members if member not in proposal.answers)
        reason = f"no answer within {EXAMINATION_MS // 1000} s from {silent or 'the DC'}"
        return [Broadcast(Reject(commit, reason, (), self.replica.term, now.wall_ms, transient=True))]


def _foreseen(cib: Cib, configuration: Configuration, now: Moment) -> Plan:
    return foreseen(cib, configuration, Instant(now.epoch_s, now.offset_s))


def _sendable(finding: Finding) -> Finding:
    place = replace(finding.place, file=_text(finding.place.file))
    return replace(finding, place=place, text=_text(finding.text), hint=_text(finding.hint))


def _text(text: str) -> str:
    """What a message can carry: of a bounded length, and without the halves of characters that a file's name may hold."""
    return text[:_LONGEST_TEXT].encode(errors="backslashreplace").decode()


def _event(type: str, commit: str, fields: dict[str, Any]) -> Emit:
    return Emit(type, {"proposal": commit, **fields})


def _answers(proposal: Proposal) -> str:
    return ", ".join(f"{member} {digest[:12]}" for member, digest in sorted(proposal.answers.items()))
