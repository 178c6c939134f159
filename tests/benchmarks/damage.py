"""Damage a node's state files at random: `python tests/benchmarks/damage.py [--rounds 1000] [--started 100] [--seed N]`.

What a start would make of each is asked of the program's parts; on so many of them the real daemon is started as well, and what it does is
watched: the service has its newest value in the end, or the start is refused with a word about what is damaged; a service that was
removed is never started. Prints how often which outcome came of it, and ends with an error at the first that is wrong.
`--started -1` starts it on all.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node
from daemon.damage import damage_run, make_state, started_run


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--started", type=int, default=100, help="on how many the real daemon is started")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.start()
        newest = make_state(node)
        began = time.monotonic()
        counts = damage_run(node.path / "state", newest, node.path / "scratch", random.Random(args.seed), args.rounds)
        report(f"{args.rounds} damages", counts, began)
        began, started = time.monotonic(), args.rounds if args.started < 0 else args.started
        report(f"{started} starts of the daemon", started_run(node, random.Random(args.seed), started), began)
    return 0


def report(what: str, counts: Counter[str], began: float) -> None:
    print(f"{what} in {time.monotonic() - began:.0f} s")
    for outcome, count in counts.most_common():
        print(f"{count:6}  {outcome}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
