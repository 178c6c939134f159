"""How a commit becomes the configuration: proposed, examined by every member, accepted by all alike, activated by the DC.

One refusal, a differing digest or silence drops the proposal and leaves the active configuration untouched.
Source: the design of the cluster, "Configuration travels as git objects".
"""

from __future__ import annotations

from typing import Any

from reconciler.controller.events import (
    Broadcast,
    ClearTimer,
    CommitArrived,
    Dropped,
    Effect,
    Emit,
    Examine,
    Examined,
    RecordActive,
    SetTimer,
)
from reconciler.controller.messages import Accept, Activate, Propose, Reject, finding_to_plain
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Prepared, Proposal, agreed, differing, lineage
from reconciler.errors import Finding
from reconciler.frozen import replace

EXAMINATION_MS = 60_000
"""How long members have to answer a proposal; silence is never acceptance."""
# A refusal that fits into no message can't be told: the proposal would wait for its deadline, and say nothing.
_MOST_FINDINGS = 500
_LONGEST_TEXT = 1000
EXAMINE_TIMER = "examine "
"""How the names of the timers begin that end the time to answer."""


class Proposals:
    """A member's part in deciding on commits; the proposals themselves are in the replica."""

    def __init__(self, own: str, replica: Replica) -> None:
        self.own = own
        self.replica = replica
        self._activating: str | None = None

    def arrived(self, event: CommitArrived) -> list[Effect]:
        """Propose a commit, unless it is active."""
        replica = self.replica
        if event.commit == replica.commit:
            return []
        return [
            Broadcast(Propose(event.commit, replica.commit, event.source, event.subject, event.rewrite, replica.term))
        ]

    def proposed(self, sender: str, message: Propose, now: Moment) -> list[Effect]:
        """A fresh proposal was delivered: examine it within the time that members have."""
        base = self.replica.proposals[message.commit].base
        fields = {"commit": message.commit, "source": message.source, "subject": message.subject, "by": sender}
        return [
            _event("proposed", message.commit, fields),
            SetTimer(EXAMINE_TIMER + message.commit, now.mono_ms + EXAMINATION_MS),
            Examine(
                message.commit, base, message.source, message.rewrite, lineage(self.replica.shared, message.source)
            ),
        ]

    def examined(self, event: Examined) -> list[Effect]:
        """Tell all members what this one's examination came to, if it is still of the proposal's base."""
        proposal = self.replica.proposals.get(event.commit)
        if proposal is None or proposal.base != event.base:
            return []
        term = self.replica.term
        if event.configuration is None:
            findings = tuple(map(_sendable, event.findings[:_MOST_FINDINGS]))
            told = Reject(event.commit, _text(event.reason), findings, term, event.now.wall_ms, event.transient)
            return [Broadcast(told)]
        self.replica.prepare(event.commit, Prepared(event.digest, event.configuration))
        return [Broadcast(Accept(event.commit, event.base, event.digest, term))]

    def accepted(self, sender: str, message: Accept) -> list[Effect]:
        """A member's acceptance was delivered."""
        fields = {"commit": message.commit, "by": sender, "digest": message.digest}
        return [_event("accepted", message.commit, fields)]

    def activate(self, members: tuple[str, ...], now: Moment) -> list[Effect]:
        """As the DC of a quorate view: what all members accepted alike becomes active; what they understand differently is refused."""
        if self._activating is not None:
            return []
        replica = self.replica
        if (disputed := differing(replica.shared, members)) is not None:
            reason = f"members understand it differently: {_answers(disputed)}"
            return [Broadcast(Reject(disputed.commit, reason, (), replica.term, now.wall_ms))]
        accepted = agreed(replica.shared, members)
        if accepted is None:
            return []
        self._activating = accepted.commit
        epoch, digest = replica.cib.version.epoch + 1, accepted.answers[self.own]
        return [Broadcast(Activate(accepted.commit, epoch, digest, now.wall_ms, replica.term))]

    def activated(self, before: Proposal | None, message: Activate, old_digest: str) -> list[Effect]:
        """An activation was delivered; nothing follows from one that did not apply."""
        self._activating = None
        replica = self.replica
        if replica.commit != message.commit or before is None:
            return []
        fields = {
            "commit": message.commit,
            "version": str(replica.cib.version),
            "digest": message.digest,
            "unchanged": old_digest == message.digest,
            "source": before.source,
        }
        return [
            ClearTimer(EXAMINE_TIMER + message.commit),
            RecordActive(message.commit),
            _event("activated", message.commit, fields),
            *self._propose_again(),
        ]

    def _propose_again(self) -> list[Effect]:
        """What was proposed here on top of another commit has to be judged on top of the active one."""
        replica = self.replica
        return [
            Broadcast(
                Propose(
                    proposal.commit, replica.commit, proposal.source, proposal.subject, proposal.rewrite, replica.term
                )
            )
            for proposal in replica.proposals.values()
            if proposal.base != replica.commit and proposal.proposer == self.own
        ]

    def rejected(self, sender: str, proposal: Proposal | None, message: Reject) -> list[Effect]:
        """A refusal was delivered."""
        if self._activating == message.commit:
            self._activating = None
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

    def dropped(self, event: Dropped) -> list[Effect]:
        """What could not be made durable was never decided; the proposal it belongs to is refused."""
        message = event.message
        self._activating = None
        if not isinstance(message, Propose | Accept | Activate):
            return []
        reason = f"this node could not make it durable: {event.reason}"
        if isinstance(message, Propose):
            fields = {
                "commit": message.commit,
                "source": message.source,
                "reason": reason,
                "findings": [],
                "by": self.own,
                "transient": True,
            }
            return [_event("rejected", message.commit, fields)]
        return [Broadcast(Reject(message.commit, reason, (), self.replica.term, event.now.wall_ms, transient=True))]

    def give_up(self, commit: str, members: tuple[str, ...], now: Moment) -> list[Effect]:
        """As the DC: the time to answer is over."""
        proposal = self.replica.proposals.get(commit)
        if proposal is None:
            return []
        silent = ", ".join(member for member in members if member not in proposal.answers)
        reason = f"no answer within {EXAMINATION_MS // 1000} s from {silent or 'the DC'}"
        return [Broadcast(Reject(commit, reason, (), self.replica.term, now.wall_ms, transient=True))]


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
