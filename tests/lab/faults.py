"""Faults in a lab of three nodes while commits are applied.

    python tests/lab/faults.py --kills 100 --partitions 50 --freezes 50 --commits 500

Kills are `kill -9` of a node's process, freezes SIGSTOP and SIGCONT, each for up to seven seconds; who is missed is fenced, which takes
everything that runs on it. Three services hold a lock of the kernel and say so when they run twice. At the end all nodes must have the
same state and history, every acknowledged commit in it, and nothing may have been active twice; else this ends with 2, and leaves the
lab's directory with its logs.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.harness import Lab
from lab.life import Life
from reconciler.fabric.lab.wire import LabError


def main() -> int:
    """Live, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--partitions", type=int, default=5)
    parser.add_argument("--freezes", type=int, default=5)
    parser.add_argument("--commits", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="lab-faults."))
    lab = Lab(directory / "lab")
    try:
        found = Life(lab, args.seed, lambda text: print(text, flush=True)).live(
            {"kill": args.kills, "partition": args.partitions, "freeze": args.freezes}, args.commits
        )
        if found.wrong:
            (directory / "logs").mkdir()
            for path in lab.directory.glob("*/log"):
                (directory / "logs" / path.parent.name).write_bytes(path.read_bytes())
    finally:
        with contextlib.suppress(LabError):
            lab.tell("down")
    commits = found.outcomes
    print(
        f"{len(found.faults)} faults, {found.fenced} fencings, {found.starts} starts, {len(commits.acknowledged)} commits acknowledged, "
        f"{commits.refused.total()} refused, {commits.unknown} with unknown outcome, in {found.seconds:.0f} s"
    )
    if not found.wrong:
        shutil.rmtree(directory)
    for text in found.wrong:
        print(f"WRONG: {text}")
    print(f"seed {args.seed}: " + (f"broken; see {directory}" if found.wrong else "everything held"))
    return 2 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
