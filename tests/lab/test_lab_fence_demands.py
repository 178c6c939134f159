"""`reconciler fence NODE` in a lab of real processes: refused, shown, given up, done; and who was fenced comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .harness import FENCED, NODES, Lab, wait_until

CONFIGURATION = f"""{FENCED}constraints:
  locations:
    on-n2: {{resource: s2, node: n2, score: 50}}
primitives:"""


def fence(lab: Lab, at: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, as an operator called ann gives it on a node."""
    return subprocess.run(
        [sys.executable, "-m", "reconciler", "fence", *words, "--socket", str(lab.directory / at / "node.sock")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "SUDO_USER": "ann"},
        check=False,
        stdin=subprocess.DEVNULL,
    )


def ends(lab: Lab) -> list[tuple[str, str, bool]]:
    lines = reversed(lab.fencing("n1")["history"])
    return [(line["node"], line["by"], line["succeeded"]) for line in lines if line["what"] == "ask"]


@pytest.mark.timeout(300)
def test_a_node_is_fenced_by_demand_and_comes_back(lab: Lab) -> None:
    lab.up(CONFIGURATION + lab.service("s2"))
    wait_until(lambda: lab.runs_on("s2") == "n2" and bool(lab.status("n1").get("converged")), "it runs")

    shown = fence(lab, "n1", "n2")
    assert shown.returncode == 3, shown
    assert "  s2  goes to n1\n" in shown.stderr or "  s2  goes to n3\n" in shown.stderr
    assert "[consent]" in shown.stderr
    unknown = fence(lab, "n1", "n9", "--yes")
    assert (unknown.returncode, "there is no node 'n9'" in unknown.stderr) == (1, True)
    assert ends(lab) == []

    lab.tell("fence-device", "fail")
    failed = fence(lab, "n3", "n2", "--yes")
    assert failed.returncode == 1
    assert "told to fail" in failed.stderr
    assert "n2 was not fenced: 1 device failed, in 2 tries" in failed.stderr
    assert lab.runs_on("s2") == "n2"

    lab.tell("fence-device", "ok")
    done = fence(lab, "n3", "n2", "--yes")
    assert done.returncode == 0, done
    assert done.stdout.startswith("n2 is down (by ")
    wait_until(lambda: lab.runs_on("s2") not in (None, "n2"), "it runs elsewhere")
    wait_until(lambda: lab.view_of("n2") == list(NODES), "n2 is back")
    wait_until(lambda: lab.runs_on("s2") == "n2", "and what ran there, too")

    assert ends(lab) == [("n2", "ann", False), ("n2", "ann", True)]
    assert "TWICE" not in lab.witness.read_text()


@pytest.mark.timeout(300)
def test_a_dc_that_is_switched_off_stays_off_and_another_one_goes_on(lab: Lab) -> None:
    lab.up(CONFIGURATION + lab.service("s2"))
    wait_until(lambda: lab.runs_on("s2") == "n2" and bool(lab.status("n1").get("converged")), "it runs")
    dc = lab.dc()
    assert dc is not None
    other = next(node for node in NODES if node != dc)
    off = fence(lab, other, dc, "--off", "--yes", "--json")
    assert off.returncode == 0, off
    told = json.loads(off.stdout)
    assert (told["node"], told["action"], told["fenced"]) == (dc, "off", True)
    wait_until(lambda: lab.dc() not in (None, dc), "another decides")
    again = fence(lab, other, dc, "--yes")
    assert (again.returncode, f"{dc} is down already" in again.stderr) == (1, True)
    assert not lab.nodes()[dc]["pid"], "nobody switched it on"
    lab.tell("restart", dc)
    wait_until(lambda: lab.fencing(other)["records"] == [], "it takes part again")
    assert lab.view_of(dc) == list(NODES)
