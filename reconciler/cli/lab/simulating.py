"""Lives of simulated clusters, many at once: how many held, how fast, and each failure as a story that can be lived through again."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from reconciler.cli.options import UsageError
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.model.cluster import Configuration
    from reconciler.simulator.scenario import Scenario, Verdict

_MOST_TOLD = 3
"""How many failures are told whole; of the others only the seed and the rule."""


@frozen
class LivesAsked:
    """Which lives: so many from a seed on, of so many nodes, over a configuration or drawn ones, and with which of the faults."""

    count: int
    seed: int
    nodes: int | None
    path: str | None
    faults: str | None
    jobs: int | None
    planner: str | None = None
    """`toy` or `real`; None when the seed decides."""


def simulate(question: LivesAsked) -> int:
    """Live them. 0: all rules held; 2: some were broken."""
    configurations = _configurations(question.path)
    begun = time.monotonic()
    steps, broken = 0, []
    for verdict in _lived(question, configurations):
        steps += verdict.steps
        if verdict.broken is not None:
            broken.append(verdict)
    seconds = max(time.monotonic() - begun, 0.001)
    for place, verdict in enumerate(broken):
        _tell(question, verdict, whole=place < _MOST_TOLD)
    rate = question.count / seconds
    print(f"{question.count} lives, {steps:,} steps, {seconds:.1f} s ({rate:.1f} lives/s): {len(broken)} broke a rule")
    return 2 if broken else 0


def _configurations(path: str | None) -> tuple[Configuration, ...]:
    if path is None:
        return ()
    from reconciler.cli.inputs.configurations import named

    return (named(path).configuration,)


def _lived(question: LivesAsked, configurations: tuple[Configuration, ...]) -> Iterator[Verdict]:
    """Every life, in the order of the seeds."""
    seeds = range(question.seed, question.seed + question.count)
    jobs = min(question.jobs or os.cpu_count() or 1, question.count)
    work = [(seed, question, configurations) for seed in seeds]
    if jobs == 1:
        yield from map(_live, work)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(_live, work, chunksize=8)


def _live(work: tuple[int, LivesAsked, tuple[Configuration, ...]]) -> Verdict:
    from reconciler.simulator.life import Life
    from reconciler.simulator.shrinking import shrink

    seed, question, configurations = work
    verdict = Life(_scenario(seed, question, configurations)).live()
    return verdict if verdict.broken is None or question.faults is not None else shrink(verdict)


def _scenario(seed: int, question: LivesAsked, configurations: tuple[Configuration, ...]) -> Scenario:
    from reconciler.frozen import replace
    from reconciler.simulator.scenario import scenario

    hosts = tuple(f"n{number}" for number in range(1, question.nodes + 1)) if question.nodes else _names(configurations)
    drawn = scenario(seed, configurations, hosts, toy=None if question.planner is None else question.planner == "toy")
    if question.faults is None:
        return drawn
    return replace(drawn, faults=tuple(drawn.faults[number] for number in _numbers(question.faults, len(drawn.faults))))


def _names(configurations: Iterable[Configuration]) -> tuple[str, ...]:
    """The nodes that a configuration names; none when it names none."""
    return tuple(node.name for one in configurations for node in one.nodes if node.type in (None, "member"))


def _numbers(text: str, count: int) -> list[int]:
    if text == "-":
        return []
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--faults takes numbers from 0 to {count - 1}, separated by commas, not {text!r}") from None
    if not all(0 <= number < count for number in numbers):
        raise UsageError(f"this life has the faults 0 to {count - 1}")
    return sorted(set(numbers))


def _tell(question: LivesAsked, verdict: Verdict, whole: bool) -> None:
    """A failure: its story, and how to live through it again."""
    lived = verdict.scenario
    if whole:
        print(verdict.story)
    print(f"seed {lived.seed}: {verdict.broken}")
    from reconciler.simulator.scenario import scenario

    every = scenario(lived.seed, lived.configurations, lived.hosts).faults
    kept = ",".join(str(number) for number, fault in enumerate(every) if fault in lived.faults) or "-"
    more = [f"--nodes {question.nodes}"] if question.nodes else []
    more += [f"--planner {question.planner}"] if question.planner else []
    where = [question.path] if question.path else []
    again = " ".join(["reconciler lab --simulate 1", f"--seed {lived.seed}", f"--faults {kept}", *more, *where])
    print(f"  again: {again}\n")
