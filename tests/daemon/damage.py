"""Random damages to the files of a node's state, and what a start makes of each."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

from reconciler.daemon.evidence import doubt_of
from reconciler.daemon.restore import restore_state
from reconciler.daemon.store import Store
from reconciler.errors import ReconcilerError
from reconciler.sources.repository import ACTIVE, Repository

from .conftest import Node

VALUES = ("1", "2", "3", "4")


def make_state(node: Node) -> str:
    """Have a node go through some configurations, one of them with a service that is gone later, and crash; the newest commit."""
    for value in VALUES:
        wanted = {"a": value} if value == VALUES[-1] else {"a": value, "gone": value}
        node.write(node.configuration(wanted))
        node.at_rest_with(wanted)
        if value == VALUES[1]:
            node.stop()
            node.start()
    commit = str(node.status()["active"]["commit"])
    node.kill()
    return commit


def damage(state: Path, dice: random.Random) -> str:
    """Damage one of the files that say what is active, in one of the ways in which disks and people do; what was done."""
    references = state / "repository.git"
    files = [*state.glob("snapshot-*"), *state.glob("journal-*")]
    files += [path for path in (state / "mark", references / ACTIVE, references / "packed-refs") if path.exists()]
    if not files:
        return "nothing is left"
    path = dice.choice(files)
    data = path.read_bytes()
    used = len(data.rstrip(b"\0"))
    place = dice.choice((dice.randrange(used + 1), dice.randrange(len(data) + 1), max(0, used - dice.randrange(2000))))
    kind = dice.choice(("missing", "empty", "cut", "zeroed", "hole", "flipped", "noise", "line gone", "line twice"))
    match kind:
        case "missing":
            path.unlink()
            return f"{path.name} {kind}"
        case "empty":
            data = b""
        case "cut":
            data = data[:place]
        case "zeroed":
            data = data[:place].ljust(len(data), b"\0")
        case "hole":
            size = dice.choice((1, 512, 4096))
            data = data[:place] + b"\0" * min(size, len(data) - place) + data[place + size :]
        case "flipped":
            at = dice.randrange(max(used, 1))
            data = data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :] if data else b"x"
        case "noise":
            data = data[:place] + dice.randbytes(64) + data[place + 64 :]
        case _:
            lines = data[:used].splitlines(keepends=True)
            if lines:
                at = dice.randrange(len(lines))
                lines[at : at + 1] = [] if kind == "line gone" else [lines[at], lines[at]]
            data = b"".join(lines).ljust(len(data), b"\0")
    path.write_bytes(data)
    return f"{path.name} {kind} at {place}"


def outcome(state: Path, newest: str) -> str:
    """What a start would make of a state: `wrong` if it would go by an older configuration without a doubt."""
    try:
        store = Store(str(state))
    except ReconcilerError as error:
        return f"refused: {error.code}"
    try:
        replica, problems = restore_state("n1", store)
        try:
            named = Repository(str(state / "repository.git")).reference(ACTIVE)
        except ReconcilerError:
            named = None
        doubt = doubt_of(replica.commit, replica.activations, problems, named)
        if replica.commit == newest:
            return "newest" if doubt is None else "newest, in doubt"
        if doubt is None:
            return f"wrong: {replica.commit} of {len(replica.activations)}"
        return "older, the newer proposed" if doubt.newer == newest else "older, held"
    except ReconcilerError as error:
        return f"refused: {error.code}"
    finally:
        store.close()


def damage_run(state: Path, newest: str, scratch: Path, dice: random.Random, rounds: int) -> Counter[str]:
    """How often which outcome came of one to three damages each. Raises AssertionError for a wrong one, with what was done."""
    counts: Counter[str] = Counter()
    for _ in range(rounds):
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(state, scratch)
        done = [damage(scratch, dice)]
        while dice.random() < 0.15 and len(done) < 3:
            done.append(damage(scratch, dice))
        found = outcome(scratch, newest)
        assert not found.startswith("wrong"), f"{found} after {done}"
        counts[found] += 1
    return counts


def started_run(node: Node, dice: random.Random, rounds: int) -> Counter[str]:
    """How often which outcome came of a start of the real daemon on a damaged state. Raises AssertionError for a wrong one.

    The node is one of `make_state`, and has it again afterwards.
    """
    state, whole = node.path / "state", node.path / "whole"
    shutil.copytree(state, whole)
    counts: Counter[str] = Counter()
    for _ in range(rounds):
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(whole, state, dirs_exist_ok=True)
        done = [damage(state, dice)]
        while dice.random() < 0.15 and len(done) < 3:
            done.append(damage(state, dice))
        counts[_started(node, done)] += 1
    shutil.rmtree(state, ignore_errors=True)
    shutil.copytree(whole, state, dirs_exist_ok=True)
    return counts


def _started(node: Node, done: list[str]) -> str:
    before, said = len(node.log()), len(node.daemon_log())
    node.launch()
    try:
        node.wait(lambda: node.running.poll() is not None or node.answers(), f"an answer or an end after {done}", 60)
        if node.running.poll() is not None:
            words = node.daemon_log()[said:]
            assert node.running.returncode == 1, (done, words)
            assert "Traceback" not in words, (done, words)
            assert str(node.path / "state") in words, (done, words)
            return "refused"
        held = bool(node.status()["warnings"])
        node.wait(lambda: node.states() == {"a": VALUES[-1]} and is_settled(node), f"the newest after {done}", 60)
        said_so = "newest, with a warning at the start" if held else "newest"
    finally:
        if node.running.poll() is None:
            node.kill()
    assert not [line for line in node.log()[before:] if line.startswith("gone start")], done
    assert not node.violations(), done
    assert "Traceback" not in node.daemon_log()[said:], (done, node.daemon_log()[said:])
    return said_so


def is_settled(node: Node) -> bool:
    """Whether the node rests and decides: one that is in doubt rests, too."""
    status = node.status()
    return bool(status["converged"]) and not any("nothing is started or stopped" in text for text in status["warnings"])
