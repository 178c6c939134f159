"""Measure this program and Pacemaker on the same hosts, alternately: `python tests/benchmarks/incumbent.py [--rounds 3] [ROW …]`, as root.

add1       a resource is asked for, until its agent has started it
add20      twenty are, until all are started
add100     a hundred are, likewise
add1of100  one more is, beside a hundred
idle       a host's processors with a hundred resources and nothing to do (corosync and agents too), and then the memory (PSS) of the
           manager's processes, on the DC's host and on the other that has most
monitor    a resource fails, monitored every second: from the end of the monitor that finds it to the start of the resource
killed     the process of a service is killed, monitored every ten seconds, until another one runs
move       a resource is to run elsewhere: how long it runs nowhere, and from the request on
standby    a host with twenty resources is to run nothing, until all run elsewhere and none there
lost20     a host with twenty resources loses its power, from when corosync says so until all run elsewhere; it is fenced meanwhile
           (off: a host that is back within seconds may be given them again before the last has come elsewhere)
unfenced   the same without fencing, and with nothing to wait for (lost-node-grace: 0 here)
dc20       as lost20, and the host was the DC
cold       three hosts are switched on, until twenty resources run

Each round boots three hosts with corosync (token 1000) and one manager, measures all rows, and goes on with the other manager. A resource
counts as started when its agent (ocf:pacemaker:Dummy) has made its file, seen from outside of the host, alike for both. What is asked for
is asked by Pacemaker's commands there, and by a request to the API here: the time of our command line is not in it, that of theirs is.

A round takes about seven minutes. The table says beside each row how much of the processors other work of the machine took meanwhile; the
measurement itself goes before that, as the test bed's own did. Goals are the project's.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from contenders import Contender, Ours, Theirs, Wanted, add_user, now
from corosync.bed import HOSTS, TESTBED, BedError, bed, lacking
from stage import MissedError, Others, Stage

Measured = Iterator[tuple[str, float]]
"""Figures and their values, as they come."""
NOTHING = Wanted()
TWENTY = Wanted(tuple(f"n{number}" for number in range(20)))
HUNDRED = Wanted(tuple(f"k{number}" for number in range(100)))
IDLE_S = 30.0


def add(stage: Stage, figure: str, count: int, base: Wanted = NOTHING, times: int = 1) -> Measured:
    """What is asked for besides `base`, until it runs."""
    for _ in range(times):
        stage.settle(base)
        yield figure, _added(stage, stage.fresh(count), base)


def _added(stage: Stage, names: tuple[str, ...], base: Wanted) -> float:
    asked = stage.contender.give(replace(base, names=(*base.names, *names)))
    return stage.until(lambda: set(names) <= stage.all_running(), "all run") - asked


def idle(stage: Stage) -> Measured:
    """A hundred resources and nothing to do."""
    dc = stage.settle(HUNDRED)
    before, began = {host: stage.cpu_s(host) for host in HOSTS}, now()
    time.sleep(IDLE_S)
    wall = now() - began
    yield "cpu", max(stage.cpu_s(host) - before[host] for host in HOSTS) / wall * 100
    yield "pss-dc", stage.memory_mib(dc)
    yield "pss", max(stage.memory_mib(host) for host in HOSTS if host != dc)


def monitor(stage: Stage) -> Measured:
    """A Dummy's file is taken away, so that its next monitor fails."""
    stage.settle(Wanted(("svc",), interval_s=1))
    for _ in range(3):
        time.sleep(random.uniform(1, 2))
        yield "monitor", _after_monitor(stage, stage.host_of("svc"))
        stage.contender.forget_failures("svc")
        stage.rest()


def _after_monitor(stage: Stage, host: str) -> float:
    """From the end of the last monitor before the file is there again."""
    path = stage.root(host) / "run" / "Dummy-svc.state"
    ended, monitors = 0.0, set[str]()

    def back() -> bool:
        nonlocal ended, monitors
        found = {pid for pid, command in stage.commands(host) if b"/Dummy\0monitor" in command}
        ended, monitors = (now() if monitors - found else ended), found
        return path.exists()

    path.unlink()
    at = stage.until(back, "it is started again where it was", step_s=0.0005)
    if not ended:
        raise MissedError("no monitor was seen to fail")
    return at - ended


def killed(stage: Stage) -> Measured:
    """A service's process ends by a signal."""
    add_user(stage.bed)
    stage.contender.give(Wanted(services=("proc",)))
    stage.until(lambda: stage.service("proc") is not None and not stage.all_running(), "the service runs")
    for _ in range(2):
        stage.rest()
        time.sleep(random.uniform(1, 5))
        yield "killed", _after_kill(stage)
        stage.contender.forget_failures("proc")
    stage.rest()


def _after_kill(stage: Stage) -> float:
    known = stage.service("proc")
    if known is None:
        raise MissedError("the service runs nowhere")
    pid = next(pid for pid, command in stage.commands(known[0]) if command == b"/bin/sleep\0infinity\0")
    began = now()
    os.kill(int(pid), signal.SIGKILL)
    return stage.until(lambda: stage.service("proc") not in (None, known), "another process runs") - began


def move(stage: Stage) -> Measured:
    """A Dummy goes from host to host."""
    stage.settle(Wanted(("mv",)))
    for _ in range(3):
        source = stage.host_of("mv")
        yield from _moved(stage, source, random.choice([host for host in HOSTS if host != source]))
        stage.rest()


def _moved(stage: Stage, source: str, target: str) -> Measured:
    gone: list[float] = []

    def there() -> bool:
        if not gone and "mv" not in stage.running(source):
            gone.append(now())
        return "mv" in stage.running(target)

    asked = stage.contender.move("mv", target)
    at = stage.until(there, "it runs there")
    yield "move-down", at - gone[0]
    yield "move", at - asked


def standby(stage: Stage) -> Measured:
    """All of a host goes elsewhere."""
    leader = stage.settle(TWENTY)
    host = next(one for one in reversed(HOSTS) if one != leader)
    stage.settle(replace(TWENTY, home=host))
    rest = [one for one in HOSTS if one != host]
    asked = stage.contender.standby(host)
    names = set(TWENTY.names)
    yield (
        "standby",
        stage.until(lambda: stage.all_running(rest) == names and not stage.running(host), "all moved") - asked,
    )
    stage.rest()


def lost(stage: Stage, figure: str, *, dc: bool = False, fencing: bool = True) -> Measured:
    """A host with twenty resources loses its power."""
    wanted, names = replace(TWENTY, fencing=fencing), set(TWENTY.names)
    leader = stage.settle(wanted)
    victim = leader if dc else next(host for host in reversed(HOSTS) if host != leader)
    if stage.settle(replace(wanted, home=victim)) != leader:
        raise MissedError("the DC has moved meanwhile")
    rest = [host for host in HOSTS if host != victim]
    began = time.time()
    stage.bed.do("poweroff", victim)
    seen: set[str] = set()

    def all_seen() -> bool:
        """Once each: those that came first may be on their way home before the last one has come."""
        seen.update(stage.all_running(rest))
        return seen == names

    stage.until(all_seen, "all run elsewhere")
    yield figure, time.time() - _members_changed(rest[0], began)
    stage.bed.do("poweron", victim)
    stage.until(lambda: stage.running(victim) == names, "the host is back with all", step_s=0.05)
    stage.rest()


def cold(stage: Stage) -> Measured:
    """All hosts are switched on at once."""
    stage.settle(TWENTY)
    for host in HOSTS:
        stage.bed.do("poweroff", host)
    time.sleep(1)
    began = now()
    for host in HOSTS:
        stage.bed.do("poweron", host)
    yield "cold", stage.until(lambda: stage.all_running() == set(TWENTY.names), "all run", step_s=0.01) - began
    stage.rest()


def _members_changed(host: str, since: float) -> float:
    """When corosync said on a host that another one has gone."""
    log = (Path("/srv/testbed") / host / "var" / "log" / "corosync" / "corosync.log").read_text(errors="replace")
    for line in log.splitlines():
        if "QUORUM] Members[2]" in line:
            at = time.mktime(time.strptime(time.strftime("%Y ") + line[:15], "%Y %b %d %H:%M:%S"))
            if (at := at + float(f"0{line[15:19]}")) > since:
                return at
    raise MissedError("corosync did not say that the host has gone")


ROWS: dict[str, Callable[[Stage], Measured]] = {
    "add1": lambda stage: add(stage, "add1", 1, times=3),
    "add20": lambda stage: add(stage, "add20", 20),
    "add100": lambda stage: add(stage, "add100", 100),
    "add1of100": lambda stage: add(stage, "add1of100", 1, HUNDRED, times=2),
    "idle": idle,
    "monitor": monitor,
    "killed": killed,
    "move": move,
    "standby": standby,
    "lost20": lambda stage: lost(stage, "lost20"),
    "unfenced": lambda stage: lost(stage, "unfenced", fencing=False),
    "dc20": lambda stage: lost(stage, "dc20", dc=True),
    "cold": cold,
}
FIGURES: dict[str, tuple[str, float | None]] = {
    "add1": ("add 1, s", 0.06),
    "add20": ("add 20, s", 0.6),
    "add100": ("add 100, s", 3.0),
    "add1of100": ("add 1 to 100, s", 0.09),
    "monitor": ("monitor failed to started again, s", 0.05),
    "killed": ("service killed, monitor every 10 s, s", 0.3),
    "lost20": ("host lost, 20 resources, fenced, s", 0.45),
    "unfenced": ("host lost, 20 resources, without fencing, s", None),
    "dc20": ("the DC's host lost, 20 resources, fenced, s", 0.5),
    "move-down": ("move: runs nowhere, s", 0.035),
    "move": ("move: from the request on, s", None),
    "standby": ("standby of a host with 20, s", 0.6),
    "cold": ("cold start of three hosts with 20, s", 8.0),
    "pss": ("memory (PSS) with 100, not the DC, MiB", 45.0),
    "pss-dc": ("memory (PSS) with 100, the DC, MiB", 45.0),
    "cpu": ("idle CPU with 100, of one processor, %", 3.3),
}
"""In the order of the table: the words, and the goal if there is one."""


@dataclass
class Cell:
    """What was measured of one figure with one manager."""

    values: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.values:
            return "-"
        median, least, most = statistics.median(self.values), min(self.values), max(self.values)
        return f"{median:.3g} ({least:.3g} to {most:.3g}, n={len(self.values)})"


class Table:
    """All that was measured."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], Cell] = {}
        self._missed: list[str] = []

    def add(self, figure: str, name: str, value: float, others: float) -> None:
        cell = self._cells.setdefault((figure, name), Cell())
        cell.values.append(value)
        cell.others.append(others)
        print(f"# {name} {figure}: {value:.3f} (other work {others:.0%})", file=sys.stderr, flush=True)

    def missed(self, row: str, name: str, why: str) -> None:
        self._missed.append(f"{name} {row}: {why}")
        print(f"# {self._missed[-1]}", file=sys.stderr, flush=True)

    def lines(self) -> Iterator[str]:
        """As Markdown."""
        yield f"| | {Ours.name} | {Theirs.name} | ratio | goal | met | other work |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for figure, (words, goal) in FIGURES.items():
            ours, theirs = (self._cells.get((figure, kind.name), Cell()) for kind in (Ours, Theirs))
            if ours.values or theirs.values:
                yield f"| {words} | {ours} | {theirs} | {' | '.join(_judged(ours, theirs, goal))} |"
        yield from (f"missed: {one}" for one in self._missed)


def _judged(ours: Cell, theirs: Cell, goal: float | None) -> tuple[str, str, str, str]:
    """The ratio, the goal, whether it is met, and the other work."""
    both = ours.values and theirs.values
    ratio = f"{statistics.median(ours.values) / statistics.median(theirs.values):.2f}" if both else "-"
    met = "-" if goal is None or not ours.values else "yes" if statistics.median(ours.values) <= goal else "no"
    others = statistics.median([*ours.others, *theirs.others])
    return ratio, "-" if goal is None else f"{goal:g}", met, f"{others:.0%}"


def measure(kind: type[Contender], rows: list[str], table: Table) -> None:
    """One round of one manager. What is missed ends it: nothing is known of the state then."""
    with tempfile.TemporaryDirectory() as directory, bed() as made:
        others, row = Others(), "boot"
        try:
            stage = Stage(made, kind(made, Path(directory)))
            for row in rows:
                for figure, value in ROWS[row](stage):
                    table.add(figure, kind.name, value, others.share())
        except (MissedError, BedError) as error:
            table.missed(row, kind.name, str(error))


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=[Ours.name, Theirs.name], help="measure one of them alone")
    args = parser.parse_args()
    if (why := lacking()) is not None:
        raise SystemExit(f"no test bed: {why}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that a bed is taken down in any case.
    sys.path.insert(0, str(TESTBED))
    quiet, table, began = importlib.import_module("quiet"), Table(), now()
    quiet.prefer()
    try:
        for _ in range(args.rounds):
            for kind in (Ours, Theirs):
                if args.only in (None, kind.name):
                    measure(kind, args.rows or list(ROWS), table)
    finally:
        quiet.leave()
        print(*table.lines(), sep="\n", flush=True)
        load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
        print(
            f"# {args.rounds} rounds, {(now() - began) / 60:.1f} min, {os.cpu_count()} processors, load {load}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
