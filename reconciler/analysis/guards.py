"""What about a change needs consent, or a word of warning; and which words give that consent.

A guard has a kind and a name. Consent is a pattern over `KIND:NAME`, in which `*` stands for anything; a kind alone is meant with any name.
Source: the design of the command line, "Consent".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.cib import Cib
from reconciler.cib.activity import active_somewhere
from reconciler.cib.departing import Departure, departure
from reconciler.cib.moving import moves
from reconciler.frozen import frozen
from reconciler.model import settings
from reconciler.model.cluster import Configuration
from reconciler.model.resource import primitives
from reconciler.scheduler.plan import Change, Verb

MASS_REMOVE_SHARE = 0.2
MASS_REMOVE_COUNT = 5
"""Removing more than this many resources, or than this share of them, needs consent."""
KINDS = ("fence", "stop", "stop_all", "mass_remove", "fencing_disabled", "quorum_change")
"""What needs consent before `plan` and `apply` go on."""
WARNINGS = ("renamed", "undermined", "reused_name")
"""What is only said."""
HELD_PUSHES = ("mass_remove", "fencing_disabled", "stop_all")
"""What holds back a commit that a source brings, unless the node's policy says otherwise."""

_WRITTEN = {one.stored: one.name for one in settings.CLUSTER_OPTIONS.values() if one.stored}
"""By the name of an option in a CIB the one that files have."""
_INTERRUPTING = frozenset({Verb.STOP, Verb.MOVE, Verb.RESTART, Verb.RECOVER, Verb.MIGRATE})


@frozen
class Guard:
    """Something that needs consent, given by `--allow KIND:NAME`; or, of a kind that only warns, something to be known."""

    kind: str
    name: str
    text: str

    @property
    def consent(self) -> str:
        """What the operator writes to allow it."""
        return f"{self.kind}:{self.name}"

    @property
    def warns(self) -> bool:
        """Whether it is only said, and holds nothing back."""
        return self.kind in WARNINGS

    def allowed_by(self, patterns: Iterable[str]) -> bool:
        """Whether any of the patterns is about it."""
        return any(matches(pattern, self.consent) for pattern in patterns)


def matches(pattern: str, consent: str) -> bool:
    """Whether a pattern is about `KIND:NAME`; its time grows with the two lengths only, whatever is written."""
    first, *more = (pattern if ":" in pattern else f"{pattern}:*").split("*")
    if not more:
        return consent == first
    *middle, last = more
    if not consent.startswith(first) or len(consent) < len(first) + len(last):
        return False
    end = len(consent) - len(last)
    at = len(first)
    for part in middle:
        found = consent.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return consent.endswith(last)


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern: there is no guard of that kind; None when nothing is."""
    kind = pattern.partition(":")[0]
    if "*" in kind or kind in KINDS + WARNINGS:
        return None
    return (
        f"'{pattern}' is about no guard: write KIND:NAME or KIND, where KIND is one of {', '.join(KINDS)}, or has a *"
    )


def guards(base: Cib, head: Configuration, lines: Iterable[Change]) -> tuple[Guard, ...]:
    """What of a change needs consent or a warning, each thing once. `lines` are those of the plans that follow from it."""
    lines = tuple(lines)
    old = base.configuration
    leaving = departure(old, head, base.status)
    removed = _resource_ids(old) - _resource_ids(head) | leaving.names | _primitive_ids(old) - _primitive_ids(head)
    again = {name for name, _ in leaving.twins} | moves(old, head, base.status).keys()
    gone = _resource_ids(old) - _resource_ids(head) - again
    found = [*_of_lines(lines, removed), *_of_all(base, gone, lines), *_of_options(old, head)]
    found += _of_departure(leaving, lines)
    return tuple(
        {guard.consent: guard for guard in reversed(found)}[one] for one in dict.fromkeys(g.consent for g in found)
    )


def _of_lines(lines: Iterable[Change], removed: set[str]) -> Iterator[Guard]:
    for line in lines:
        name = line.subject
        if line.verb is Verb.FENCE and line.detail != "on":
            yield Guard("fence", name, f"{name} is to be fenced")
        elif line.verb is Verb.STOP and not line.blocked and name.partition(":")[0] not in removed:
            yield Guard("stop", name, f"{name} is stopped and not started again")


def _of_all(base: Cib, gone: set[str], lines: tuple[Change, ...]) -> Iterator[Guard]:
    known = _resource_ids(base.configuration)
    if len(gone) > MASS_REMOVE_COUNT or (len(gone) > 1 and len(gone) > MASS_REMOVE_SHARE * len(known)):
        yield Guard("mass_remove", "resources", f"{len(gone)} of {len(known)} resources are removed")
    running = active_somewhere(base.status) - _fence_devices(base.configuration)
    stopped = {line.subject.partition(":")[0] for line in lines if line.verb is Verb.STOP and not line.blocked}
    started = {line.subject.partition(":")[0] for line in lines if line.verb is Verb.START}
    if len(running) > 1 and running <= stopped and not started:
        yield Guard("stop_all", "resources", f"all {len(running)} services that run are stopped")


def _of_options(old: Configuration, head: Configuration) -> Iterator[Guard]:
    for name, danger in (("stonith-enabled", "fencing_disabled"), ("no-quorum-policy", "quorum_change")):
        written = _WRITTEN.get(name, name)
        before, after = _option(old, name), _option(head, name)
        if old.resources and before != after and (danger == "quorum_change" or after == "false"):
            text = f"{written} changes from {before or 'its default'} to {after or 'its default'}"
            yield Guard(danger, written, text)


def _of_departure(leaving: Departure, lines: tuple[Change, ...]) -> Iterator[Guard]:
    for old, new in leaving.twins:
        text = f"{new} is {old} under another name: {old} stops before it starts; to keep it running, write `moved: {{{old}: {new}}}`"
        yield Guard("renamed", old, text)
    interrupted = {line.subject.partition(":")[0] for line in lines if line.verb in _INTERRUPTING}
    for below, above in leaving.undermined:
        if above not in interrupted:
            yield Guard("undermined", below, f"{below} is removed while {above}, which was ordered after it, goes on")
    for name in leaving.reused:
        text = f"{name} is stopped in no order: its name is used for something else"
        yield Guard("reused_name", name, text)


def _resource_ids(configuration: Configuration) -> set[str]:
    return {resource.id for resource in configuration.resources}


def _primitive_ids(configuration: Configuration) -> set[str]:
    return {one.id for resource in configuration.resources for one in primitives(resource)}


def _fence_devices(configuration: Configuration) -> frozenset[str]:
    found = (one for resource in configuration.resources for one in primitives(resource))
    return frozenset(one.id for one in found if one.agent is not None and one.agent.standard == "stonith")


def _option(configuration: Configuration, name: str) -> str | None:
    for block in configuration.options:
        if name in block.values:
            return block.values[name]
    return None
