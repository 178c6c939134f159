"""Every life of a small scope: how many there were, how many states they met, and each that broke a rule as a story."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.simulator.exhaustive import Explored, Scope, Step

_MOST_TOLD = 3


def explore(faults: int, jobs: int | None) -> int:
    """Live them all. 0: all rules held; 2: some were broken."""
    from reconciler.simulator.exhaustive import HOSTS, Explored, Scope, explore_from, firsts, turns

    scope = Scope(faults)
    begun = time.monotonic()
    choices = len(scope.choices)
    print(
        f"{len(HOSTS)} nodes, one service, {choices} things that may go wrong, up to {faults} of them,"
        f" before each of {turns(scope)} turns",
        flush=True,
    )
    found = explore_from(Scope(0), ())
    work = [(scope, step) for step in firsts(scope)]
    with multiprocessing.get_context("fork").Pool(min(jobs or os.cpu_count() or 1, len(work))) as pool:
        for part in pool.imap_unordered(_explore, work, chunksize=8):
            found = Explored(found.lives + part.lives, found.states | part.states, found.broken + part.broken)
    for verdict in found.broken[:_MOST_TOLD]:
        print(verdict.story, end="\n\n")
    seconds = max(time.monotonic() - begun, 0.001)
    print(f"{found.lives:,} lives, {len(found.states):,} states, {seconds:.1f} s: {len(found.broken)} broke a rule")
    return 2 if found.broken else 0


def _explore(work: tuple[Scope, Step]) -> Explored:
    from reconciler.simulator.exhaustive import explore_from

    scope, step = work
    return explore_from(scope, (step,))
