"""What an agent would refuse of its parameters and operations is found at its place."""

from __future__ import annotations

import pytest
from planted import judged, planted

from reconciler.model.metadata import AgentAction, AgentMetadata, AgentParameter
from reconciler.model.resource import Agent

AGENT = AgentMetadata(
    "IPaddr2",
    parameters={
        "ip": AgentParameter("ip", "string", required=True, unique=True),
        "cidr_netmask": AgentParameter("cidr_netmask", "integer"),
        "lvs_support": AgentParameter("lvs_support", "boolean"),
        "clusterip_hash": AgentParameter("clusterip_hash", "select", values=("sourceip", "sourceip-sourceport")),
        "old_nic": AgentParameter("old_nic", deprecated=True, replaced_by=("nic",)),
        "nic": AgentParameter("nic"),
    },
    actions=(AgentAction("start", "20s"), AgentAction("stop", "20s"), AgentAction("monitor", "20s", "10s")),
)
BASE = """\
cluster: {options: {fencing-enabled: true}}
nodes: {n1: {}}
fencing: {devices: {f: {agent: 'stonith:fence_x', params: {pcmk_host_list: n1}}}}
primitives:
  ip:
    agent: ocf:heartbeat:IPaddr2
    params: {ip: 10.0.0.1}
    operations: {monitor: {interval: 30s}}
"""


def lookup(agent: Agent) -> AgentMetadata | None:
    if agent.type == "fence_x":
        return AgentMetadata(
            "fence_x",
            parameters={
                "action": AgentParameter("action", required=True),
                "port": AgentParameter("port", required=True),
            },
        )
    return AGENT if agent.type == "IPaddr2" else None


def test_an_agent_finds_no_fault_in_a_clean_file() -> None:
    assert judged(BASE, agents=lookup).findings == ()


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("unknown-parameter", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, «netmask: 24}"),
        (
            "missing-parameter",
            "  ip:\n    agent: ocf:heartbeat:IPaddr2\n    params: {ip: 10.0.0.1}",
            "  «ip:\n    agent: ocf:heartbeat:IPaddr2\n    params: {nic: lo}",
        ),
        ("parameter-type", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, cidr_netmask: «x}"),
        ("parameter-type", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, lvs_support: «maybe}"),
        ("parameter-value", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, clusterip_hash: «sourcip}"),
        ("deprecated-parameter", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, «old_nic: lo}"),
        ("timeout-below-advice", "{interval: 30s}", "{interval: 30s, timeout: «5s}"),
        ("interval-below-advice", "{interval: 30s}", "{interval: «5s}"),
        ("unknown-operation", "{monitor: {interval: 30s}}", "{monitor: {interval: 30s}, «montor: {interval: 20s}}"),
        (
            "unique-clash",
            "primitives:\n",
            "primitives:\n  a: {agent: 'ocf:heartbeat:IPaddr2', params: {ip: 10.0.0.1}}\n",
        ),
        ("agent-not-installed", "primitives:\n", "primitives:\n  a: {agent: «'ocf:heartbeat:Other'}\n"),
    ],
)
def test_an_agent_finds_what_it_would_refuse(code: str, old: str, new: str) -> None:
    assert BASE.count(old) == 1
    text, places = planted(BASE.replace(old, new))
    found = judged(text, agents=lookup).findings
    assert [finding.code for finding in found] == [code]
    if places:
        assert (found[0].place.line, found[0].place.column) == places[0]


def test_without_agents_parameters_are_not_judged() -> None:
    assert judged(BASE.replace("{ip: 10.0.0.1}", "{nonsense: 1}")).findings == ()
