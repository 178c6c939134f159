"""Histories of clusters, put to the reference program at every step.

    ci/histories [--seed N] [--count N] [--steps N] [--out DIRECTORY]

Prints how many histories and steps there were, and every difference in status, placement, summary, actions, graph and scores (L0 to
L5) with its seed and step; the input goes to the directory. A difference of the text alone is told apart. Ends with 1 when there was
any in L0 to L5. A history ends early where the reference program fails on its own (an invalid transition), and where we refuse an
event that it ignores (of a node or resource that isn't there).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .lives import LEVELS, Step, live


def main(arguments: list[str] | None = None) -> int:
    """Live through the histories; 1 when a decision differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="histories-") as directory:
        for seed in range(options.seed, options.seed + options.count):
            counts["histories"] += 1
            for step in live(seed, options.steps, Path(directory)):
                _count(counts, step)
                _tell(seed, step, options.out)
            if counts["histories"] % 100 == 0:
                print(_sum(counts), flush=True)
    print(_sum(counts))
    return 1 if any(counts[level] for level in (*LEVELS, "exit")) else 0


def _sum(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _count(counts: Counter[str], step: Step) -> None:
    counts["steps"] += 1
    counts["without an answer"] += bool(step.failed)
    for level, _ in step.differences:
        counts[level] += 1


def _tell(seed: int, step: Step, out: Path | None) -> None:
    if step.failed:
        print(f"{seed}.{step.number}: {step.failed}")
    if not step.differences:
        return
    print(f"{seed}.{step.number}: {' '.join(step.words)}")
    for level, lines in step.differences:
        print(*(f"  {level} {line}" for line in lines), sep="\n")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{seed}.{step.number}.xml").write_bytes(step.document)
        (out / f"{seed}.{step.number}.words").write_text(" ".join(step.words))


if __name__ == "__main__":
    sys.exit(main())
