"""Which commits wait for consent: what guards say of what a commit would do, less what was consented to.

Consent comes with the proposal (`--allow`), with a commit that is not in force yet (the trailer `Reconciler-Allow`), or from the policy of
the DC's node. What no pattern of the policy's `hold` is about is only told.
Source: the design of the command line, "Consent".
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.guards import HELD_PUSHES, Guard, guards, matches
from reconciler.cib import Cib
from reconciler.cib.departing import whole
from reconciler.controller.admission import NEEDS_CONSENT
from reconciler.errors import Finding, Place
from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant, parse
from reconciler.scheduler.plan import Change

_MOST_LINES = 8


@frozen
class GuardPolicy:
    """Patterns over `KIND:NAME`: which guards hold a commit back, and what is allowed once and for all."""

    hold: tuple[str, ...] = HELD_PUSHES
    allow: tuple[str, ...] = ()


@frozen
class Guarded:
    """What was found: findings that hold the commit back, texts that are only to be told, and what the commit would do."""

    held: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    consequence: str = ""

    @property
    def reason(self) -> str:
        """Why it waits, and for what, on one line."""
        return f"it needs consent: {'; '.join(finding.text for finding in self.held)}. It would {self.consequence}"


def guarded(
    cib: Cib,
    configuration: Configuration,
    lines: tuple[Change, ...],
    consents: Iterable[str],
    policy: GuardPolicy,
    now: Instant,
) -> Guarded:
    """What stands in the way of a configuration; `lines` are those of the plan that would follow, `consents` as they were written."""
    allowed = [*policy.allow]
    unreadable: list[str] = []
    for text in consents:
        pattern, fault = consent(text, now)
        if pattern is not None:
            allowed.append(pattern)
        if fault:
            unreadable.append(fault)
    held: list[Finding] = []
    warnings: list[str] = []
    for guard in guards(whole(cib), configuration, lines):
        if guard.allowed_by(allowed):
            continue
        if any(matches(pattern, guard.consent) for pattern in policy.hold):
            held.append(_finding(guard, unreadable))
        else:
            warnings.append(guard.text)
    return Guarded(tuple(held), tuple(warnings), _told(lines))


def consent(text: str, now: Instant) -> tuple[str | None, str]:
    """The pattern that a consent is for, None when it is over or unreadable; and what is wrong with it, if anything."""
    pattern, *more = text.split()
    if not more:
        return pattern, ""
    key, _, date = more[0].partition("=")
    until = parse(date) if key == "until" and len(more) == 1 else None
    if until is None:
        return None, f"the consent '{text}' can't be read: write KIND:NAME, or KIND:NAME until=2026-01-31T12:00:00Z"
    if until.epoch_s <= now.epoch_s:
        return None, f"the consent '{text}' is over"
    return pattern, ""


def _finding(guard: Guard, unreadable: Iterable[str]) -> Finding:
    hint = (
        f"if that is wanted: a commit on top with the trailer `Reconciler-Allow: {guard.consent}`, "
        f"`reconciler apply --allow '{guard.consent}'`, or `guards: {{allow: …}}` in node.yaml"
    )
    return Finding(NEEDS_CONSENT, Place(""), guard.text, "; ".join((hint, *unreadable)))


def _told(lines: tuple[Change, ...]) -> str:
    """What would be done first, in few words."""
    told = [f"{one.verb.value.lower()} {one.subject} on {one.from_node or one.to_node or '?'}" for one in lines]
    more = len(told) - _MOST_LINES
    return ", ".join([*told[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]) or "change nothing that runs"
