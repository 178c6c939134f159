"""What must hold once all is mended, whatever happened: one history, one state, nothing lost, nothing active twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.cli.node.client import Client

_MOST = "1000"
"""Of so many activations a node knows."""


class Chronicle:
    """What was active by the word of each node, as it was read whenever all agreed: of that nothing may ever change."""

    def __init__(self) -> None:
        self._active: dict[str, dict[str, str]] = {}
        """By node and version the commit."""

    def read(self, clients: Mapping[str, Client]) -> list[str]:
        """Ask nodes that are at rest; what they don't agree on, or say otherwise than before, nothing when all is well."""
        wrong, histories, states = [], {}, {}
        for node, client in clients.items():
            entries = client.get("/v1/history", {"limit": _MOST})["entries"]
            histories[node] = {str(entry["version"]): str(entry["commit"]) for entry in entries}
            states[node] = _shared_part(client.get("/v1/cib")["cib"])
            wrong += self._add(node, histories[node])
        if any(history != histories[next(iter(histories))] for history in histories.values()):
            wrong.append("the nodes have different histories")
        if any(state != states[next(iter(states))] for state in states.values()):
            wrong.append("the nodes have different states")
        return wrong

    def _add(self, node: str, history: Mapping[str, str]) -> list[str]:
        known = self._active.setdefault(node, {})
        changed = [version for version, commit in history.items() if known.setdefault(version, commit) != commit]
        return [f"{node} says that {history[one]} was active as {one}, and said {known[one]}" for one in changed]

    def lacks(self, acknowledged: Iterable[str]) -> list[str]:
        """Which acknowledged commits which node has lost."""
        wanted = dict.fromkeys(acknowledged)
        found = {node: set(history.values()) for node, history in self._active.items()}
        return [
            f"{node} has lost the acknowledged commit {one}"
            for node in found
            for one in wanted
            if one not in found[node]
        ]


def twice(lines: Iterable[list[str]]) -> list[str]:
    """Where services noticed that they ran twice."""
    return [f"active twice: {' '.join(line)}" for line in lines if line[1] == "TWICE"]


def _shared_part(cib: dict[str, Any]) -> dict[str, Any]:
    """What members share of a CIB."""
    return {name: value for name, value in cib.items() if name not in ("dc_id", "have_quorum")}
