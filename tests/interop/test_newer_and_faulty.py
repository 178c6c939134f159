"""CIBs of newer Pacemakers, of much older ones, and ids that stand twice."""

from __future__ import annotations

import pytest
from published_cases import catalogue, needs_cases, xml_of

from reconciler.errors import InputError
from reconciler.interop.reading.cib import read_cib, read_cib_with_warnings
from reconciler.scheduler import schedule

MEMBER = '<node_state id="{id}" uname="n{id}" in_ccm="{ccm}" crmd="{crmd}" join="member" expected="member"/>'


def cib(
    *states: str, feature_set: str = "3.19.0", options: str = "", rest: str = "", schema: str = "pacemaker-3.9"
) -> bytes:
    return f"""<cib crm_feature_set="{feature_set}" validate-with="{schema}" epoch="1" num_updates="0" admin_epoch="0" have-quorum="1"
 execution-date="1760000000"><configuration><crm_config><cluster_property_set id="o">{options}</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes>
<resources><primitive id="web" class="ocf" provider="heartbeat" type="Dummy"/></resources><constraints/>{rest}</configuration>
<status>{"".join(states)}</status></cib>""".encode()


def test_times_in_a_newer_node_state_say_since_when_a_member_is_there() -> None:
    there = MEMBER.format(id=1, ccm=1_760_000_000, crmd=1_760_000_001)
    gone = MEMBER.format(id=2, ccm=0, crmd=0)
    read, warnings = read_cib_with_warnings(cib(there, gone))
    first, second = (dict(state.attributes) for state in read.status.nodes)
    assert (first["in_ccm"], first["crmd"]) == ("true", "online")
    assert (second["in_ccm"], second["crmd"]) == ("false", "offline")
    assert [warning.code for warning in warnings] == ["newer-than-reference"]


def test_a_feature_set_of_the_reference_keeps_its_words() -> None:
    read, warnings = read_cib_with_warnings(cib(MEMBER.format(id=1, ccm=7, crmd=8), feature_set="3.16.1"))
    assert dict(read.status.nodes[0].attributes)["in_ccm"] == "7"
    assert warnings == ()


@pytest.mark.parametrize("feature_set", ["3.16.1", "3.20.0"])
def test_an_option_s_newer_name_means_the_same_everywhere(feature_set: str) -> None:
    options = '<nvpair id="o1" name="fencing-enabled" value="false"/>'
    members = [MEMBER.format(id=number, ccm="true", crmd="online") for number in (1, 2)]
    read = read_cib(cib(*members, options=options, feature_set=feature_set))
    assert dict(read.configuration.options[0].values) == {"stonith-enabled": "false"}
    assert [change.verb.value for change in schedule(read).changes] == ["Start"]


def test_of_both_names_the_newer_one_holds() -> None:
    options = (
        '<nvpair id="o1" name="fencing-enabled" value="false"/><nvpair id="o2" name="stonith-enabled" value="true"/>'
    )
    assert dict(read_cib(cib(options=options)).configuration.options[0].values) == {"stonith-enabled": "false"}


def test_an_id_that_stands_twice_is_refused_where_it_stands_again() -> None:
    twice = '<rsc_defaults><meta_attributes id="web"/></rsc_defaults>'
    with pytest.raises(InputError) as refused:
        read_cib(cib(rest=twice))
    assert [(finding.code, finding.place.line) for finding in refused.value.findings] == [("id-twice", 4)]


def test_a_node_may_have_the_id_of_a_resource() -> None:
    assert read_cib(cib().replace(b'<node id="1"', b'<node id="web"')).configuration.nodes[0].id == "web"


@needs_cases
def test_no_published_case_is_refused_for_its_ids() -> None:
    for case in catalogue():
        read_cib(xml_of(case["name"]).read_bytes())


@pytest.mark.parametrize(
    ("section", "expected"),
    [("", "100"), ("<rsc_defaults/>", None), ('<rsc_defaults><meta_attributes id="m"/></rsc_defaults>', "100")],
)
def test_an_old_default_moves_unless_the_new_section_is_there_and_empty(section: str, expected: str | None) -> None:
    options = '<nvpair id="o1" name="default-resource-stickiness" value="100"/>'
    read = read_cib(cib(options=options, rest=section, schema="pacemaker-1.2", feature_set="3.0.5"))
    values = [block.values.get("resource-stickiness") for block in read.configuration.defaults.resources]
    assert values == ([] if expected is None else [expected])


def test_an_old_option_with_underscores_is_dropped_as_with_dashes() -> None:
    options = '<nvpair id="o1" name="default_migration_threshold" value="10"/>'
    read, warnings = read_cib_with_warnings(cib(options=options, schema="pacemaker-2.0", feature_set="3.0.9"))
    assert dict(read.configuration.options[0].values) == {}
    assert [warning.code for warning in warnings] == ["legacy-dropped"]
