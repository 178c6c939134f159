"""Kill the daemon, its fetches or both amid pushes, and demand that no lock, no half a pack and no deaf source is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from .conftest import Node, Operator

NOISE_BYTES = 400_000
"""Of what lies beside the configuration in each push, so that a fetch takes a while."""
_LOOK_EVERY = 8


def fetch_kills(node: Node, operator: Operator, dice: random.Random, rounds: int) -> dict[str, int]:
    """Push, have it fetched, kill somebody some random time later, start again. Now and then, and in the end, the newest push must run.

    `node` follows `operator`'s repository and does not run yet. How often was killed what.
    """
    counts = {"daemon": 0, "fetch": 0, "both": 0, "told": 0}
    operator.push(node.configuration({"a": "0"}))
    node.start()
    for number in range(1, rounds + 1):
        (operator.tree / "noise.bin").write_bytes(dice.randbytes(NOISE_BYTES))
        pushed = operator.push(node.configuration({"a": str(number)}))
        node.client.post("/v1/sources/fetch")
        time.sleep(dice.choice((0.0, 0.1, 0.2, 0.3, 0.5)) + dice.random() * 0.1)
        victim = dice.choice(sorted(counts))
        counts[victim] += 1
        strike(node, victim)
        if node.running.poll() is not None:
            node.start()
            assert locks(node) == [], "what was left is removed at the start"
        if number % _LOOK_EVERY == 0 or number == rounds:
            node.client.post("/v1/sources/fetch")
            node.wait(lambda commit=pushed: arrived(node, commit), f"push {number} is followed", 60)  # type: ignore[misc]
            node.at_rest_with({"a": str(number)})
            assert locks(node) == []
    node.stop()
    node.start()
    assert not (repository(node) / "incoming").exists() or list((repository(node) / "incoming").iterdir()) == []
    assert node.violations() == []
    return counts


def arrived(node: Node, commit: str) -> bool:
    """Whether the commit is in force; a source that failed because its fetch was killed is asked to look again."""
    status = node.status()
    if status["sources"][0]["state"] == "failed":
        node.client.post("/v1/sources/fetch")
    return status["active"] is not None and status["active"]["commit"] == commit


def strike(node: Node, victim: str) -> None:
    """Kill the daemon, the processes that it started to fetch, or all of them; or tell the daemon to end."""
    if victim == "told":
        node.stop(signal.SIGTERM)
        return
    helpers = [pid for pid in descendants(node.running.pid) if b"git" in command(pid)]
    if victim != "fetch":
        node.kill()
    if victim != "daemon":
        for pid in helpers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def repository(node: Node) -> Path:
    """The node's own repository."""
    return node.path / "state" / "repository.git"


def locks(node: Node) -> list[str]:
    """What would keep git from working."""
    return [str(path) for path in repository(node).rglob("*.lock") if "incoming" not in path.parts]


def descendants(pid: int) -> list[int]:
    """All processes below one, by their parents."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def command(pid: int) -> bytes:
    """What a process was started as; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
