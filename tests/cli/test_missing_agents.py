"""What a plan says of agents that a node lacks: only where what needs them may run, and only of nodes that have told."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.analysis.steady import steady
from reconciler.cli.node.client import Refused
from reconciler.cli.planning.missing_agents import has, missing_agents
from reconciler.language import load
from reconciler.model.date import Instant
from reconciler.model.resource import Agent

NOW = Instant(1_800_000_000)
HEAD = """
cluster: {name: site, options: {fencing-enabled: false}}
nodes: {n1: {}, n2: {}, n3: {}}
"""
BOTH = ["ocf:x:web", "ocf:x:db"]


class Daemon:
    def __init__(self, nodes: dict[str, list[str]] | None) -> None:
        self.nodes = nodes

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/v1/agents"
        if self.nodes is None:
            raise Refused(404, {"error": {"code": "unknown-path", "message": "there is no /v1/agents"}})
        return {"nodes": self.nodes}


def said(nodes: dict[str, list[str]] | None, text: str) -> list[str]:
    before = load({"site.yaml": HEAD.encode()}).configuration
    found = load({"site.yaml": (HEAD + text).encode()})
    assert before is not None
    assert found.configuration is not None, found.findings
    daemon: Any = Daemon(nodes)
    guards = missing_agents(daemon, steady(before, NOW).cib, found.configuration, NOW)
    assert all(guard.warns and guard.kind == "agent_missing" for guard in guards)
    return [guard.text for guard in guards]


def test_who_lacks_what_may_run_there_is_named() -> None:
    nodes = {"n1": BOTH, "n2": ["ocf:x:db"], "n3": []}
    web = "primitives: {web: {agent: 'ocf:x:web'}, db: {agent: 'ocf:x:db'}}\n"
    prefers = (
        "constraints: {locations: {l: {resource: web, node: n2, score: 5}, m: {resource: db, node: n1, score: 5}}}"
    )
    assert said(nodes, web + prefers) == [
        "n3 has no ocf:x:db: db can't go there",
        "n2 has no ocf:x:web: web would go there, and can't run",
        "n3 has no ocf:x:web: web can't go there",
    ]


def test_what_may_not_run_there_needs_nothing_there() -> None:
    web = "primitives: {web: {agent: 'ocf:x:web'}}\n"
    kept = "constraints: {locations: {l: {resource: web, node: n3, score: -INFINITY}}}"
    assert said({"n1": BOTH, "n2": BOTH, "n3": []}, web + kept) == []


def test_a_clone_and_a_group_run_by_their_members() -> None:
    text = """
primitives: {web: {agent: 'ocf:x:web'}, db: {agent: 'ocf:x:db'}}
clones: {webs: {resource: web}}
"""
    assert said({"n1": BOTH, "n2": ["ocf:x:db"]}, text) == ["n2 has no ocf:x:web: web would go there, and can't run"]


def test_many_resources_are_named_shortly() -> None:
    names = [f"r{i}" for i in range(8)]
    resources = ", ".join(f"{name}: {{agent: 'ocf:x:web'}}" for name in names)
    locations = ", ".join(f"l{name}: {{resource: {name}, node: n3, score: 5}}" for name in names)
    text = f"primitives: {{{resources}}}\nconstraints: {{locations: {{{locations}}}}}"
    assert said({"n3": []}, text) == [
        "n3 has no ocf:x:web: r0, r1, r2, r3, r4 and 3 more would go there, and can't run"
    ]


@pytest.mark.parametrize("nodes", [None, {}, {"n1": BOTH, "n2": BOTH}])
def test_who_has_told_nothing_is_not_judged(nodes: dict[str, list[str]] | None) -> None:
    assert said(nodes, "primitives: {web: {agent: 'ocf:x:web'}}") == []


@pytest.mark.parametrize(
    ("agent", "known"),
    [
        (Agent("ocf", "web", "x"), True),
        (Agent("ocf", "web", "y"), False),
        (Agent("stonith", "fence_x"), True),
        (Agent("lsb", "nginx"), False),
        (Agent("systemd", "nginx"), True),
        (Agent("systemd", "nginx.service"), True),
        (Agent("systemd", "made@one"), True),
        (Agent("service", "old"), True),
        (Agent("systemd", "old"), True),
        (Agent("systemd", "none"), False),
        (Agent("nagios", "any"), True),
    ],
    ids=str,
)
def test_which_agents_count_as_there(agent: Agent, known: bool) -> None:
    assert has(["ocf:x:web", "stonith:fence_x", "systemd:nginx", "lsb:old"], agent) is known
