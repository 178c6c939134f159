"""A lab with real processes: nodes agree, what ran on a node that is off runs elsewhere, and `down` leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.lab.control import act, ask
from reconciler.cli.node.client import Client, ClientError
from reconciler.fabric.lab.wire import LabError

CONFIGURATION = """
cluster:
  name: lab
  options: {fencing-enabled: false}
primitives:
  a:
    agent: ocf:reconciler:Dummy
    operations: {monitor: {interval: 10s}, stop: {timeout: 1s}}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Path]:
    """A lab of three nodes with one resource."""
    (tmp_path / "cluster.d").mkdir()
    (tmp_path / "cluster.d" / "all.yaml").write_text(CONFIGURATION)
    directory = tmp_path / "lab"
    act(("up", str(tmp_path / "cluster.d")), 3, str(directory))
    yield directory
    with contextlib.suppress(LabError):
        act(("down",), 3, str(directory))


def status(directory: Path, node: str) -> dict[str, Any]:
    try:
        found = Client(str(directory / node / "node.sock")).get("/v1/status")
    except ClientError:
        return {}
    return dict(found)


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def where(directory: Path) -> list[str]:
    """The nodes on which the resource really runs, by the agent's own file."""
    return [path.parent.parent.name for path in sorted(directory.glob("n*/agents/*Dummy-a.state"))]


def commits(directory: Path) -> set[str | None]:
    """What the nodes have as the active commit."""
    found = [status(directory, node).get("active") or {} for node in ("n1", "n2", "n3")]
    return {active.get("commit") for active in found}


def members(directory: Path, node: str) -> list[str]:
    (found,) = [one for one in ask(directory, {"do": "status"})["nodes"] if one["node"] == node]
    return [] if found["view"] is None else list(found["view"]["members"])


def processes_of(directory: Path) -> list[int]:
    """Processes that carry the lab's directory in their command or environment."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{name}/cmdline").read_bytes() + Path(f"/proc/{name}/environ").read_bytes()
            if str(directory).encode() in text:
                found.append(int(name))
    return found


def test_a_lab_from_its_beginning_to_its_end(lab: Path, tmp_path: Path) -> None:
    wait_until(lambda: len(where(lab)) == 1, "the resource runs")
    wait_until(lambda: len(commits(lab)) == 1 and commits(lab) != {None}, "all have the same commit")
    (first,) = where(lab)
    others = [node for node in ("n1", "n2", "n3") if node != first]

    act(("off", first), 3, str(lab))
    assert where(lab) == []
    wait_until(lambda: len(where(lab)) == 1 and where(lab)[0] in others, "it runs elsewhere")

    act(("restart", first), 3, str(lab))
    wait_until(lambda: members(lab, first) == ["n1", "n2", "n3"], "the node is back")
    (second,) = where(lab)

    act(("partition", second, ",".join(node for node in ("n1", "n2", "n3") if node != second)), 3, str(lab))
    wait_until(lambda: second not in where(lab), "who is cut off stops what it runs")
    wait_until(lambda: len(where(lab)) == 1, "and it runs on the other side")
    act(("heal",), 3, str(lab))
    wait_until(lambda: members(lab, second) == ["n1", "n2", "n3"], "all reach each other")

    act(("freeze", second), 3, str(lab))
    wait_until(lambda: second not in members(lab, first), "who stands still is missed")
    act(("thaw", second), 3, str(lab))
    wait_until(lambda: members(lab, first) == ["n1", "n2", "n3"], "and taken in again")
    wait_until(lambda: len(commits(lab)) == 1 and commits(lab) != {None}, "all still have the same commit")

    act(("down",), 3, str(lab))
    assert not lab.exists()
    wait_until(lambda: processes_of(lab) == [], "nothing is left behind", 5.0)


def test_what_the_lab_does_not_know_is_refused(lab: Path) -> None:
    for command in ({"do": "explode"}, {"do": "kill", "node": "n9"}, {"do": "partition", "sides": [["n9"]]}):
        with pytest.raises(LabError):
            ask(lab, command)
    with pytest.raises(LabError, match="the fence device can be ok, fail, slow, and not 'weird'"):
        ask(lab, {"do": "fence-device", "mode": "weird"})
    with pytest.raises(LabError, match="there is a lab"):
        act(("up",), 3, str(lab))


def test_without_a_lab_every_command_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "lab", "status", "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "reconciler lab up" in done.stderr


@pytest.mark.timeout(120)
def test_a_node_that_joins_says_so_and_nothing_of_a_quorum_or_of_rest(lab: Path) -> None:
    """It remembers a cluster at rest, and is in no view yet."""
    nodes = ("n1", "n2", "n3")
    wait_until(lambda: all(status(lab, node).get("converged") for node in nodes), "it is at rest")
    joins = next(node for node in nodes if node != status(lab, "n1")["dc"])
    act(("kill", joins), None, str(lab))
    act(("restart", joins), None, str(lab))
    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (seen and seen[-1]["takes_part"] == "yes" and seen[-1]["converged"]):
        seen += [told] if (told := status(lab, joins)) else []
    joining = [one for one in seen if one["takes_part"] == "joining"]
    assert joining
    assert seen[-1]["takes_part"] == "yes"
    assert not any(one["converged"] for one in joining)
    assert all(one["quorate"] for one in seen if one["takes_part"] == "yes"), (
        "only who takes part says that there is none"
    )
