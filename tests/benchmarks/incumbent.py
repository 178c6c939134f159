"""Measure this program and Pacemaker on the same hosts, alternately: `python tests/benchmarks/incumbent.py [--rounds 3] [ROW …]`, as root.

add1     a resource is asked for, until its agent has started it
add20    twenty are, until all are started
add1of100  one more is, beside a hundred
lost20   a host with twenty resources loses its power, from when corosync says so until all run elsewhere; the same agent fences it
         (off: a host that is back within seconds may be given them again before the last has come elsewhere)
dc20     the same, and the host was the DC
memory   memory (PSS) of the manager's processes on a host with twenty resources

Each round boots three hosts with corosync (token 1000) and one manager, measures all rows, and goes on with the other manager. A resource
counts as started when its agent (ocf:pacemaker:Dummy) has made its file, seen from outside of the host, alike for both. What is asked for
is asked by `cibadmin` there, and by a request to the API here: the time of our command line is not in it, that of theirs is.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from corosync.bed import HOSTS, TESTBED, Bed, bed, cgroup, lacking, wait_until
from corosync.cluster import FENCING, Cluster

from reconciler.cli.node.client import Client

STARTED_WITHIN_S = 180.0
ALLOW = ["mass_remove:resources", "stop_all:resources", "stop:*", "fence:*"]
now = time.monotonic


class Manager:
    """What keeps resources running on three hosts."""

    name: str
    processes: tuple[bytes, ...]

    def give(self, names: list[str], at: str | None = None) -> float:
        """Have these resources and no others, at home on one host if one is named; when that was asked for."""
        raise NotImplementedError

    def dc(self) -> str | None:
        """The host that decides, once nothing is left to do."""
        raise NotImplementedError


class Ours(Manager):
    """This program."""

    name = "reconciler"
    processes = (b"reconciler",)

    def __init__(self, made: Bed, directory: Path) -> None:
        self._cluster = Cluster(made, directory)
        self._serial = 0
        self._commit: str | None = None
        self._cluster.up(self._text([], None))

    def _text(self, names: list[str], at: str | None) -> str:
        monitor = "operations: {monitor: {interval: 10s, timeout: 20s}}"
        lines = "".join(f"  {name}: {{agent: 'ocf:pacemaker:Dummy', {monitor}}}\n" for name in names)
        homes = "".join(f"    on-{name}: {{resource: {name}, node: {at}, score: 1000}}\n" for name in names if at)
        head = "cluster: {name: bed, options: {fencing-action: 'off'}}\nnodes: {h1: {}, h2: {}, h3: {}}\n" + FENCING
        options = "defaults:\n  resources: {resource-stickiness: 1}\n"
        constraints = f"constraints:\n  locations:\n{homes}" if homes else ""
        return f"{head}{options}{constraints}{'primitives:' if names else ''}\n{lines}# {self._serial}\n"

    def give(self, names: list[str], at: str | None = None) -> float:
        self._serial += 1
        files = {"all.yaml": self._text(names, at)}
        client = Client(str(self._cluster.directory / "h1.sock"), 30)
        asked = now()
        answer = client.post("/v1/proposals", {"files": files, "message": "bench", "allow": ALLOW})
        self._commit = answer["commit"]
        return asked

    def dc(self) -> str | None:
        told = [self._cluster.status(host) for host in HOSTS]
        known = {one.get("dc") for one in told}
        active = all(self._commit in (None, (one.get("active") or {}).get("commit")) for one in told)
        return known.pop() if active and len(known) == 1 and all(one.get("converged") for one in told) else None


class Theirs(Manager):
    """Pacemaker, asked as the test bed's own measurements ask it."""

    name = "pacemaker"
    processes = (b"pacemaker",)

    def __init__(self, made: Bed, directory: Path) -> None:
        sys.path.insert(0, str(TESTBED))
        self._base = importlib.import_module("baseline")
        importlib.import_module("cluster").setup(list(HOSTS), "1000")
        importlib.import_module("cluster").start(list(HOSTS))
        if not importlib.import_module("cluster").wait_dc(list(HOSTS), 90):
            raise SystemExit("Pacemaker has no DC")
        self._base.sh("h1", "crm_attribute -t crm_config -n stonith-enabled -v true")
        self._base.sh("h1", "crm_attribute -t crm_config -n stonith-action -v off")
        self._base.sh("h1", "crm_attribute -t rsc_defaults -n resource-stickiness -v 1")
        self.give([])

    def give(self, names: list[str], at: str | None = None) -> float:
        self._base.prefer(names, at)
        asked: float = self._base.apply(names)[0]
        return asked

    def dc(self) -> str | None:
        who = self._base.dc()
        return who if who and self._base.sh("h1", f"crmadmin -q -S {who}", check=False).strip() == "S_IDLE" else None


class Stage:
    """A manager on a bed, and what runs by its agents' files."""

    def __init__(self, made: Bed, manager: Manager) -> None:
        self.bed = made
        self.manager = manager
        self._serial = 0

    def running(self, host: str) -> set[str]:
        try:
            pid = (Path("/srv/testbed") / host / "init.pid").read_text().strip()
            return {name[6:-6] for name in os.listdir(f"/proc/{pid}/root/run") if name.startswith("Dummy-")}
        except OSError:
            return set()

    def all_running(self, hosts: Iterable[str] = HOSTS) -> set[str]:
        return set().union(*(self.running(host) for host in hosts))

    def until(self, reached: Callable[[], bool], seconds: float = STARTED_WITHIN_S) -> float:
        """When it was reached."""
        end = now() + seconds
        while not reached():
            if now() > end:
                raise SystemExit(f"{self.manager.name}: not reached within {seconds:g} s")
            time.sleep(0.001)
        return now()

    def settle(self, names: list[str], at: str | None = None) -> str:
        """Have exactly these, at rest; the DC."""
        self.manager.give(names, at)
        where = HOSTS if at is None else (at,)
        self.until(lambda: self.all_running(where) == self.all_running() == set(names))
        return self.rest()

    def rest(self) -> str:
        found: list[str] = []

        def still() -> bool:
            who = self.manager.dc()
            found[:] = [*found, who] if who is not None else []
            time.sleep(0.1)
            return len(found) >= 3

        wait_until(still, f"{self.manager.name} is at rest", 120)
        return found[-1]

    def fresh(self, count: int) -> list[str]:
        self._serial += 1
        return [f"r{self._serial}x{number}" for number in range(count)]


def add(stage: Stage, count: int, base: int = 0) -> float:
    known = [f"k{number}" for number in range(base)]
    stage.settle(known)
    names = stage.fresh(count)
    asked = stage.manager.give([*known, *names])
    return stage.until(lambda: set(names) <= stage.all_running()) - asked


def lost(stage: Stage, *, dc: bool) -> float:
    names = [f"n{number}" for number in range(20)]
    leader = stage.settle(names)
    victim = leader if dc else next(host for host in reversed(HOSTS) if host != leader)
    if stage.settle(names, victim) != leader:
        raise SystemExit("the DC has moved meanwhile")
    rest = [host for host in HOSTS if host != victim]
    began = time.time()
    stage.bed.do("poweroff", victim)
    seen: set[str] = set()

    def all_seen() -> bool:
        """Once each: those that came first may be on their way home before the last one has come."""
        seen.update(stage.all_running(rest))
        return seen == set(names)

    stage.until(all_seen)
    ended = time.time()
    told = _members_changed(rest[0], began)
    stage.bed.do("poweron", victim)
    wait_until(lambda: stage.running(victim) == set(names), "the host is back with all", 120)
    stage.rest()
    return ended - told


def _members_changed(host: str, since: float) -> float:
    """When corosync said on a host that another one has gone."""
    log = (Path("/srv/testbed") / host / "var" / "log" / "corosync" / "corosync.log").read_text(errors="replace")
    found = []
    for line in log.splitlines():
        if "QUORUM] Members[2]" in line:
            at = time.mktime(time.strptime(time.strftime("%Y ") + line[:15], "%Y %b %d %H:%M:%S"))
            found.append(at + float(f"0{line[15:19]}"))
    return next(at for at in found if at > since)


def memory(stage: Stage) -> float:
    """MiB, on the host that has most."""
    stage.settle([f"n{number}" for number in range(20)])
    found = []
    for host in HOSTS:
        total = 0
        for pid in (cgroup(host) / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if any(name in command for name in stage.manager.processes):
                    total += _pss_kib(pid)
        found.append(total / 1024)
    return max(found)


def _pss_kib(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


ROWS: dict[str, tuple[str, Callable[[Stage], float]]] = {
    "add1": ("add 1, s", lambda stage: add(stage, 1)),
    "add20": ("add 20, s", lambda stage: add(stage, 20)),
    "add1of100": ("add 1 to 100, s", lambda stage: add(stage, 1, 100)),
    "lost20": ("host lost, 20 fenced and started elsewhere, s", lambda stage: lost(stage, dc=False)),
    "dc20": ("the DC's host lost, likewise, s", lambda stage: lost(stage, dc=True)),
    "memory": ("memory (PSS) on the host with most, MiB", memory),
}


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if (why := lacking()) is not None:
        raise SystemExit(f"no test bed: {why}")
    rows = args.rows or list(ROWS)
    took: dict[tuple[str, str], list[float]] = {}
    for _ in range(args.rounds):
        for kind in (Ours, Theirs):
            with tempfile.TemporaryDirectory() as directory, bed() as made:
                stage = Stage(made, kind(made, Path(directory)))
                for row in rows:
                    value = ROWS[row][1](stage)
                    took.setdefault((row, kind.name), []).append(value)
                    print(f"# {kind.name} {row}: {value:.3f}", file=sys.stderr, flush=True)
    print(f"| | {Ours.name} | {Theirs.name} |\n| --- | --- | --- |")
    for row in rows:
        cells = (_cell(took[row, kind.name]) for kind in (Ours, Theirs))
        print(f"| {ROWS[row][0]} | {' | '.join(cells)} |")
    return 0


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    sys.exit(main())
