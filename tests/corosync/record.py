"""Record what corosync tells while things happen to its hosts: `python -m tests.corosync.record DIRECTORY [SCENARIO…]`, as root.

A trace has a JSON line for each thing that a process on a host was told, with the host and the seconds since the start, and one for each
thing that was done to a host. Of what the processes say to each other, only what was delivered around a change is kept.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .bed import HOSTS, Bed, bed, python, wait_until

_KEPT_AROUND_S = 0.15
Line = dict[str, Any]


class Stage:
    """A bed on which talkers run, and what was done to it."""

    def __init__(self, bed: Bed, directory: Path) -> None:
        self.bed = bed
        self.directory = directory
        self.done: list[Line] = []

    def do(self, *words: str) -> None:
        """Something happens."""
        self.done.append({"t": time.monotonic(), "is": "done", "what": " ".join(words)})
        self.bed.do(*words)

    def kill(self, host: str, name: str) -> None:
        """A program on a host is killed."""
        self.done.append({"t": time.monotonic(), "is": "done", "what": f"kill {host} {name}"})
        pattern = "corosync" if name == "corosync" else "[t]alker"
        self.bed.run(host, "pkill", "-9", *([] if name == "corosync" else ["-f"]), pattern)


def freeze(stage: Stage) -> None:
    stage.do("freeze", "h3")
    time.sleep(6)
    stage.do("thaw", "h3")
    time.sleep(3)


def partition(stage: Stage) -> None:
    stage.do("partition", "h1,h2 | h3")
    time.sleep(6)
    stage.do("heal")
    time.sleep(5)


def one_way(stage: Stage) -> None:
    stage.do("cut", "h3", "h1")
    stage.do("cut", "h3", "h2")
    time.sleep(10)
    stage.do("heal")
    time.sleep(5)


def kill_process(stage: Stage) -> None:
    stage.kill("h2", "talker")
    time.sleep(1)


def kill_corosync(stage: Stage) -> None:
    stage.kill("h3", "corosync")
    time.sleep(6)


def power_off(stage: Stage) -> None:
    stage.do("poweroff", "h1")
    time.sleep(6)


SCENARIOS: dict[str, Callable[[Stage], None]] = {
    "freeze-and-thaw": freeze,
    "partition-and-heal": partition,
    "one-way-loss": one_way,
    "process-killed": kill_process,
    "corosync-killed": kill_corosync,
    "power-off": power_off,
}


def record(bed: Bed, scenario: Callable[[Stage], None], directory: Path) -> list[Line]:
    """Everything that the processes on three hosts were told meanwhile."""
    bed.configure()
    bed.corosync(*HOSTS)
    bed.wait_members()
    began, stage = time.monotonic(), Stage(bed, directory)
    files = {host: directory / f"{host}.jsonl" for host in HOSTS}
    command = (python(), "-m", "tests.corosync.talker")
    talkers = [bed.start(host, *command, host, "60", output=files[host]) for host in HOSTS]
    wait_until(lambda: all(f"{host} 9 " in files["h1"].read_text() for host in HOSTS), "all talk")
    scenario(stage)
    for talker in talkers:
        talker.kill()
    lines = [*stage.done]
    for host in HOSTS:
        lines += [{"host": host, **json.loads(line)} for line in files[host].read_text().splitlines()]
    return _shortened(sorted(lines, key=lambda line: float(line["t"])), began)


def _shortened(lines: list[Line], began: float) -> list[Line]:
    """Without most of what was said, with times from the start: what is kept of one host's is kept of all."""
    changes = [line["t"] for line in lines if line["is"] not in ("message", "nodes")]
    around = {
        line["data"]
        for line in lines
        if line["is"] == "message" and any(abs(line["t"] - at) < _KEPT_AROUND_S for at in changes)
    }
    kept = [line for line in lines if line["is"] != "message" or line["data"] in around]
    return [{**line, "t": round(line["t"] - began, 4)} for line in kept]


def main(directory: Path, names: list[str]) -> None:
    for name in names or list(SCENARIOS):
        with tempfile.TemporaryDirectory() as temporary, bed() as made:
            lines = record(made, SCENARIOS[name], Path(temporary))
        path = directory / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        print(name, len(lines), "lines", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
