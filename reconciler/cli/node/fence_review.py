"""What fencing a node would mean, before somebody asks for it: by which devices, what runs there, and where that goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.analysis.failures import Case
from reconciler.analysis.fence_devices import by_watchdog, level_names, levels
from reconciler.analysis.survival import CaseOutcome, ServiceExtent, Services, services, survive
from reconciler.cib import Cib
from reconciler.cli.terminal.paint import Paint
from reconciler.model.date import Instant
from reconciler.model.watchdogs import WATCHDOG
from reconciler.scheduler import schedule

_HOW = {"reboot": "switched off at once, and on again", "off": "switched off at once, and stays off"}
_MOST_LINES = 40


def review(
    cib: Cib,
    target: str,
    action: str,
    asked_at: str,
    now: Instant,
    paint: Paint,
    resets_within_s: float | None = None,
) -> Iterator[str]:
    """The lines that an operator reads before he agrees. `asked_at` is the node that is asked.

    `resets_within_s`: within what time the target's own watchdog resets it, where that counts.
    """
    counts = resets_within_s is not None and action != "off"
    devices = [" and ".join(one.id for one in level) for level in levels(cib.configuration, target)]
    if counts and by_watchdog(cib.configuration, target):
        own = f"its own watchdog, which resets it within {resets_within_s:g} s"
        named = level_names(cib.configuration, target)
        devices = [" and ".join(own if name == WATCHDOG else name for name in level) for level in named]
    with_ = ", then ".join(devices)
    yield f"{paint('bold', target)} is {_HOW[action]} ({action}), with {with_}. Nothing is stopped in order there."
    if target == asked_at:
        yield paint("alarm", f"! {target} is the node that is asked: this session may end with it")
    before = services(schedule(cib, now))
    outcome = survive(cib, before, Case(lost=(target,)), now)
    there = {name: one for name, one in before.items() if target in one.nodes}
    if not there:
        yield "No service runs there, as far as is known."
    else:
        yield f"What runs there ({len(there)}), and where it goes:"
        width = min(max(map(len, there)), 40)
        told = [f"  {name:{width}}  {_fate(one, target, outcome, name, paint)}" for name, one in there.items()]
        yield from _bounded(told)
    others = _others(before, there, outcome)
    if others:
        yield paint("yellow", f"Elsewhere this stops or moves: {', '.join(others)}")
    if outcome.stuck or outcome.restless:
        yield paint("alarm", "! the cluster would not come to rest by itself after that")


def _bounded(told: Sequence[str]) -> Iterator[str]:
    yield from told[:_MOST_LINES]
    if len(told) > _MOST_LINES:
        yield f"  and {len(told) - _MOST_LINES} more"


def _fate(had: ServiceExtent, target: str, outcome: CaseOutcome, name: str, paint: Paint) -> str:
    """What becomes of one service."""
    has = outcome.after.get(name, ServiceExtent())
    if not has.nodes:
        return paint("alarm", "DOWN: no other node may run it")
    came = [node for node in has.nodes if node not in had.nodes]
    fate = f"goes to {', '.join(came)}" if came else f"goes on on {', '.join(has.nodes)}, one instance less"
    if target not in had.promoted:
        return fate
    promoted = [node for node in has.promoted if node not in had.promoted]
    if promoted:
        return f"{fate}; promoted on {', '.join(promoted)}"
    return f"{fate}; " + paint("alarm", "nothing is promoted any more") if not has.promoted else fate


def _others(before: Services, there: Services, outcome: CaseOutcome) -> list[str]:
    touched = {*outcome.down, *outcome.moved, *outcome.demoted, *outcome.reduced, *outcome.stopped}
    return sorted(name for name in touched if name in before and name not in there)
