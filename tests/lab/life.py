"""A life of a lab: faults at random moments while commits are applied, and what must hold at the end whatever happened."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.cli.node.client import Client, ClientError
from reconciler.fabric.lab.wire import LabError
from reconciler.sources.repository import ACTIVE, Repository

from .harness import FENCED, NODES, Lab

SERVICES = ("s1", "s2", "s3")
_APPLY_S = 20.0
_BACK_S = 120.0
_REST_S = 180.0


def configuration(lab: Lab, number: int) -> str:
    """Three services that notice when they run twice, and one whose parameter counts the commits."""
    counting = f"\n  counter: {{agent: 'ocf:reconciler:Dummy', params: {{fake: 'commit-{number}'}}}}\n"
    return FENCED + "primitives:" + "".join(map(lab.service, SERVICES)) + counting


@dataclass
class Findings:
    """What a life came to; `wrong` is empty when everything held."""

    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    unknown: int = 0
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
                    f"{number}/{len(drawn)} faults, {len(self.found.acknowledged)} commits: {self.found.faults[-1]}"
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
        number = 0
        while len(self.found.acknowledged) < commits and not self._over.is_set():
            number += 1
            self._apply_one(chance.choice(NODES), number)

    def _apply_one(self, node: str, number: int) -> None:
        client = Client(str(self.lab.directory / node / "node.sock"), 5)
        files = {"all.yaml": configuration(self.lab, number)}
        try:
            answer = client.post("/v1/proposals", {"files": files, "message": f"commit {number}"})
            ended = self._end_of(client, answer)
        except (ClientError, OSError):
            ended = None
        match ended:
            case "confirmed":
                self.found.acknowledged.append(str(answer["commit"]))
            case "rejected":
                self.found.refused += 1
            case _:
                self.found.unknown += 1
                time.sleep(0.2)

    def _end_of(self, client: Client, answer: dict[str, Any]) -> str | None:
        """What `apply` waits for: from then on the commit may not be lost. None when it did not come in time."""
        for event in client.events(since=answer["cursor"], within_s=_APPLY_S):
            if event.get("proposal") == answer["commit"] and event["type"] in ("confirmed", "rejected"):
                return str(event["type"])
            if self._over.is_set():
                break
        return None

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
        return any(line[1] == "TWICE" for line in self.lab.lines())

    def _judge(self) -> None:
        wrong = self.found.wrong
        wrong += [f"active twice: {' '.join(line)}" for line in self.lab.lines() if line[1] == "TWICE"]
        self.found.starts = sum(line[1] == "start" for line in self.lab.lines())
        histories, states = {}, {}
        for node in NODES:
            client = Client(str(self.lab.directory / node / "node.sock"), 10)
            entries = client.get("/v1/history", {"limit": "1000"})["entries"]
            histories[node] = [(entry["version"], entry["commit"]) for entry in entries]
            known = {entry["commit"] for entry in entries}
            lost = [commit for commit in self.found.acknowledged if commit not in known]
            wrong += [f"{node} has lost the acknowledged commit {commit}" for commit in lost]
            states[node] = _of_all(client.get("/v1/cib")["cib"])
        if len({tuple(history) for history in histories.values()}) != 1:
            wrong.append("the nodes have different histories")
        if any(state != states[NODES[0]] for state in states.values()):
            wrong.append("the nodes have different states")
        running = [service for service in SERVICES if self.lab.runs_on(service) is None]
        wrong += [f"{service} does not run" for service in running]
        self.found.fenced = sum(map(self._fenced_by, NODES))

    def _fenced_by(self, node: str) -> int:
        """How often a node was fenced by this one, by its own log."""
        return sum(f'is down, by {node}"' in line for line in self.lab.log(node).splitlines())

    def _say(self, text: str) -> None:
        self._told(f"{time.monotonic() - self._begun:7.1f} s  {text}")


def _of_all(cib: dict[str, Any]) -> dict[str, Any]:
    """What members share of a CIB."""
    return {name: value for name, value in cib.items() if name not in ("dc_id", "have_quorum")}
