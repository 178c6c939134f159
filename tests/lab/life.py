"""A life of a lab: faults at random moments while commits are applied, and what must hold at the end whatever happened."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.cli.node.client import Client
from reconciler.fabric.lab.wire import LabError
from reconciler.sources.repository import ACTIVE, Repository

from .commits import Outcomes, apply_while
from .harness import FENCED, NODES, Lab
from .judging import Chronicle, twice

SERVICES = ("s1", "s2", "s3")
_BACK_S = 120.0
_REST_S = 180.0


def configuration(lab: Lab, number: int) -> str:
    """Three services that notice when they run twice, and one whose parameter counts the commits."""
    counting = f"\n  counter: {{agent: 'ocf:reconciler:Dummy', params: {{fake: 'commit-{number}'}}}}\n"
    return FENCED + "primitives:" + "".join(map(lab.service, SERVICES)) + counting


@dataclass
class Findings:
    """What a life came to; `wrong` is empty when everything held."""

    outcomes: Outcomes = field(default_factory=Outcomes)
    faults: list[str] = field(default_factory=list)
    fenced: int = 0
    starts: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Life:
    """Applies commits one after the other, at a random node each, while faults happen."""

    def __init__(self, lab: Lab, seed: int, told: Callable[[str], None]) -> None:
        self.lab = lab
        self.found = Findings()
        self._random = random.Random(seed)
        self._told = told
        self._over = threading.Event()
        self._begun = time.monotonic()

    def live(self, faults: dict[str, int], commits: int) -> Findings:
        """From the start of the lab to the judgement; the lab is still there afterwards."""
        self.lab.up(configuration(self.lab, 0))
        self._await(self._at_rest, "the beginning")
        writer = threading.Thread(target=self._apply, args=(random.Random(self._random.random()), commits))
        writer.start()
        try:
            drawn = [kind for kind, count in faults.items() for _ in range(count)]
            self._random.shuffle(drawn)
            for number, kind in enumerate(drawn, start=1):
                self._fault(kind)
                self._say(
                    f"{number}/{len(drawn)} faults, {len(self.found.outcomes.acknowledged)} commits: {self.found.faults[-1]}"
                )
                if self.found.wrong or self._twice():
                    break
        finally:
            if self.found.wrong:
                self._over.set()
            writer.join()
        self._mend()
        self._await(self._at_rest, "rest at the end", _REST_S)
        self._await(self._all_have_files, "the files of the active commit on every node")
        self._judge()
        self.found.seconds = time.monotonic() - self._begun
        return self.found

    # Commits

    def _apply(self, chance: random.Random, commits: int) -> None:
        outcomes = self.found.outcomes
        apply_while(
            lambda: len(outcomes.acknowledged) < commits,
            lambda: self._client(chance.choice(NODES), 5),
            lambda number: {"all.yaml": configuration(self.lab, number)},
            outcomes,
            self._over,
        )

    def _client(self, node: str, timeout_s: float) -> Client:
        return Client(str(self.lab.directory / node / "node.sock"), timeout_s)

    # Faults

    def _fault(self, kind: str) -> None:
        node = self._random.choice(NODES)
        time.sleep(self._random.uniform(0, 1.5))
        lasts_s = self._random.choice([0.0, 0.3, 1.0, 2.5, 4.0, 7.0])
        self.found.faults.append(f"{kind} {node} for {lasts_s} s")
        match kind:
            case "kill":
                self._tell("kill", node)
                time.sleep(lasts_s)
                self._tell("restart", node)
            case "freeze":
                self._tell("freeze", node)
                time.sleep(lasts_s)
                self._tell("thaw", node)
            case "partition":
                others = ",".join(one for one in NODES if one != node)
                self._tell("partition", node, *self._random.choice([[others], [], others.split(",")]))
                time.sleep(lasts_s)
                self._tell("heal")
        if self._random.random() < 0.7:
            self._await(self._all_there, f"all nodes after {self.found.faults[-1]}", _BACK_S)

    def _tell(self, *words: str) -> None:
        with contextlib.suppress(LabError):  # Fencing may have been faster: then there is no such process any more.
            self.lab.tell(*words)

    def _mend(self) -> None:
        """No more faults: everything that is there may go on."""
        self._tell("heal")
        self._tell("fence-device", "ok")
        for name, node in self.lab.nodes().items():
            if node["frozen"]:
                self._tell("thaw", name)
            if node["pid"] is None:
                self._tell("restart", name)

    # What must hold

    def _all_there(self) -> bool:
        return all(
            node["pid"] is not None and self.lab.view_of(name) == list(NODES) for name, node in self.lab.nodes().items()
        )

    def _at_rest(self) -> bool:
        found = [self.lab.status(node) for node in NODES]
        if not all(one.get("converged") and one.get("active") and one["members"] == list(NODES) for one in found):
            return False
        return len({(one["active"]["commit"], one["cib"]["version"]) for one in found}) == 1

    def _all_have_files(self) -> bool:
        """Whether every node's own repository names the active commit as such, and has its files."""
        return all(map(self._has_files, NODES))

    def _has_files(self, node: str) -> bool:
        active = self.lab.status(node).get("active") or {}
        repository = Repository(str(self.lab.directory / node / "state" / "repository.git"), make=False)
        named = repository.reference(ACTIVE)
        return (
            named is not None and named == active.get("commit") and "all.yaml" in repository.files(named, "cluster.d")
        )

    def _await(self, reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                self.found.wrong.append(f"waited {seconds:.0f} s in vain for {what}")
                return
            time.sleep(0.1)

    def _twice(self) -> bool:
        return bool(twice(self.lab.lines()))

    def _judge(self) -> None:
        chronicle = Chronicle()
        self.found.wrong += twice(self.lab.lines())
        self.found.wrong += chronicle.read({node: self._client(node, 10) for node in NODES})
        self.found.wrong += chronicle.lacks(self.found.outcomes.acknowledged)
        self.found.wrong += [f"{one} does not run" for one in SERVICES if self.lab.runs_on(one) is None]
        self.found.starts = sum(line[1] == "start" for line in self.lab.lines())
        self.found.fenced = sum(map(self._fenced_by, NODES))

    def _fenced_by(self, node: str) -> int:
        """How often a node was fenced by this one, by its own log."""
        return sum(f'is down, by {node}"' in line for line in self.lab.log(node).splitlines())

    def _say(self, text: str) -> None:
        self._told(f"{time.monotonic() - self._begun:7.1f} s  {text}")
