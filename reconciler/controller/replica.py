"""The replicated state of a node, and its one way to change: a message delivered in the order that all members see.

`Replica.deliver` is a deterministic function of what was delivered before, so members with the same deliveries hold the same state, and a
node that reads its journal again gets back what it had. What is kept for this node alone (`Memory`) follows from the same messages.
Source: the design of the cluster, "A node is a state machine", "Configuration travels as git objects".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from reconciler.analysis.recording import pending
from reconciler.cib import Cib, Version
from reconciler.cib.observations import Observation, observe
from reconciler.controller.members import by_name
from reconciler.controller.memory import Memory
from reconciler.controller.messages import (
    Accept,
    Activate,
    Joined,
    Message,
    Observe,
    Propose,
    Reject,
    Reported,
    Run,
)
from reconciler.model.cluster import Configuration

MOST_ACTIVATIONS = 1000
LOCAL_SOURCES = ("apply", "rollback", "recovery")
"""What people or the node itself propose: made for the version that was active then, so it follows that one or nothing."""
_MOST_PROPOSALS = 64


@dataclass(frozen=True, slots=True)
class Activation:
    """One version of the configuration that became active, and from which commit."""

    version: str
    commit: str
    parent: str | None
    source: str
    subject: str
    digest: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a commit compiles to on this node, made durable before the node accepted it."""

    digest: str
    configuration: Configuration


@dataclass(slots=True)
class Proposal:
    """A commit that members are examining; `answers` holds each member's digest once it accepted."""

    commit: str
    base: str | None
    source: str
    subject: str
    rewrite: bool
    proposer: str
    answers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last proposal that was refused, by whom and why."""

    proposal: Proposal
    by: str
    answer: Reject


class Replica:
    """What all members agree on, as this node (`own`) has it."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.cib = Cib(feature_set="3.16.1")
        self.digest = ""
        self.term = 0
        self.commit: str | None = None
        self.transition = 0
        """The number of the last transition that ordered anything."""
        self.activations: list[Activation] = []
        self.proposals: dict[str, Proposal] = {}
        self.prepared: dict[str, Prepared] = {}
        self.rejected: Rejected | None = None
        self.boots: dict[str, str] = {}
        """By node: which start of its machine it was last seen in."""
        self.memory = Memory()
        self.ignored = 0
        """How many observations were of nodes that nobody knows: none should be."""

    def deliver(self, sender: str, message: Message) -> None:
        """Take one message in; a message that no longer applies changes nothing."""
        match message:
            case Propose():
                self._propose(sender, message)
            case Accept():
                self._accept(sender, message)
            case Reject():
                self._reject(sender, message)
            case Activate():
                self._activate(message)
            case Observe():
                self._observe(message.observations)
            case Run():
                self.transition = max(self.transition, message.transition)
                self.memory.ordered(self.own, message)
                self._observe(_pending(message))
            case Reported():
                self.memory.reported(self.own, message)
                self._observe(message.observations)
            case Joined():
                self._join(message)
            case _:
                assert_never(message)

    def prepare(self, commit: str, prepared: Prepared) -> None:
        """Keep what a commit compiles to, until it is activated or refused."""
        self.prepared[commit] = prepared

    def agreed(self, members: Iterable[str]) -> Proposal | None:
        """A proposal that every member accepted alike and that follows the active commit, if there is one."""
        members = tuple(members)
        for proposal in self.proposals.values():
            digests = {proposal.answers.get(member) for member in members}
            if len(digests) == 1 and None not in digests and proposal.base == self.commit:
                return proposal
        return None

    def differing(self, members: Iterable[str]) -> Proposal | None:
        """A proposal that all members accepted, but not alike: they run versions that do not understand it alike."""
        members = tuple(members)
        for proposal in self.proposals.values():
            digests = {proposal.answers.get(member) for member in members}
            if len(digests) > 1 and None not in digests:
                return proposal
        return None

    def _propose(self, sender: str, message: Propose) -> None:
        """A proposal's base is what is active when it is delivered: an activation may have been on its way when it was sent."""
        known = self.proposals.get(message.commit)
        if message.commit == self.commit or (known is not None and known.base == self.commit):
            return
        while len(self.proposals) >= _MOST_PROPOSALS:
            evicted = next(iter(self.proposals))
            del self.proposals[evicted]
            self.prepared.pop(evicted, None)
        self.proposals[message.commit] = Proposal(
            message.commit, self.commit, message.source, message.subject, message.rewrite, sender
        )

    def _accept(self, sender: str, message: Accept) -> None:
        proposal = self.proposals.get(message.commit)
        if proposal is not None and proposal.base == message.base:
            proposal.answers[sender] = message.digest

    def _reject(self, sender: str, message: Reject) -> None:
        proposal = self.proposals.pop(message.commit, None)
        self.prepared.pop(message.commit, None)
        if proposal is not None:
            self.rejected = Rejected(proposal, sender, message)

    def _activate(self, message: Activate) -> None:
        proposal = self.proposals.get(message.commit)
        prepared = self.prepared.get(message.commit)
        if proposal is None or prepared is None or prepared.digest != message.digest:
            return
        if message.epoch != self.cib.version.epoch + 1 or message.term < self.term:
            return
        del self.proposals[message.commit], self.prepared[message.commit]
        version = Version(self.cib.version.admin_epoch, message.epoch, 0)
        self.cib = replace(self.cib, configuration=prepared.configuration, version=version)
        self.activations.append(
            Activation(
                str(version),
                message.commit,
                self.commit,
                proposal.source,
                proposal.subject,
                message.digest,
                message.at_ms,
            )
        )
        del self.activations[:-MOST_ACTIVATIONS]
        self.commit, self.digest, self.rejected = message.commit, message.digest, None

    def lineage(self, source: str) -> str | None:
        """The last commit of the source that was active; None when none was, and for what is no line of development."""
        if source in LOCAL_SOURCES:
            return None
        return next((one.commit for one in reversed(self.activations) if one.source == source), None)

    def _join(self, message: Joined) -> None:
        self.term = max(self.term, message.term) + 1
        self.boots[message.node] = message.boot
        if message.node == self.own:
            for resource in message.stopped:
                self.memory.forget(resource)
        self.proposals.clear()
        self.prepared.clear()
        self._observe(message.observations)

    def _observe(self, observations: tuple[Observation, ...]) -> None:
        observations, unknown = by_name(self.cib, observations)
        self.ignored += len(unknown)
        if not observations:
            return
        version = self.cib.version
        version = Version(version.admin_epoch, version.epoch, version.num_updates + 1)
        self.cib = replace(self.cib, status=observe(self.cib.status, observations), version=version)

    def with_partition(self, dc_id: str | None, quorate: bool) -> None:
        """Note how the partition stands, which the fabric tells each member."""
        self.cib = replace(self.cib, dc_id=dc_id, have_quorum=quorate)


def _pending(message: Run) -> tuple[Observation, ...]:
    at_s = message.at_ms // 1000
    return tuple(seen for order in message.orders for seen in pending(order.launched, at_s))


def activation_of(activations: Iterable[Activation], wanted: str) -> Activation | None:
    """The newest activation of a commit (or the beginning of one) or of a version."""
    found = [a for a in activations if a.version == wanted or (len(wanted) >= 4 and a.commit.startswith(wanted))]
    return found[-1] if found else None


def to_mapping(activation: Activation) -> Mapping[str, str | int | None]:
    """The plain form of an activation."""
    return {name: getattr(activation, name) for name in Activation.__slots__}
