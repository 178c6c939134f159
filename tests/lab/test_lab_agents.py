"""Which agents each node has, in a lab of real processes: a plan made on one warns of what another lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.cli.node.client import Client, ClientError

from .harness import NODES, Lab, wait_until

CONFIGURATION = """
cluster: {name: lab, options: {fencing-enabled: false}}
nodes: {n1: {}, n2: {}, n3: {}}
primitives:
  p: {agent: 'ocf:reconciler:process', params: {command: sleep 99999}}
"""


def told(lab: Lab, at: str) -> dict[str, list[str]]:
    """By node its agents of this test's provider, as another one knows it."""
    try:
        nodes = Client(str(lab.directory / at / "node.sock"), 5).get("/v1/agents")["nodes"]
    except ClientError:
        return {}  # It has just begun.
    return {node: [name for name in names if name.startswith("ocf:here:")] for node, names in nodes.items()}


@pytest.mark.timeout(300)
def test_a_plan_warns_of_a_node_that_lacks_an_agent(lab: Lab, tmp_path: Path) -> None:
    lab.up(CONFIGURATION)
    wait_until(lambda: lab.status("n1").get("converged", False), "it runs")
    for node in ("n1", "n3"):
        agent = tmp_path / node / "resource.d" / "here" / "web"
        agent.parent.mkdir(parents=True)
        agent.write_text("#!/bin/sh\nexit 0\n")
        agent.chmod(0o755)
    for node in NODES:
        path = lab.directory / node / "node.yaml"
        written = yaml.safe_load(path.read_text())
        written.setdefault("agents", {})["ocf-roots"] = [str(tmp_path / node)]
        path.write_text(yaml.safe_dump(written))
        lab.tell("restart", node)
    everywhere = {"n1": ["ocf:here:web"], "n2": [], "n3": ["ocf:here:web"]}
    wait_until(lambda: told(lab, "n3") == everywhere, "each has told", 60)

    wanted = tmp_path / "wanted"
    wanted.mkdir()
    (wanted / "all.yaml").write_text(f"{CONFIGURATION}  web: {{agent: 'ocf:here:web'}}\n")
    words = ["plan", str(wanted), "--socket", str(lab.directory / "n1" / "node.sock")]
    plan = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert "! n2 has no ocf:here:web: web " in plan.stdout, plan
    assert plan.stdout.count("agent_missing") == 1
