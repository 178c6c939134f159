"""Who clears up below /run takes nothing away for long: the daemon can be reached again, alone, and agents have their commands."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from reconciler.cli.node.client import ClientError

from .conftest import Node


def answers(node: Node) -> bool:
    try:
        return bool(node.client.get("/v1/health")["pid"] == node.running.pid)
    except ClientError:
        return False


@pytest.mark.parametrize("removed", ["", "reconciler.sock", "lock", "commands"])
def test_what_is_removed_from_the_run_directory_is_made_anew(node: Node, removed: str) -> None:
    node.write(node.configuration({"a": "1"}))
    node.at_rest_with({"a": "1"})
    run = node.path / "run"
    before = {path.relative_to(run) for path in run.rglob("*")}
    gone = run / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    node.wait(lambda: {path.relative_to(run) for path in run.rglob("*")} >= before, "all of it is there again")
    node.wait(lambda: answers(node), "it answers")
    assert "was made anew" in node.daemon_log()
    other = node.path / "other.yaml"
    other.write_text((node.path / "node.yaml").read_text().replace("state: state", "state: other", 1))
    words = [sys.executable, "-m", "reconciler", "run", "--config", str(other)]
    second = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"another daemon (process {node.running.pid}) uses the run directory" in second.stderr
    node.write(node.configuration({"a": "2"}))
    node.at_rest_with({"a": "2"})
    assert node.stop() == 0
