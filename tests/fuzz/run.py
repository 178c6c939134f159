"""The fuzzer: kinds of inputs by turns, until the time is over.

    ci/fuzz [--seconds 60] [--seed N] [--kinds yaml,xml,…] [--out DIRECTORY]
    ci/fuzz --kinds wire --messages 1000000

Every input follows from the seed, its kind and its number. What should never be (the daemon ends, stalls for more than 2 s, meets a fault
of ours, has something active that it should not, or does not take the next good commit; a reader raises what is no refusal) is
printed, and written to the directory with the input. Ends with 1 when there was anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from daemon.conftest import Node
from daemon.damage import damage_run, make_state

from reconciler.cli.node.client import ClientError

from .directories import DirectoryDaemon
from .inputs import changed, corpus, graph
from .marks import try_marks
from .shapes import reshaped, skeletons
from .targets import Daemon, Worker, Wrong
from .wire import WireFuzz

_TOLD_EVERY = 50_000
"""Messages of the wire, of a run of many: how it goes on."""
SLOW_S = 10.0
"""Of processor time for reading and deciding one input, in a process of its own."""


class Run:
    """One run with its targets, counts and findings."""

    def __init__(self, directory: Path, seed: int, out: Path | None) -> None:
        self.seed = seed
        self.out = out
        self.counts: dict[str, Counter[str]] = {}
        self.slowest: dict[str, float] = {}
        self.findings = 0
        self._numbers: Counter[str] = Counter()
        self._directory = directory
        self._worker = Worker()
        self._daemon: Daemon | None = None
        self._follower: DirectoryDaemon | None = None
        self._lives = 0
        self._state: tuple[Path, str] | None = None
        self.wire_fuzz = WireFuzz()
        self._corpus = {
            "yaml": [*corpus("cluster.d", ".yaml"), *(graph(random.Random(number)) for number in range(5))],
            "xml": corpus("tests/golden", ".xml"),
            "plan": [_plan()],
        }
        self._shapes = skeletons()

    def turn(self, kind: str) -> None:
        """Try the next input of a kind."""
        number = self._numbers[kind]
        self._numbers[kind] += 1
        dice = random.Random(f"{self.seed}/{kind}/{number}")
        began = time.monotonic()
        try:
            word = TRIES[kind](self, kind, dice)
        except (Wrong, ClientError) as wrong:
            word = "wrong"
            self._found(kind, number, str(wrong))
        self.counts.setdefault(kind, Counter())[word] += 1
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), time.monotonic() - began)

    def report(self) -> str:
        """Tries by kind and outcome."""
        lines = [
            f"{kind:8} {sum(counts.values()):7}  longest {self.slowest[kind]:5.1f} s  "
            + ", ".join(f"{word} {count}" for word, count in counts.most_common())
            for kind, counts in sorted(self.counts.items())
        ]
        if self.wire_fuzz.messages:
            lines.append(self.wire_fuzz.report())
        stall = 0.0 if self._daemon is None else self._daemon.longest_stall_s
        return "\n".join([*lines, f"the daemon's longest stall: {stall:.2f} s; findings: {self.findings}"])

    def stop(self) -> None:
        """End the targets."""
        self._worker.stop()
        if self._daemon is not None:
            self._daemon.stop()
        if self._follower is not None:
            self._follower.stop()

    def read(self, kind: str, dice: random.Random) -> str:
        """An input for a reader."""
        match kind:
            case "graph":
                data = graph(dice)
            case "shape":
                data = reshaped(self._shapes, dice)
            case _:
                data = changed(dice.choice(self._corpus[kind]), dice)
        if kind == "plan" and dice.random() < 0.7:
            data = _digested(data)
        self._input = data
        found = self._worker.try_input(kind, data)
        if found.seconds > SLOW_S:
            raise Wrong(f"{found.word} after {found.seconds:.1f} s of processor time")
        return found.word

    def body(self, kind: str, dice: random.Random) -> str:
        """A request."""
        self._input = self._target().try_body(dice)
        return self._checked("sent", heal=dice.random() < 0.05)

    def live(self, kind: str, dice: random.Random) -> str:
        """What a daemon takes or refuses; afterwards it takes a good commit."""
        target = self._target()
        attempt = {"live": target.try_graph, "commit": target.try_commit, "name": target.try_name}[kind]
        self._input, word = attempt(dice)
        return self._checked(word, heal=True)

    def state(self, kind: str, dice: random.Random) -> str:
        """A damaged state."""
        if self._state is None:
            place = self._directory / "state-node"
            place.mkdir()
            node = Node(place)
            node.start()
            self._state = place / "state", make_state(node)
        state, newest = self._state
        self._input = b""
        try:
            (word,) = damage_run(state, newest, self._directory / "scratch", dice, 1)
        except AssertionError as error:
            raise Wrong(str(error)) from error
        return word

    def directory(self, kind: str, dice: random.Random) -> str:
        """Anything in the directory that a daemon follows, or beside its own state."""
        if self._follower is None:
            place = self._directory / f"follower-{self.findings}"
            place.mkdir()
            self._follower = DirectoryDaemon(place)
        follower, self._input = self._follower, b""
        try:
            self._input, word = (follower.try_own if dice.random() < 0.2 else follower.try_watched)(dice)
        except (Wrong, ClientError, OSError) as wrong:
            follower.stop()
            self._follower = None
            raise Wrong(str(wrong)) from wrong
        return word

    def wire(self, kind: str, dice: random.Random) -> str:
        """Messages of a cluster's network to members of it."""
        before = self.wire_fuzz.messages
        word, self._input = self.wire_fuzz.session(dice)
        if self.wire_fuzz.messages // _TOLD_EVERY != before // _TOLD_EVERY:
            print(self.wire_fuzz.report(), flush=True)
        if self._input:
            raise Wrong(word)
        if self.wire_fuzz.grows:
            raise Wrong(f"the memory of this process grows: {self.wire_fuzz.report()}")
        return word

    def mark(self, kind: str, dice: random.Random) -> str:
        """What decides of which view a member over corosync is."""
        self._input = b""
        return try_marks(dice)

    def _target(self) -> Daemon:
        if self._daemon is None or self._daemon.node.running.poll() is not None:
            self._lives += 1
            place = self._directory / f"daemon-{self._lives}"
            place.mkdir()
            self._daemon = Daemon(place)
        return self._daemon

    def _checked(self, word: str, *, heal: bool) -> str:
        target = self._target()
        target.check()
        if heal:
            target.heal()
            target.check()
        return word

    def _found(self, kind: str, number: int, text: str) -> None:
        self.findings += 1
        print(f"\n=== {kind} {number} of seed {self.seed}: {text}\n", file=sys.stderr, flush=True)
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / f"{kind}-{hashlib.sha256(self._input).hexdigest()[:12]}").write_bytes(self._input)


TRIES: dict[str, Callable[[Run, str, random.Random], str]] = {
    "yaml": Run.read,
    "graph": Run.read,
    "shape": Run.read,
    "xml": Run.read,
    "plan": Run.read,
    "body": Run.body,
    "live": Run.live,
    "commit": Run.live,
    "name": Run.live,
    "state": Run.state,
    "directory": Run.directory,
    "wire": Run.wire,
    "mark": Run.mark,
}
_AT_ONCE = {"yaml": 8, "shape": 12, "graph": 3, "xml": 20, "plan": 20, "body": 15, "state": 3}


def _plan() -> bytes:
    body = {
        "kind": "reconciler-plan",
        "format_version": "1.1",
        "cluster": "fuzz",
        "base": {"commit": "0" * 40, "version": "0.1.2"},
        "files": {"site.yaml": "primitives: {a: {agent: 'ocf:test:Quiet'}}\n"},
        "plan": {"changes": [{"verb": "Start", "subject": "a"}]},
        "actions": "0" * 64,
    }
    return _digested(json.dumps(body).encode())


def _digested(data: bytes) -> bytes:
    """The plan with the digest that it should have, if it is JSON at all: else nothing behind the digest would be tried."""
    try:
        body = json.loads(data)
        body.pop("digest", None)
        text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        return data
    body["digest"] = hashlib.sha256(text).hexdigest()
    return json.dumps(body).encode("utf-8", "replace")


def main(argv: list[str] | None = None) -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(
        prog="ci/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=None, help="60, unless --messages says how long")
    parser.add_argument(
        "--messages", type=int, default=None, help="end after so many of the kind wire, whatever the time"
    )
    parser.add_argument("--seed", type=int, default=None, help="default: the time; it is printed")
    parser.add_argument("--kinds", default=",".join(TRIES), help=f"of {', '.join(TRIES)}")
    parser.add_argument("--out", type=Path, default=None, help="where to put what was found")
    args = parser.parse_args(argv)
    seed = int(time.time()) if args.seed is None else args.seed
    kinds = args.kinds.split(",")
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        run = Run(Path(directory), seed, args.out)
        end = time.monotonic() + (args.seconds or (60 if args.messages is None else float("inf")))
        most = args.messages or float("inf")

        def goes_on() -> bool:
            return time.monotonic() < end and run.wire_fuzz.messages < most

        try:
            while goes_on():
                for kind in kinds:
                    for _ in range(_AT_ONCE.get(kind, 1)):
                        if goes_on():
                            run.turn(kind)
        finally:
            run.stop()
    print(run.report())
    return 1 if run.findings else 0
