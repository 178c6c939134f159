"""`reconciler fence test` in a lab of real processes: each node answers for itself, and remembers it."""

from __future__ import annotations

import json

import pytest

from .harness import FENCED, NODES, Lab, wait_until
from .test_lab_fence_demands import fence


def rows(lab: Lab, at: str, *words: str) -> dict[str, tuple[str, bool]]:
    """By node the result, and whether it ever went well."""
    told = json.loads(fence(lab, at, "test", "--json", *words).stdout)["tests"]
    assert {one["device"] for one in told} == {"power"}
    return {one["node"]: (one["result"], one["success_at"] is not None) for one in told}


def at_rest(lab: Lab, node: str) -> bool:
    status = lab.status(node)
    return bool(status.get("active")) and bool(status["converged"])


@pytest.mark.timeout(300)
def test_every_node_asks_every_device_and_remembers_it(lab: Lab) -> None:
    lab.up(FENCED + "primitives: {p: {agent: 'ocf:reconciler:process', params: {command: sleep 99999}}}\n")
    wait_until(lambda: all(at_rest(lab, node) for node in NODES), "it is at rest")

    lab.tell("fence-device", "fail")
    failed = fence(lab, "n1", "test", "n2", "n3")
    assert failed.returncode == 1, failed
    assert [line.split()[:3] for line in failed.stdout.splitlines()[1:]] == [
        ["power", "n2", "failed"],
        ["power", "n3", "failed"],
    ]
    assert "the fence device was told to fail" in failed.stdout
    warnings = lab.status("n1")["warnings"]
    assert sum("got no answer from the fence device power" in text for text in warnings) == 2

    lab.tell("fence-device", "ok")
    good = fence(lab, "n3", "test")
    assert (good.returncode, good.stdout.count(" ok ")) == (0, 3)
    assert lab.status("n1")["warnings"] == []
    assert lab.fencing("n1")["history"] == [], "nobody was fenced by it"

    lab.tell("fence-device", "fail")
    assert rows(lab, "n1", "n2") == {"n2": ("failed", True)}
    lab.tell("kill", "n2")
    lab.tell("off", "n2")
    wait_until(lambda: "n2" not in lab.status("n1").get("members", NODES), "it is gone")
    lab.tell("restart", "n2")
    known = {"n1": ("ok", True), "n2": ("failed", True), "n3": ("ok", True)}
    lab.tell("fence-device", "ok")
    wait_until(lambda: rows(lab, "n1", "--last") == known, "it tells what it knew before its machine was off")
