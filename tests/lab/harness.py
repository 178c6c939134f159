"""A lab of real processes as the tests drive it, by its commands; and what its services have witnessed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.cli.lab.control import act, ask
from reconciler.cli.node.client import Client, ClientError

WITNESS = Path(__file__).with_name("witness.py")
NODES = ("n1", "n2", "n3")
FENCED = """
cluster: {name: lab}
nodes: {n1: {}, n2: {}, n3: {}}
fencing:
  devices:
    power: {agent: "stonith:fence_of_real_machines", params: {pcmk_host_list: n1 n2 n3}}
"""
"""How a configuration of these nodes begins, where a device can switch each of them off."""


class Lab:
    """A lab in `directory`, which it makes, following the configuration in `directory.parent / "cluster.d"`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.witness = directory.parent / "witness"

    def up(self, configuration: str, nodes: int | None = None) -> None:
        path = self.directory.parent / "cluster.d"
        path.mkdir()
        (path / "all.yaml").write_text(configuration)
        act(("up", str(path)), nodes, str(self.directory))

    def tell(self, *words: str) -> None:
        act(words, None, str(self.directory))

    def nodes(self) -> dict[str, dict[str, Any]]:
        return {one["node"]: one for one in ask(self.directory, {"do": "status"})["nodes"]}

    def view_of(self, node: str) -> list[str]:
        view = self.nodes()[node]["view"]
        return [] if view is None else list(view["members"])

    def status(self, node: str) -> dict[str, Any]:
        try:
            return dict(Client(str(self.directory / node / "node.sock"), 5).get("/v1/status"))
        except ClientError:
            return {}

    def fencing(self, node: str) -> dict[str, Any]:
        """What a node tells of fencing."""
        return dict(Client(str(self.directory / node / "node.sock"), 5).get("/v1/fencing"))

    def log(self, node: str) -> str:
        return (self.directory / node / "log").read_text(errors="replace")

    def service(self, name: str) -> str:
        """A service that notices when it runs twice, as a primitive of the configuration."""
        command = f"exec {sys.executable} {WITNESS} {self.witness} {name} $OCF_RESKEY_CRM_meta_on_node"
        return f"""
  {name}:
    agent: ocf:reconciler:process
    params: {{command: {command}}}
    operations: {{monitor: {{interval: 5s}}}}"""

    def lines(self) -> list[list[str]]:
        """What the services have witnessed: when, what, which service, where, in which process."""
        return [line.split() for line in self.witness.read_text().splitlines()] if self.witness.exists() else []

    def runs_on(self, name: str) -> str | None:
        """The node on which a process of the service is, whoever knows of it."""
        found = [line for line in self.lines() if line[1:3] == ["start", name] and _lives(line[4])]
        return found[-1][3] if found else None

    def dc(self) -> str | None:
        """Whom a majority takes for the DC."""
        told = [self.status(node).get("dc") for node, one in self.nodes().items() if one["pid"] and not one["frozen"]]
        return next((one for one in told if one is not None and 2 * told.count(one) > len(self.nodes())), None)


def _lives(pid: str) -> bool:
    try:
        return WITNESS.name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
