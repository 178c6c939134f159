"""A cluster over real corosync lives through random faults while commits are applied, and is judged.

    python tests/corosync/soak.py --seconds 600 --seed 1      faults by chance for so long
    python tests/corosync/soak.py --each                      every fault of the table once, one after the other

Needs root, corosync and the test bed. Each host applies commits of its own as fast as they go, some of them invalid. Three services hold a
lock of the kernel and say so when they run twice. At the end all is mended: all hosts have to agree, on one history with every acknowledged
commit in it, and nothing may have been active twice; else this ends with 2, says what it was, and keeps the logs.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.commits import Outcomes, apply_while
from lab.judging import Chronicle, twice

from corosync.bed import HOSTS, BedError, bed, lacking, wait_until
from corosync.breakable import BreakableCluster, breakable, configuration
from corosync.faults import FAULTS, Fault

SEEN_S = 60.0
AGREE_S = 120.0
BACK, REST = 0.5, 0.2
"""How likely it is that after a fault all are waited for, and that all come to rest: nothing is applied then."""
TOGETHER = 0.1
"""How likely it is that a commit is proposed while another one may be, with which it then competes."""
TURN_S = 1.0
CALM_S = 5.0
"""How long nothing else happens between two faults, at most, besides what is waited for."""


@dataclass
class Findings:
    """What a life came to; `wrong` is empty when everything held."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    unseen: collections.Counter[str] = field(default_factory=collections.Counter)
    """Faults that were over before their effect was seen."""
    agreed_s: list[float] = field(default_factory=list)
    """How long it took after each fault until all agreed, where that was waited for."""
    events: collections.Counter[str] = field(default_factory=collections.Counter)
    """What the services have witnessed."""
    fenced: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        commits = self.outcomes
        yield f"{self.faults.total()} faults in {self.seconds:.0f} s, {self.fenced} hosts fenced"
        for name, count in self.faults.most_common():
            yield f"  {count:3} {name}" + (f" ({self.unseen[name]} too short to be seen)" if self.unseen[name] else "")
        yield (
            f"{commits.asked} commits asked for: {len(commits.acknowledged)} acknowledged, {commits.refused.total()} refused, "
            f"{commits.unknown} with unknown outcome"
        )
        refused = collections.Counter[str]()
        for reason, count in commits.refused.items():
            refused[re.sub(r"[0-9a-f]{12,40}|tmp_pack_\w+", "…", reason)[:150]] += count
        for reason, count in refused.most_common(8):
            yield f"  {count:3} {reason}"
        yield f"all agreed {len(self.agreed_s)} times, after {max(self.agreed_s, default=0):.1f} s at the latest"
        yield f"the services have witnessed: {', '.join(f'{count} {what}' for what, count in self.events.items())}"
        yield from (f"WRONG: {text}" for text in self.wrong)


class Soak:
    """One life of a cluster that runs."""

    def __init__(
        self, cluster: BreakableCluster, seed: int, told: Callable[[str], None], calm_s: float = CALM_S
    ) -> None:
        self.cluster = cluster
        self.found = Findings()
        self._random = random.Random(seed)
        self._told = told
        self._calm_s = calm_s
        self._chronicle = Chronicle()
        self._over = threading.Event()
        self._resting = False
        self._turn = threading.Lock()
        self._counting = "0"
        self._begun = time.monotonic()
        self._fenced_before = len(cluster.fenced())

    def live(self, seconds: float, faults: Iterable[Fault] = FAULTS) -> Findings:
        """Faults by chance for so long."""
        return self._while_commits_come(lambda: self._by_chance(seconds, tuple(faults)))

    def each(self, faults: Iterable[Fault] = FAULTS) -> Findings:
        """Every fault once, until its effect is seen."""
        return self._while_commits_come(lambda: self._one_by_one(faults))

    def _while_commits_come(self, happen: Callable[[], None]) -> Findings:
        writers = [threading.Thread(target=self._write, args=(host, self._random.random())) for host in HOSTS]
        for writer in writers:
            writer.start()
        try:
            happen()
        except BedError as error:
            self.found.wrong.append(str(error))
        finally:
            self._over.set()
            for writer in writers:
                writer.join()
        self._judge()
        return self.found

    # Commits

    def _write(self, host: str, seed: float) -> None:
        chance = random.Random(seed)
        apply_while(
            lambda: True,
            lambda: self.cluster.client(host),
            lambda number: self._files(f"{host}-{number}", chance),
            self.found.outcomes,
            self._over,
            lambda: self._turn_of(chance),
        )

    @contextlib.contextmanager
    def _turn_of(self, chance: random.Random) -> Iterator[None]:
        """Mostly one applies at a time, as long as that is answered; nobody does while all are to come to rest."""
        while self._resting and not self._over.is_set():
            time.sleep(0.05)
        took = chance.random() > TOGETHER and self._turn.acquire(timeout=TURN_S)
        try:
            yield
        finally:
            if took:
                self._turn.release()

    def _files(self, name: str, chance: random.Random) -> Mapping[str, str]:
        """The next version: always another score; now and then another parameter, a service more or less, or it is invalid."""
        match chance.randrange(40):
            case 0:
                return {"all.yaml": f"primitives: {{broken: {{}}}} # {name}\n"}
            case 1 | 2:
                more: tuple[str, ...] = ("s4",)
            case _:
                more = ()
        self._counting = name if chance.random() < 0.1 else self._counting
        text = configuration(self.cluster, *more, counting=self._counting, score=chance.randrange(20, 1000))
        return {"all.yaml": f"# {name}\n{text}"}

    # Faults

    def _by_chance(self, seconds: float, faults: tuple[Fault, ...]) -> None:
        while time.monotonic() - self._begun < seconds and not self._twice():
            fault, host, rests = self._random.choice(faults), self._random.choice(HOSTS), self._random.random()
            if fault.destroys:
                self._agree()
            time.sleep(self._random.uniform(0, self._calm_s))
            lasts_s = self._random.uniform(0, fault.most_s)
            seen = self._suffer(fault, host, lambda began, lasts_s=lasts_s: time.monotonic() - began >= lasts_s)
            self.found.unseen[fault.name] += not seen
            if fault.destroys or rests < REST:
                then = f"all agreed after {self._agree():.1f} s"
            elif rests < REST + BACK:
                took = self.cluster.wait_back(AGREE_S)
                then = f"all took part after {took:.1f} s"
            else:
                then = "went on"
            self._say(f"{fault.name}, {host}, for {lasts_s:.1f} s{'' if seen else ' (not seen)'}: {then}")

    def _one_by_one(self, faults: Iterable[Fault]) -> None:
        for number, fault in enumerate(faults):
            host = HOSTS[number % len(HOSTS)]
            began = time.monotonic()
            if not self._suffer(fault, host, lambda began: time.monotonic() - began > SEEN_S, until_seen=True):
                self.found.wrong.append(f"{fault.name} of {host} had no effect")
            ended_s = time.monotonic() - began
            self._say(
                f"{fault.name}, {host}, seen and mended after {ended_s:.1f} s: all agreed {self._agree():.1f} s later"
            )
            self._await_commits()

    def _await_commits(self) -> None:
        """Until some were acknowledged: what was agreed on is no standstill. Raises BedError."""
        former = len(self.found.outcomes.acknowledged)
        wait_until(lambda: len(self.found.outcomes.acknowledged) > former + 3, "commits are acknowledged", 60)

    def _suffer(self, fault: Fault, host: str, over: Callable[[float], bool], *, until_seen: bool = False) -> bool:
        """One fault, until it is over; whether its effect was seen. Fencing may be faster than what begins it."""
        self.found.faults[fault.name] += 1
        began, seen = time.monotonic(), False
        try:
            fault.begin(self.cluster, host)
        except BedError as error:
            self._say(f"{fault.name}, {host}: {error}")
        while not over(began) and not (seen and until_seen):
            seen = seen or fault.seen(self.cluster, host)
            time.sleep(0.2)
        fault.end(self.cluster, host)
        return seen

    # What must hold

    def _agree(self) -> float:
        """Wait until all agree, and note what they agree on. Raises BedError when they don't."""
        began, self._resting = time.monotonic(), True
        try:
            while True:
                self.cluster.wait_agreed(AGREE_S)
                differ = self._chronicle.read({host: self.cluster.client(host, 20) for host in HOSTS})
                if not differ or time.monotonic() - began > AGREE_S:
                    break  # What was asked for before may land between two questions: then it is asked again.
        finally:
            self._resting = False
        took = time.monotonic() - began
        self.found.wrong += [f"{text} ({took:.0f} s after all was mended)" for text in differ]
        self.found.agreed_s.append(took)
        return took

    def _twice(self) -> list[str]:
        return twice(self.cluster.lines())

    def _judge(self) -> None:
        """All is mended, and nobody applies anything any more."""
        found = self.found
        try:
            self._agree()
            found.wrong += self._chronicle.lacks(found.outcomes.acknowledged)
        except BedError as error:
            found.wrong.append(f"at the end: {error}")
        found.wrong += self._twice()
        found.wrong += self._told_of_fencing()
        found.events.update(line[1] for line in self.cluster.lines())
        found.fenced = len(self.cluster.fenced()) - self._fenced_before
        found.seconds = time.monotonic() - self._begun

    def _told_of_fencing(self) -> list[str]:
        """Whom a host took for fenced more often than the device has switched it off."""
        did = collections.Counter(target for _, target in self.cluster.fenced())
        told = {(host, target): self.cluster.downs(host, target) for host in HOSTS for target in HOSTS}
        return [
            f"{host} took {target} for fenced {count} times, and the device did it {did[target]} times"
            for (host, target), count in told.items()
            if count > did[target]
        ]

    def _say(self, text: str) -> None:
        acknowledged = len(self.found.outcomes.acknowledged)
        self._told(f"{time.monotonic() - self._begun:7.1f} s  {acknowledged:5} commits  {text}")


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Live, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calm", type=float, default=CALM_S, help="seconds between two faults, at most")
    parser.add_argument("--each", action="store_true", help="every fault of the table once")
    parser.add_argument("--only", action="append", metavar="FAULT", help="only these faults of the table")
    parser.add_argument("--keep", action="store_true", help="keep the logs also when everything held")
    args = parser.parse_args()
    if (why := lacking()) is not None:
        parser.error(why)
    signal.signal(signal.SIGTERM, _end)  # What was mounted and switched on goes, however this ends.
    directory = Path(tempfile.mkdtemp(prefix="soak."))
    faults = [fault for fault in FAULTS if not args.only or fault.name in args.only]
    with bed() as made, breakable(made, directory) as cluster:
        soak = Soak(cluster, args.seed, lambda text: print(text, flush=True), args.calm)
        found = soak.each(faults) if args.each else soak.live(args.seconds, faults)
    print("\n".join(found.lines()))
    print(f"seed {args.seed}: " + ("broken" if found.wrong else "everything held"))
    if found.wrong or args.keep:
        print(f"the logs are in {directory}")
    else:
        shutil.rmtree(directory)
    return 2 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
