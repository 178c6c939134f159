"""A plan as people read it on a terminal.

Source: the design of the command line, "Order of the human plan" and "Symbols and colours".
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.analysis.consequences import Consequence, Consequences
from reconciler.analysis.guards import Guard
from reconciler.cib.difference import ConfigChange
from reconciler.cli.planning.facts import Header, change_value, longest_outage, seconds, summary
from reconciler.cli.terminal.paint import Paint
from reconciler.scheduler.plan import Verb

_VERB_STYLES = {
    Verb.START: "green",
    Verb.PROMOTE: "green",
    Verb.MOVE: "yellow",
    Verb.MIGRATE: "cyan",
    Verb.STOP: "red",
    Verb.DEMOTE: "red",
    Verb.RESTART: "yellow",
    Verb.RE_PROMOTE: "yellow",
    Verb.RELOAD: "cyan",
    Verb.RECOVER: "yellow",
    Verb.FENCE: "alarm",
}
_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red"), "rename": ("=>", "yellow")}


def lines(
    found: Consequences, header: Header, paint: Paint, *, concise: bool, consented: frozenset[str]
) -> Iterator[str]:
    """The lines of the plan, without newlines."""
    if found.empty:
        yield f"No changes. Cluster {header.cluster} matches {header.head}."
        yield from _standing(found, paint)
        return
    yield paint("bold", header.line())
    yield ""
    yield _summary_line(found)
    yield from _dangers(found.guards, paint, consented)
    if not concise:
        yield from _configuration(found.changes, paint)
        yield from _transitions(found.transitions, paint)
    yield from _impacts(found)
    if not concise:
        yield ""
        yield _summary_line(found)
    yield from _endings(found, paint)
    yield from _standing(found, paint)


def _standing(found: Consequences, paint: Paint) -> Iterator[str]:
    """What stays as it is because of a failure, and what does not run in the end."""
    yield from (paint("red", f"! {text}") for text in found.blocked)
    yield from (paint("red", f"! {one.resource} does not run: {one.because}") for one in found.idle)


def _summary_line(found: Consequences) -> str:
    outage = longest_outage(found)
    tail = f" · longest outage {outage[0]} {seconds(outage[1])}" if outage else ""
    return f"Plan: {summary(found)}{tail}"


def _dangers(guards: tuple[Guard, ...], paint: Paint, consented: frozenset[str]) -> Iterator[str]:
    if guards:
        yield ""
    for guard in guards:
        if guard.warns:
            yield paint("yellow", f"! {guard.text}") + f"    warning: {guard.kind}"
            continue
        state = "allowed" if guard.allowed_by(consented) else f"consent: --allow {guard.consent}"
        yield paint("alarm", f"! {guard.text}") + f"    guard: {guard.kind}   {state}"


def _configuration(changes: tuple[ConfigChange, ...], paint: Paint) -> Iterator[str]:
    if not changes:
        return
    yield ""
    yield paint("bold", "Configuration")
    yield from change_lines(changes, paint)


def change_lines(changes: tuple[ConfigChange, ...], paint: Paint) -> Iterator[str]:
    """A line for each difference of two configurations, with where it was written."""
    places = [str(change.place) if change.place else "" for change in changes]
    width = max(map(len, places), default=0)
    for change, place in zip(changes, places, strict=True):
        sign, style = _SIGNS[change.action]
        yield f"  {paint(style, sign)} {place:{width}}  {'/'.join(change.address)}{change_value(change)}"


def _transitions(transitions: tuple[Consequence, ...], paint: Paint) -> Iterator[str]:
    if not transitions:
        return
    yield ""
    yield paint("bold", "Transition")
    step_width = len(str(max(transition.step for transition in transitions)))
    verb_width = max(len(transition.word) for transition in transitions)
    name_width = max(len(transition.resource) for transition in transitions)
    where = [_where(transition) for transition in transitions]
    where_width = max(map(len, where))
    last = 0
    for transition, at in zip(transitions, where, strict=True):
        step = str(transition.step) if transition.step != last else ""
        last = transition.step
        verb = paint(_VERB_STYLES[transition.verb], f"{transition.word:{verb_width}}")
        because = "; ".join(text.text + (f" ({text.place})" if text.place else "") for text in transition.because)
        mark = paint("magenta", "  blocked") if transition.blocked else ""
        tail = f"  because {because}" if because else ""
        yield f"  {step:>{step_width}}  {verb}  {transition.resource:{name_width}}  {at:{where_width}}{mark}{tail}".rstrip()


def _where(transition: Consequence) -> str:
    before, after = transition.node_from, transition.node_to
    roles = {transition.role_from, transition.role_to} & {"Promoted", "Unpromoted"}
    change = (
        f" ({transition.role_from} -> {transition.role_to})"
        if roles and transition.role_from != transition.role_to
        else ""
    )
    if before and after and before != after:
        return f"{before} -> {after}{change}"
    return f"{after or before or '-'}{change}"


def _impacts(found: Consequences) -> Iterator[str]:
    if not found.impacts:
        return
    yield ""
    width = max(len(impact.resource) for impact in found.impacts)
    yield f"{'Impact':{width + 2}}  from -> to  expected down"
    for impact in found.impacts:
        down = "stays down" if impact.node_to is None else seconds(impact.down_ms)
        yield f"  {impact.resource:{width}}  {impact.node_from or '-'} -> {impact.node_to or '-'}  {down}"


def _endings(found: Consequences, paint: Paint) -> Iterator[str]:
    if found.settled.restless:
        yield paint("magenta", "The cluster would not come to rest within the simulated transitions.")
    if found.settled.stuck:
        yield paint(
            "magenta", "A transition of this plan can't be finished: some action waits for one that never runs."
        )
