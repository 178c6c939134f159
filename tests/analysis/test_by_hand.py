"""One operation by hand: the call as the cluster would make it, and what would make something active twice."""

from __future__ import annotations

import pytest

from reconciler.analysis.by_hand import ByHandError, call_of, refusal
from reconciler.analysis.steady import steady
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.language import load
from reconciler.model.attributes import encode_secret
from reconciler.model.date import Instant

NOW = Instant(1_800_000_000)
TEXT = """
cluster: {options: {fencing-enabled: false, maintenance-mode: true}}
nodes: {n1: {attributes: {rack: a}}, n2: {attributes: {rack: b}}}
defaults: {resources: {resource-stickiness: 1}}
templates:
  base: {agent: 'ocf:reconciler:Dummy', params: {state: /run/base}, operations: {start: {timeout: 33s}}}
primitives:
  web:
    template: base
    params:
    - {rule: 'rack eq b', values: {state: /run/b}}
    - {values: {fake: {secret: word}}}
    operations: {monitor: {interval: 10s, timeout: 7s, params: {OCF_CHECK_LEVEL: 20}}}
  off: {agent: 'ocf:reconciler:Dummy', meta: {target-role: Stopped}}
  member: {agent: 'ocf:reconciler:Stateful'}
  alone: {agent: 'ocf:reconciler:Dummy', meta: {is-managed: false}}
clones:
  members: {resource: member, promotable: true, meta: {notify: true}}
"""


@pytest.fixture(scope="module")
def cib() -> Cib:
    answer = load({"c.yaml": TEXT.replace("maintenance-mode: true", "maintenance-mode: false").encode()})
    assert answer.configuration is not None, answer.findings
    return steady(answer.configuration, NOW).cib


@pytest.mark.parametrize(
    ("node", "operation", "state", "timeout_ms", "more"),
    [
        ("n1", "start", "/run/base", 33_000, {}),
        ("n2", "start", "/run/b", 33_000, {}),
        ("n2", "monitor", "/run/b", 7_000, {"OCF_CHECK_LEVEL": "20"}),
        ("n1", "stop", "/run/base", 20_000, {}),
        ("n1", "validate-all", "/run/base", 20_000, {}),
    ],
)
def test_the_call_has_what_is_in_force(cib, node, operation, state, timeout_ms, more) -> None:
    call = call_of(cib, NOW, "web", node, operation)
    assert dict(call.parameters) == {"state": state, "fake": encode_secret("word"), **more}
    assert (call.resource, call.operation, call.timeout_ms, call.interval_ms) == ("web", operation, timeout_ms, 0)
    assert str(call.agent) == "ocf:reconciler:Dummy"


@pytest.mark.parametrize("name", ["off", "alone", "member"])
def test_whatever_is_disabled_unmanaged_or_cloned_can_be_called(cib, name) -> None:
    assert call_of(cib, NOW, name, "n1", "monitor").resource == name


def test_what_a_clone_tells_its_instances_is_told(cib) -> None:
    assert call_of(cib, NOW, "member", "n1", "monitor").meta["CRM_meta_clone_max"] == "2"


def test_what_is_not_there_is_named_with_what_is_near(cib) -> None:
    with pytest.raises(ByHandError, match=r"there is no primitive 'wep'.*web"):
        call_of(cib, NOW, "wep", "n1", "start")


@pytest.mark.parametrize(
    ("name", "node", "operation", "why"),
    [
        ("web", "n1", "start", "it runs on"),
        ("web", "n2", "start", "it runs on"),
        ("web", "n1", "stop", None),
        ("web", "n2", "monitor", None),
        ("off", "n1", "start", None),
        ("off", "n2", "start", None),
        ("member", "n1", "start", "it runs on n1"),
        ("member", "n1", "validate-all", None),
    ],
)
def test_what_would_be_active_twice_is_refused(cib, name, node, operation, why) -> None:
    found = refusal(cib, NOW, name, node, operation)
    assert found is None if why is None else found is not None and why in found


def test_without_quorum_or_with_an_unclean_node_nothing_is_begun(cib) -> None:
    assert refusal(replace(cib, have_quorum=False), NOW, "off", "n1", "start") == (
        "without quorum nobody knows what runs on the other nodes"
    )
    lost = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "member"}
    states = tuple(replace(one, attributes=lost) if one.name == "n2" else one for one in cib.status.nodes)
    unclean = replace(cib, status=replace(cib.status, nodes=states))
    assert refusal(unclean, NOW, "off", "n1", "start") == "nobody knows what runs on n2"
    assert refusal(unclean, NOW, "off", "n1", "stop") is None


def test_what_the_cluster_is_about_to_start_is_refused(cib) -> None:
    histories = tuple(replace(one, history=tuple(h for h in one.history if h.id != "web")) for one in cib.status.nodes)
    unknown = replace(cib, status=replace(cib.status, nodes=histories))
    assert "the cluster is about to start it on" in str(refusal(unknown, NOW, "web", "n1", "start"))
