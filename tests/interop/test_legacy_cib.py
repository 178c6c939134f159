"""A CIB of a schema before pacemaker-3.0: each row is an old spelling, and what is read for it.

What Pacemaker 2.1.5 makes of the same documents was compared with `cibadmin --upgrade`; the one difference is deliberate: there a resource
with both isolation and resource-failure-stickiness in one block loses the former, here it is disabled.
"""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.errors import Finding
from reconciler.interop.reading.cib import read_cib_with_warnings
from reconciler.model.resource import Operation, Primitive


def read(
    options: str = "", inner: str = "", rest: str = "", schema: str = "pacemaker-2.10"
) -> tuple[Cib, list[Finding]]:
    text = f"""<cib validate-with="{schema}"><configuration>
      <crm_config><cluster_property_set id="options">{options}</cluster_property_set></crm_config>
      <nodes><node id="1" uname="n1" type="normal"/></nodes>
      <resources><primitive id="A" class="stonith" type="x">{inner}</primitive></resources>
      <constraints/>{rest}</configuration><status/></cib>"""
    cib, findings = read_cib_with_warnings(text.encode())
    return cib, list(findings)


def pair(name: str, value: str) -> str:
    return f'<nvpair id="{name}" name="{name}" value="{value}"/>'


def merged(blocks: object) -> dict[str, str]:
    return {name: value for block in blocks for name, value in block.values.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value", "options", "resources", "operations"),
    [
        ("stonith_enabled", "false", {"stonith-enabled": "false"}, {}, {}),
        ("transition_idle_timeout", "5s", {"cluster-delay": "5s"}, {}, {}),
        ("default-action-timeout", "7", {}, {}, {"timeout": "7"}),
        ("default_action_timeout", "7", {}, {}, {"timeout": "7"}),
        ("default-resource-stickiness", "9", {}, {"resource-stickiness": "9"}, {}),
        ("is_managed_default", "false", {}, {"is-managed": "false"}, {}),
        ("default-resource-failure-stickiness", "-INFINITY", {}, {"migration-threshold": "1"}, {}),
        ("default-resource-failure-stickiness", "5", {}, {}, {}),
        ("default-migration-threshold", "5", {}, {}, {}),
        ("expected-quorum-votes", "5", {}, {}, {}),
        ("cluster-infrastructure", "openais", {}, {}, {}),
        ("cluster-infrastructure", "corosync", {"cluster-infrastructure": "corosync"}, {}, {}),
    ],
)
def test_options(name: str, value: str, options: dict[str, str], resources: dict[str, str], operations: dict[str, str]):
    configuration = read(pair(name, value))[0].configuration
    assert merged(configuration.options) == options
    assert merged(configuration.defaults.resources) == resources
    assert merged(configuration.defaults.operations) == operations


def test_a_default_that_is_there_already_stays():
    rest = f'<rsc_defaults><meta_attributes id="d">{pair("is-managed", "true")}</meta_attributes></rsc_defaults>'
    configuration = read(pair("is-managed-default", "false"), rest=rest)[0].configuration
    assert merged(configuration.defaults.resources) == {"is-managed": "true"}


def only(cib: Cib) -> Primitive:
    (primitive,) = cib.configuration.resources
    assert isinstance(primitive, Primitive)
    return primitive


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pcmk_reboot_cmd", "off", {"pcmk_reboot_action": "off"}),
        ("pcmk_arg_map", "port:uname", {"pcmk_host_argument": "uname"}),
        ("pcmk_arg_map", "domain:uname", {}),
        ("ip", "1", {"ip": "1"}),
    ],
)
def test_parameters(name: str, value: str, expected: dict[str, str]):
    inner = f'<instance_attributes id="i">{pair(name, value)}</instance_attributes>'
    assert merged(only(read(inner=inner)[0]).params) == expected


def test_isolation_disables_and_says_so():
    cib, findings = read(inner=f'<meta_attributes id="m">{pair("isolation-host", "x")}</meta_attributes>')
    assert merged(only(cib).meta) == {"target-role": "Stopped"}
    assert [finding.code for finding in findings] == ["legacy-isolation"]


def operation(text: str) -> tuple[Primitive, Operation]:
    primitive = only(read(inner=f"<operations>{text}</operations>")[0])
    return primitive, primitive.operations[0]


def test_what_a_start_requires_is_said_of_the_resource():
    primitive, start = operation('<op id="o" name="start" interval="0" requires="fencing"/>')
    assert merged(primitive.meta) == {"requires": "fencing"}
    assert start.attributes == {}


def test_what_a_monitor_requires_is_lost():
    primitive, monitor = operation('<op id="o" name="monitor" interval="9" requires="fencing"/>')
    assert (primitive.meta, monitor.attributes) == ((), {})


def test_settings_of_an_operation_are_no_parameters():
    block = f'<instance_attributes id="i">{pair("timeout", "7")}{pair("own", "1")}</instance_attributes>'
    _, monitor = operation(f'<op id="o" name="monitor" interval="9">{block}</op>')
    assert (merged(monitor.meta), merged(monitor.params)) == ({"timeout": "7"}, {"own": "1"})


def test_a_node_that_is_normal_is_a_member():
    assert read()[0].configuration.nodes[0].type == "member"


def test_what_came_of_it_is_valid_for_the_newest_schema():
    assert read()[0].extra["validate-with"] == "pacemaker-3.9"


@pytest.mark.parametrize("schema", ["pacemaker-3.0", "pacemaker-3.9", "none"])
def test_a_document_of_today_is_left_as_it_is(schema: str):
    cib, findings = read(pair("default-action-timeout", "7"), schema=schema)
    assert merged(cib.configuration.options) == {"default-action-timeout": "7"}
    assert cib.extra["validate-with"] == schema
    assert findings == []


def test_warnings_name_the_line_of_the_original():
    _, findings = read(pair("stonith_enabled", "1") + "\n" + pair("expected-quorum-votes", "2"))
    assert [finding.place.line for finding in findings] == [3]
