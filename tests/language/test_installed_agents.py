"""What installed agents say of themselves: their own defaults are accepted, what they need is asked for, slips are named."""

from __future__ import annotations

import pytest
from machine import needs_agents

from reconciler.agents.installed import Roots, installed
from reconciler.agents.metadata import MetadataLookup
from reconciler.language import load
from reconciler.language.writing.yaml_text import to_yaml
from reconciler.model.metadata import AgentMetadata, AgentParameter
from reconciler.model.resource import Agent

AGENTS = [agent for agent in installed(Roots(), "ocf") if agent.provider in ("heartbeat", "pacemaker")]
SITE = "cluster: {options: {fencing-enabled: false}}\n"


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> MetadataLookup:
    return MetadataLookup(cache_directory=str(tmp_path_factory.mktemp("agents")))


def codes(text: str, agents: object) -> list[str]:
    found = load({"a.yaml": (SITE + text).encode()}, agents=agents)  # type: ignore[arg-type]  # A lookup of some kind.
    return [finding.code for finding in found.findings]


@needs_agents("pacemaker")
@needs_agents("heartbeat")
def test_no_installed_agent_has_its_own_defaults_refused(lookup: MetadataLookup) -> None:
    refused = []
    for agent in AGENTS:
        metadata = lookup(agent)
        if not isinstance(metadata, AgentMetadata):
            continue
        params = {name: one.default for name, one in metadata.parameters.items() if one.default}
        text = to_yaml({"primitives": {"a": {"agent": str(agent), "params": params}}})
        found = load({"a.yaml": (SITE + text).encode()}, agents=lookup).findings
        refused += [str(one) for one in found if one.code in ("parameter-type", "parameter-value")]
    assert refused == []


def lookup_of(*parameters: AgentParameter):
    metadata = AgentMetadata("x", parameters={one.name: one for one in parameters})
    return lambda agent: metadata if agent == Agent("ocf", "x", "p") else None


def test_a_required_parameter_with_an_empty_default_is_required() -> None:
    agents = lookup_of(AgentParameter("ip", required=True, default=""))
    assert "missing-parameter" in codes("primitives: {a: {agent: 'ocf:p:x'}}\n", agents)
    assert "missing-parameter" not in codes("primitives: {a: {agent: 'ocf:p:x', params: {ip: 10.0.0.1}}}\n", agents)
    agents = lookup_of(AgentParameter("ip", required=True, default="10.0.0.1"))
    assert "missing-parameter" not in codes("primitives: {a: {agent: 'ocf:p:x'}}\n", agents)


@pytest.mark.parametrize(("default", "refused"), [("5s", False), ("5", True), ("", True), (None, True)])
def test_a_default_that_does_not_fit_its_type_switches_the_check_off(default: str | None, refused: bool) -> None:
    agents = lookup_of(AgentParameter("dampen", type="integer", default=default))
    text = "primitives: {a: {agent: 'ocf:p:x', params: {dampen: 7s}}}\n"
    assert ("parameter-type" in codes(text, agents)) == refused


@needs_agents("heartbeat")
def test_the_address_of_the_article_needs_its_address(lookup: MetadataLookup) -> None:
    assert "missing-parameter" in codes("primitives: {a: {agent: 'ocf:heartbeat:IPaddr2'}}\n", lookup)


@needs_agents("pacemaker")
@needs_agents("heartbeat")
def test_an_agent_that_is_not_there_gets_its_nearest_name(lookup: MetadataLookup) -> None:
    slip = f"{str(AGENTS[0])[:-1]}"
    found = load({"a.yaml": f"{SITE}primitives: {{a: {{agent: '{slip}'}}}}\n".encode()}, agents=lookup).findings
    [finding] = [one for one in found if one.code == "agent-not-installed"]
    assert finding.hint == f"did you mean '{AGENTS[0]}'?"
