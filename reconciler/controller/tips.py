"""What the sources of this node offer, and what became of it: the part of a node that asks the table of admission.

A source's newest commit is looked at whenever the source reports it, when something else became active, when the time for another try
has come, and when this node (again) takes part. What is kept here is this node's own and is lost at a restart: then sources report
anew, and what was refused is judged once more.
"""

from __future__ import annotations

from reconciler.controller.admission import (
    LOCAL_SOURCES,
    Course,
    DoNothing,
    LookAgain,
    Offer,
    Refusal,
    Stray,
    Tip,
    TryAgain,
    admit,
    refused,
)
from reconciler.controller.events import AnswerSource, Broadcast, ClearTimer, Emit, LookAt, SetTimer, Wish
from reconciler.controller.messages import Propose, Reject
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Proposal
from reconciler.errors import Finding
from reconciler.frozen import replace

OFFER_TIMER = "offer "
"""How the names of the timers begin that end a pause before another try."""


class Tips:
    """The newest commit of each source, and how it was refused the last time."""

    def __init__(self, own: str, replica: Replica) -> None:
        self.own = own
        self.replica = replica
        self.tips: dict[str, Tip] = {}
        self.refusals: dict[str, Refusal] = {}

    def keep(self, tip: Tip) -> None:
        """A source reports before this node takes part."""
        self.tips[tip.source] = tip

    def seen(self, tip: Tip, now: Moment) -> list[Wish]:
        """A source reports its newest commit."""
        self.tips[tip.source] = tip
        refusal = self.refusals.get(tip.source)
        if refusal is not None and tip.commit != refusal.commit and tip.content != refusal.content:
            del self.refusals[tip.source]
        effects = self._consider(tip, now)
        self.tips[tip.source] = replace(tip, asked=False)
        return effects

    def reconsider(self, now: Moment) -> list[Wish]:
        """This node takes part (again): whatever was on its way before is not."""
        return [effect for _, tip in sorted(self.tips.items()) for effect in self._consider(tip, now)]

    def activated(self) -> list[Wish]:
        """Something became active: how tips stood to what was before says nothing any more."""
        return [LookAt(source) for source in sorted(self.tips)]

    def rejected(self, proposal: Proposal, message: Reject, now: Moment) -> list[Wish]:
        """A proposal was refused, by whomever."""
        codes = frozenset(finding.code for finding in message.findings)
        return self._refused(proposal.source, proposal.commit, proposal.base, codes, message.transient, now)

    def due(self, timer: str, now: Moment) -> list[Wish]:
        """A pause is over."""
        tip = self.tips.get(timer.removeprefix(OFFER_TIMER))
        return self._consider(tip, now) if tip is not None else []

    def _refused(
        self, source: str, commit: str, base: str | None, codes: frozenset[str], transient: bool, now: Moment
    ) -> list[Wish]:
        tip = self.tips.get(source)
        if source in LOCAL_SOURCES or tip is None or tip.commit != commit:
            return []  # Another node's, or a newer one has taken its place.
        refusal = refused(tip, self.refusals.get(source), base, codes, transient, now.mono_ms)
        self.refusals[source] = refusal
        if base != self.replica.commit:
            return [LookAt(source)]
        return [] if refusal.again_at_ms is None else [SetTimer(OFFER_TIMER + source, refusal.again_at_ms)]

    def _consider(self, tip: Tip, now: Moment) -> list[Wish]:
        """Ask the table, and do what it says."""
        replica = self.replica
        judged = frozenset(one.commit for one in replica.proposals.values() if one.base == replica.commit)
        match admit(tip, replica.commit, self.refusals.get(tip.source), judged, now.mono_ms):
            case Offer(course):
                rewrite = course in (Course.REWRITE, Course.GO_BACK)
                proposal = Propose(tip.commit, replica.commit, tip.source, tip.subject, rewrite, replica.term)
                return [*self._answer(tip), *_told(tip, course), Broadcast(proposal)]
            case TryAgain(at_ms):
                return [*self._answer(tip), SetTimer(OFFER_TIMER + tip.source, at_ms)]
            case LookAgain():
                return [LookAt(tip.source)]
            case Stray(finding):
                return self._answer(tip, finding)
            case DoNothing():
                return self._answer(tip)

    def _answer(self, tip: Tip, *findings: Finding) -> list[Wish]:
        """Whatever it is: no earlier pause is to end in another try."""
        return [ClearTimer(OFFER_TIMER + tip.source), AnswerSource(tip.source, tip.commit, findings)]


def _told(tip: Tip, course: Course) -> list[Wish]:
    """What people have to know of how a commit follows."""
    words = {
        Course.OVERTAKE: "overwrites what came from elsewhere meanwhile",
        Course.REWRITE: "leaves the line of what was in force, as its source may",
        Course.GO_BACK: "goes back to an older version, as its source may",
    }
    if course not in words:
        return []
    text = f"{tip.commit[:12]} of {tip.source} {words[course]}: {(tip.active or '')[:12]} was in force"
    return [Emit("daemon", {"what": course.value, "text": text})]
