"""Kill the daemon at random moments amid changes, and demand that nothing is lost, mixed or run twice."""

from __future__ import annotations

import random
import time

from .conftest import Node

NAMES = ("a", "b", "c", "d")


def crash_run(node: Node, dice: random.Random, rounds: int) -> dict[str, int]:
    """Apply a change, kill the daemon some random time later, start it again; check what must hold after each.

    After a crash the active configuration is the one before or the one that was proposed, whole; what runs in the end is just
    that. In the end the newest proposal is applied once more, and must come to run.
    """
    counts = {"before": 0, "after": 0}
    active: dict[str, str] = {}
    for number in range(rounds):
        wanted = {name: str(dice.randint(1, 3)) for name in NAMES if dice.random() < 0.8}
        files = {"site.yaml": node.configuration(wanted, delay=dice.choice(("", "0.1", "0.3")), more=f"# {number}")}
        node.client.post("/v1/proposals", {"files": files})
        time.sleep(dice.choice((0.0, 0.02, 0.05, 0.1, 0.2, 0.4)) + dice.random() * 0.05)
        node.kill()
        node.start()
        node.wait(lambda: rests(node), "rest after a crash", 60)
        now = node.client.get("/v1/files")["files"] if node.status()["active"] else None
        took = now == files
        counts["after" if took else "before"] += 1
        active = wanted if took else active
        node.at_rest_with(active)
        assert node.violations() == [], node.violations()
        assert not list(node.path.glob("state/quarantine/*")), "a state file was damaged"
    node.client.post("/v1/proposals", {"files": {"site.yaml": node.configuration({"a": "last"})}})
    node.at_rest_with({"a": "last"})
    return counts


def rests(node: Node) -> bool:
    """Whether nothing is left to be done, nor to be decided: a proposal that was judged amid the crash is judged once more."""
    status = node.status()
    return bool(status["converged"]) and status["proposal"] is None
