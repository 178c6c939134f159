"""Measure one node of two versions against each other, in turn, so that what else the machine does hits both alike.

    python tests/benchmarks/versions.py OLD NEW              # two checkouts, each with its own .venv
    python tests/benchmarks/versions.py OLD NEW --rounds 80

Each round changes the watched directory, kills the service and runs `status` and `validate`, once per version, the order swapped from
round to round. What is printed is the median and the lower quartile of each version, in ms, and new / old.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from node import DEBOUNCE_S, Lab, wait

PAUSE_S = 0.3
"""After each measurement, so that one version has nothing left to do while the other is measured."""


class Version:
    """A checkout, and a daemon of it with one service that runs a process."""

    def __init__(self, root: Path, home: Path) -> None:
        self.python = str(root / ".venv" / "bin" / "python")
        subprocess.run([self.python, "-m", "compileall", "-q", str(root / "reconciler")], check=True)
        self.pid = home / "service.pid"
        self.lab = Lab(home, self.python)
        self._extra = False
        time.sleep(1)
        self._write()

    def _write(self) -> None:
        log, run = self.lab.log, self.lab.home / "run"
        ends = {"service": f", pidfile: {self.pid}"} | ({"extra": ""} if self._extra else {})
        lines = "".join(
            f"  {name}: {{agent: ocf:bench:noted, params: {{log: {log}, run: {run}{end}}}, operations: {{monitor: {{interval: 10s}}}}}}\n"
            for name, end in ends.items()
        )
        self.lab.write_text(f"primitives:\n{lines}")
        self.lab.wait_for(len(ends))

    def change(self) -> float:
        """From the change of a file to the first agent call, less the debounce."""
        before = len(self.lab.calls())
        self._extra = not self._extra
        begin = time.time()
        self._write()
        return (self.lab.calls()[before][0] - begin - DEBOUNCE_S) * 1000

    def killed(self) -> float:
        """From the death of the service to its agent's start."""
        before = len(self.lab.calls())
        begin = time.time()
        os.kill(int(self.pid.read_text()), signal.SIGKILL)
        wait(lambda: any(task == "start" for _, _, task in self.lab.calls()[before:]))
        found = next(at for at, _, task in self.lab.calls()[before:] if task == "start")
        self.lab.wait_for(2 if self._extra else 1)
        return (found - begin) * 1000

    def status(self) -> float:
        """CPU of `reconciler status`, the whole process."""
        return self._command("status", "--socket", str(self.lab.home / "node.sock"))

    def validate(self) -> float:
        """CPU of `reconciler validate`, the whole process."""
        return self._command("validate", str(self.lab.home / "conf"))

    def _command(self, *words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [self.python, "-m", "reconciler", *words]
        subprocess.run(command, capture_output=True, check=True, cwd=self.lab.home)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> int:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    homes = [Path(tempfile.mkdtemp(prefix="reconciler-bench.")) for _ in range(2)]
    versions = [Version(root.resolve(), home) for root, home in zip((options.old, options.new), homes, strict=True)]
    kinds: dict[str, Callable[[Version], float]] = {
        "change to the first agent call": Version.change,
        "killed to its start": Version.killed,
        "status, CPU": Version.status,
        "validate, CPU": Version.validate,
    }
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in kinds}
    for number in range(options.rounds + 1):
        for name, measure in kinds.items():
            for which in (0, 1) if number % 2 else (1, 0):
                value = measure(versions[which])
                if number:
                    found[name][which].append(value)
                time.sleep(PAUSE_S)
    for version, home in zip(versions, homes, strict=True):
        version.lab.close()
        shutil.rmtree(home)
    print(f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}; ms: median, lower quartile; new / old of both")
    for name, (old, new) in found.items():
        figures = [(statistics.median(x), statistics.quantiles(x, n=4)[0]) for x in (old, new)]
        ratios = [figures[1][i] / figures[0][i] for i in (0, 1)]
        print(f"{name:32}" + "".join(f" {m:7.1f} {q:7.1f}" for m, q in figures) + "".join(f" {r:5.2f}" for r in ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
