"""What is odd about a CIB in XML: each row is a document and what has to be read from it."""

from __future__ import annotations

import pytest

from reconciler.errors import InputError, Severity
from reconciler.interop.reading.cib import read_cib, read_cib_with_warnings
from reconciler.model.attributes import AttributeBlock
from reconciler.model.resource import Agent, Clone, Group, Primitive
from reconciler.model.rule import AttributeExpression, Rule


def document(configuration: str = "", status: str = "", attributes: str = 'validate-with="pacemaker-3.9"') -> bytes:
    sections = f"<configuration>{configuration}</configuration><status>{status}</status>"
    return f"<cib {attributes}>{sections}</cib>".encode()


def resources(text: str) -> bytes:
    return document(f"<resources>{text}</resources>")


PRIMITIVE = '<primitive id="A" class="ocf" provider="pacemaker" type="Dummy">{}</primitive>'


def only_primitive(inner: str, elsewhere: str = "") -> Primitive:
    (found,) = read_cib(resources(PRIMITIVE.format(inner) + elsewhere)).configuration.resources[:1]
    assert isinstance(found, Primitive)
    return found


def refusal(data: bytes) -> tuple[str, int]:
    with pytest.raises(InputError) as caught:
        read_cib(data, "x.xml")
    (finding,) = caught.value.findings
    assert finding.place.file == "x.xml"
    return finding.code, finding.place.line


def warnings(data: bytes) -> list[str]:
    return [finding.code for finding in read_cib_with_warnings(data)[1]]


def test_attributes_of_the_root():
    keys = 'have-quorum="1" dc-uuid="2" crm_feature_set="3.1.0" execution-date="7" admin_epoch="1" epoch="2" num_updates="3"'
    cib = read_cib(document(attributes=f'{keys} no-quorum-panic="1" update-origin="n1"'))
    assert (str(cib.version), cib.have_quorum, cib.no_quorum_panic) == ("1.2.3", True, True)
    assert (cib.dc_id, cib.feature_set, cib.execution_date) == ("2", "3.1.0", 7)
    assert cib.extra == {"update-origin": "n1"}


def test_nothing_recorded_means_no_quorum_and_no_date():
    cib = read_cib(document())
    assert (cib.have_quorum, cib.no_quorum_panic, cib.execution_date, cib.feature_set) == (False, False, None, None)


def test_a_block_may_be_referred_to():
    block = '<meta_attributes id="m" score="3"><nvpair id="m1" name="priority" value="5"/></meta_attributes>'
    other = '<primitive id="B" class="lsb" type="b"><meta_attributes id-ref="m"/></primitive>'
    configuration = read_cib(resources(PRIMITIVE.format(block) + other)).configuration
    assert configuration.resources[1].meta == configuration.resources[0].meta
    assert configuration.resources[1].meta == (AttributeBlock({"priority": "5"}, score="3", id="m"),)


def test_a_reference_to_no_block_is_left_out():
    data = resources(PRIMITIVE.format('<meta_attributes id-ref="m"/>'))
    assert read_cib(data).configuration.resources[0].meta == ()
    assert "dangling-id-ref" in warnings(data)


def test_operations_may_be_referred_to():
    block = '<operations id="o"><op id="o1" name="monitor" interval="10s" timeout="5s"/></operations>'
    other = '<primitive id="B" class="lsb" type="b"><operations id-ref="o"/></primitive>'
    first, second = read_cib(resources(PRIMITIVE.format(block) + other)).configuration.resources
    assert isinstance(first, Primitive)
    assert isinstance(second, Primitive)
    assert first.operations == second.operations
    assert (first.operations[0].name, first.operations[0].attributes) == ("monitor", {"timeout": "5s"})


def test_a_pair_may_be_referred_to_and_its_own_name_and_value_win():
    pairs = '<nvpair id="p" name="a" value="1"/><nvpair id-ref="p" name="b"/><nvpair id-ref="p" name="c" value="3"/>'
    primitive = only_primitive(f'<instance_attributes id="i">{pairs}</instance_attributes>')
    assert primitive.params[0].values == {"a": "1", "b": "1", "c": "3"}


def test_the_legacy_wrapper_around_pairs_is_looked_through():
    inner = '<meta_attributes id="m"><attributes><nvpair id="p" name="a" value="1"/></attributes></meta_attributes>'
    assert only_primitive(inner).meta[0].values == {"a": "1"}


def test_of_a_name_twice_in_a_block_the_first_counts():
    pairs = '<nvpair id="p" name="a" value="1"/><nvpair id="q" name="a" value="2"/><nvpair id="r" name="b"/>'
    assert only_primitive(f'<meta_attributes id="m">{pairs}</meta_attributes>').meta[0].values == {"a": "1"}


def test_in_the_meta_block_of_an_operation_and_in_transient_attributes_the_last_counts():
    pairs = '<nvpair id="p" name="a" value="1"/><nvpair id="q" name="a" value="2"/>'
    op = f'<op id="o" name="monitor" interval="1"><meta_attributes id="m">{pairs}</meta_attributes></op>'
    assert only_primitive(f"<operations>{op}</operations>").operations[0].meta[0].values == {"a": "2"}
    block = f'<instance_attributes id="t">{pairs}</instance_attributes>'
    state = f'<node_state id="1" uname="n"><transient_attributes id="1">{block}</transient_attributes></node_state>'
    assert read_cib(document(status=state)).status.nodes[0].transient[0].values == {"a": "2"}


def test_an_operation_without_id_is_told_from_one_that_needs_none():
    assert only_primitive('<operations><op name="monitor" interval="1"/></operations>').operations[0].id == ""


def test_master_is_a_clone_that_was_promotable_before_the_word():
    (clone,) = read_cib(resources(f'<master id="M">{PRIMITIVE.format("")}</master>')).configuration.resources
    assert isinstance(clone, Clone)
    assert clone.legacy_promotable
    assert isinstance(clone.resource, Primitive)


def test_a_clone_takes_its_first_primitive_or_group():
    inner = '<meta_attributes id="m"/><group id="G"><primitive id="B" class="lsb" type="b"/></group>'
    (clone,) = read_cib(resources(f'<clone id="C">{inner}</clone>')).configuration.resources
    assert isinstance(clone, Clone)
    assert isinstance(clone.resource, Group)
    assert clone.resource.members[0].agent == Agent("lsb", "b")


def test_keys_on_the_element_itself_are_kept():
    text = PRIMITIVE.format("").replace("<primitive", '<primitive is-managed="false" description="d"')
    (primitive,) = read_cib(resources(text)).configuration.resources
    assert (primitive.extra, primitive.description) == ({"is-managed": "false"}, "d")


def test_a_primitive_of_a_template_has_no_agent_of_its_own():
    text = '<template id="T" class="ocf" provider="p" type="t"/><primitive id="A" template="T"/>'
    configuration = read_cib(resources(text)).configuration
    assert isinstance(configuration.resources[0], Primitive)
    assert (configuration.resources[0].template, configuration.resources[0].agent) == ("T", None)
    assert configuration.templates[0].agent == Agent("ocf", "t", "p")


def test_what_is_no_resource_is_left_out_with_a_warning():
    data = resources('<something id="X"/>' + PRIMITIVE.format("<!-- said aside -->") + "<group/>")
    assert [resource.id for resource in read_cib(data).configuration.resources] == ["A"]
    assert warnings(data) == ["resource-unknown", "resource-without-id"]


def test_rules_keep_their_nesting_and_their_own_keys():
    expression = '<expression id="e" attribute="a" operation="eq" value="1" type="string"/>'
    rule = f'<rule id="r" boolean-op="or" score="5"><rule id="s" score-attribute="w">{expression}</rule></rule>'
    data = document(f'<constraints><rsc_location id="l" rsc="A">{rule}</rsc_location></constraints>')
    (location,) = read_cib(data).configuration.constraints
    inner = Rule((AttributeExpression("a", "eq", "1", "string", id="e"),), score_attribute="w", id="s")
    assert location.rules == (Rule((inner,), "or", score="5", id="r"),)  # type: ignore[union-attr]


def test_history_is_told_from_none_at_all():
    states = (
        '<node_state id="1" uname="a"/><node_state id="2" uname="b"><lrm id="2"><lrm_resources/></lrm></node_state>'
    )
    nodes = read_cib(document(status=states)).status.nodes
    assert [node.has_history for node in nodes] == [False, True]


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "xml-malformed", 1),
        (b"<cib>\n<configuration>\n</cib>", "xml-malformed", 3),
        (b"\xff\xfe\x00", "xml-malformed", 1),
        (b'<!DOCTYPE cib [<!ENTITY a "b">]>\n<cib/>', "xml-doctype", 1),
        (b"<cib>" + b"<a>" * 200 + b"</a>" * 200 + b"</cib>", "xml-too-deep", 1),
        (b"<html/>", "cib-root", 1),
        (document("<nodes>\n<node id='1'/></nodes>"), "node-without-name", 2),
        (resources("\n\n<primitive id='A' class='ocf'/>"), "agent-missing", 3),
        (resources("\n<clone id='C'/>"), "clone-empty", 2),
        (resources("\n<bundle id='B'/>"), "bundle-empty", 2),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_can_not_be_used_is_refused_with_its_line(data: bytes, code: str, line: int):
    assert refusal(data) == (code, line)


def test_a_document_beyond_the_bound_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("reconciler.interop.xml.document.LONGEST_BYTES", 10)
    assert refusal(document())[0] == "xml-too-large"


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError) as caught:
        read_cib(resources("<clone id='C'/>\n<clone id='D'/>"))
    assert [finding.place.line for finding in caught.value.findings] == [1, 2]
    assert all(finding.severity is Severity.ERROR for finding in caught.value.findings)
